//! Building and running for another processor.

use super::{app, here, json, members, other};
use crate::support::{Machine, Registry, run, succeed};
use serde_json::Value;
use std::process::Command;

/// What a command says that must fail.
fn refused(machine: &Machine, arguments: &[&str]) -> String {
    let output = run(&mut machine.command(arguments));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{arguments:?} succeeded: {said}");
    said
}

/// The index that a tool of other people's reads.
fn raw(place: &str) -> Value {
    serde_json::from_str(&succeed(Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", place]))).unwrap()
}

/// Each image of the index is the one that a build for its platform alone makes, and a build of both again is the same index. A registry gets
/// the images by their digests before the name.
/// CLI-30.
#[test]
fn several_platforms_make_one_index() {
    let (machine, registry) = (Machine::shared(), Registry::start());
    machine.prepare();
    let (folder, name) = (tempfile::tempdir().unwrap(), registry.name("team/several:1"));
    let source = app();
    let [ours, theirs] = [here(), other()].map(|processor| processor.platform());
    let layout = format!("oci:{}:both", folder.path().join("layout").display());
    let archive = format!("docker-archive:{}", folder.path().join("app.tar").display());
    let both = format!("{theirs},{ours}");
    let digest =
        machine.built(&name, source, &["--platform", &both, "--publish", "--no-attest", "--output", &layout, "--output", &archive]);

    let alone =
        [("alone-ours", &ours), ("alone-theirs", &theirs)].map(|(name, platform)| machine.built(name, source, &["--platform", platform]));
    assert_eq!(machine.built("alone-ours", source, &[]), alone[0]);
    let mut expected = vec![(ours.clone(), alone[0].clone()), (theirs.clone(), alone[1].clone())];
    expected.sort();
    for place in [format!("docker://{name}"), layout.clone()] {
        assert_eq!(members(&raw(&place)), expected, "{place}");
    }
    let listed: Value = serde_json::from_slice(&std::fs::read(folder.path().join("layout/index.json")).unwrap()).unwrap();
    assert_eq!(listed["manifests"][0]["digest"], digest.as_str());
    assert_eq!(succeed(Command::new("crane").args(["digest", "--insecure", &name])).trim(), digest);
    let puts: Vec<String> =
        registry.requests().into_iter().filter(|line| line.starts_with("PUT ") && line.contains("/manifests/")).collect();
    assert_eq!(puts.len(), 3, "{puts:?}");
    assert!(puts[2].contains("/manifests/1 ") && puts[..2].iter().all(|put| put.contains("sha256:")), "{puts:?}");
    let again = machine.built(&name, source, &["--platform", &ours, "--platform", &theirs]);
    assert_eq!(again, digest);

    let shown = json(&machine, &["inspect", &name]);
    assert_eq!(shown["digest"], digest.as_str());
    assert_eq!(shown["platforms"].as_array().unwrap().len(), 2);
    assert_eq!(json(&machine, &["inspect", &name, "--platform", &theirs])["digest"], alone[1].as_str());
    // A place for a single image has the one for this machine.
    assert_eq!(json(&machine, &["inspect", &archive])["digest"], alone[0].as_str());
    assert_eq!(machine.serve(&name).get(), here().rust);
    assert_eq!(machine.serve("alone-theirs").get(), other().rust);
    assert_eq!(succeed(&mut machine.command(&["store", "verify"])), "the store is valid\n");
}

/// Each platform has a cache image of its own. One of another platform is of no use.
/// CLI-10.
#[test]
fn several_platforms_have_a_cache_image_each() {
    let (machine, registry) = (Machine::shared(), Registry::start());
    machine.prepare();
    let cache = registry.name("team/cache:1");
    let both = format!("{},{}", here().platform(), other().platform());
    machine.built("cached", app(), &["--platform", &both, "--cache-image", &cache]);
    let config = |tag: &str| -> Value {
        serde_json::from_str(&succeed(Command::new("crane").args(["config", "--insecure", &format!("{cache}{tag}")]))).unwrap()
    };
    for processor in [here(), other()] {
        assert_eq!(config(&format!("-linux-{}", processor.image))["architecture"], processor.image);
    }
    let build = |more: &[&str]| {
        let output = run(machine.command(&["build", "cached-again", "--path", app().to_str().unwrap(), "--cache-image"]).args(more));
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        said
    };
    let of_other = format!("{cache}-linux-{}", other().image);
    let ignored = format!("because it is of builds for {}", other().image);
    assert!(build(&[&of_other]).contains(&ignored));
    assert_eq!(config(&format!("-linux-{}", other().image))["architecture"], here().image);
    assert!(!build(&[&of_other]).contains(&ignored));
}

/// Images of packages for another processor are composed without running anything: with QEMU out of sight, and the same each time. Programs of
/// theirs are refused before that, with what would help.
#[test]
fn without_an_emulator_builds_are_refused_early() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let hide = "mount --make-rprivate / && mkdir -p $0 && mount -t binfmt_misc none $0 && for name in /usr/bin/qemu-* /usr/local/bin/qemu-*; \
                do [ ! -e $name ] || mount --bind /dev/null $name; done; exec \"$@\"";
    let hidden = |arguments: &[&str]| {
        let command = machine.command(arguments);
        let mut hidden = Command::new("unshare");
        hidden.args(["--user", "--map-root-user", "--mount", "sh", "-c", hide]).arg(folder.path().join("handlers"));
        let output = run(hidden.arg(command.get_program()).args(command.get_args()));
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
    };
    let platform = other().platform();
    let (done, said) = hidden(&["build", "x", "--path", app().to_str().unwrap(), "--platform", &platform]);
    assert!(!done && said.contains(&format!("cannot build for {platform}")), "{said}");
    assert!(said.contains("the kernel has no handler for them") && said.contains("apt install qemu-user-static"), "{said}");
    assert!(!machine.store.join("debian/indexes").exists(), "something was fetched");
    let (done, said) = hidden(&["doctor"]);
    assert!(done && said.contains(&format!("no  builds for {platform}")) && said.contains("remedy: install QEMU"), "{said}");
    let doctor = succeed(&mut machine.command(&["doctor"]));
    assert!(doctor.contains(&format!("yes builds for {platform}")), "{doctor}");

    let shared = Machine::shared();
    shared.prepare();
    shared.built("hidden", app(), &["--platform", &platform]);
    let mut run_hidden = Command::new("unshare");
    run_hidden.args(["--user", "--map-root-user", "--mount", "sh", "-c", hide]).arg(folder.path().join("handlers"));
    let command = shared.command(&["run", "hidden"]);
    let output = run(run_hidden.arg(command.get_program()).args(command.get_args()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("cannot run `hidden`") && said.contains("apt install qemu-user-static"), "{said}");
}

#[test]
fn platforms_that_cannot_be_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    for (platform, why, hint) in [
        ("arm64", "`arm64` is no platform", "as `linux/arm64`"),
        ("linux/s390x", "there is no launcher for s390x", "amd64 and arm64"),
        ("windows/amd64", "programs for windows cannot run", ""),
        ("linux/arm64/v9", "do not make images for linux/arm64/v9", "linux/amd64 and linux/arm64"),
    ] {
        let said = refused(&machine, &["build", "x", "--path", app().to_str().unwrap(), "--platform", platform]);
        assert!(said.contains(why) && said.contains(hint), "{platform}: {said}");
    }
    let said = refused(&machine, &["build", "x", "--platform", "linux/amd64,linux/x86_64", "--path", "/no/such/folder"]);
    assert!(said.contains("/no/such/folder"), "{said}");
}
