//! Another run image under an app, without a build.

use crate::support::builder::Builder;
use crate::support::{Machine, Registry, repository, run, succeed, write};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn manifest(registry: &Registry, name: &str) -> Value {
    let text =
        succeed(Command::new("skopeo").args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{}", registry.name(name))]));
    serde_json::from_str(&text).unwrap()
}

fn layers(manifest: &Value) -> Vec<String> {
    manifest["layers"].as_array().unwrap().iter().map(|layer| layer["digest"].as_str().unwrap().to_string()).collect()
}

/// A run image that was patched: one file more.
pub fn patched(run_image: &str, folder: &Path) -> String {
    let layout = folder.join("patched");
    let place = format!("{}:x", layout.display());
    succeed(Command::new("skopeo").args(["copy", "--quiet", run_image, &format!("oci:{place}")]));
    // umoci writes no padding.
    fs::write(folder.join("file"), "patched\n".repeat(64)).unwrap();
    succeed(Command::new("umoci").args(["insert", "--rootless", "--image", &place]).arg(folder.join("file")).arg("/etc/patched"));
    format!("oci:{place}")
}

/// IMG-27, REB-12, REB-13, REB-20.
#[test]
fn a_published_app_is_rebased_without_moving_layers() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let builder = Builder::new(&machine, folder.path());
    let registry = Registry::start();
    let (run_image, image) = (registry.name("base/run:1"), registry.name("team/app:1"));
    let source = builder.run_image_layout(&machine, folder.path());
    let push = |source: &str, name: &str| {
        succeed(Command::new("skopeo").args(["copy", "--quiet", "--dest-tls-verify=false", source, &format!("docker://{name}")]));
    };
    push(&source, &run_image);
    let app = repository("fixtures/builder/app");
    let job = Machine::empty(&folder.path().join("job"));
    let arguments =
        ["build", &image, "--path", app.to_str().unwrap(), "--builder", &builder.name(), "--run-image", &run_image, "--publish"];
    succeed(&mut job.command(&arguments));

    let elsewhere = Machine::empty(&folder.path().join("elsewhere"));
    let rebase = |more: &[&str]| {
        let output = run(elsewhere.command(&["rebase", &image, "--publish"]).args(more));
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // The builder names a run image of its own. With force, the one that is given takes its place.
    let (code, said) = rebase(&["--run-image", &run_image]);
    assert!(code == Some(72) && said.contains("not found in existing run image metadata"), "{said}");
    assert_eq!(rebase(&["--run-image", &run_image, "--force"]).0, Some(0));
    let before = manifest(&registry, "team/app:1");
    let (code, said) = rebase(&["--check"]);
    assert!(code == Some(0) && said.contains("already"), "{said}");
    push(&patched(&source, folder.path()), &run_image);
    push(&patched(&source, folder.path()), &registry.name("base/other:1"));
    assert_eq!(rebase(&["--check"]).0, Some(10));
    assert_eq!(manifest(&registry, "team/app:1"), before);
    let (code, said) = rebase(&["--run-image", &registry.name("base/other:1")]);
    assert!(code == Some(72) && said.contains("not found in existing run image metadata"), "{said}");

    let asked = registry.requests().len();
    let (code, said) = rebase(&["--tag", &registry.name("team/app:2")]);
    assert!(code == Some(0) && said.contains("team/app:2 on"), "{said}");
    let after = manifest(&registry, "team/app:1");
    let (old, new, base) = (layers(&before), layers(&after), layers(&manifest(&registry, "base/run:1")));
    assert_eq!(new[..base.len()], base);
    assert_eq!(new[base.len()..], old[base.len() - 1..]);
    assert_eq!(manifest(&registry, "team/app:2"), after);
    let requests = registry.requests()[asked..].to_vec();
    let moved = |request: &&String| request.starts_with("GET ") && new.iter().any(|layer| request.contains(layer));
    assert!(!requests.iter().any(|request| moved(&request)), "{requests:#?}");
    assert_eq!(rebase(&["--check"]).0, Some(0));

    // The new tag of a run image that is known is a patch. The app runs, on the new files.
    succeed(&mut elsewhere.command(&["copy", &run_image, &registry.name("base/run:2")]));
    assert_eq!(rebase(&["--run-image", &registry.name("base/run:2")]).0, Some(0));
    succeed(&mut elsewhere.command(&["pull", &image]));
    assert_eq!(succeed(&mut elsewhere.command(&["run", &image])), "linux production exec.d hello\n");
    let read = ["run", &image, "--entrypoint", "launcher", "--", "cat", "/etc/patched"];
    assert!(succeed(&mut elsewhere.command(&read)).starts_with("patched\n"));
}

#[test]
fn an_app_of_the_store_knows_what_it_stands_on() {
    let machine = Machine::shared();
    machine.prepare();
    let digest = machine.built("rebased", &repository("fixtures/apps/python-fastapi"), &[]);
    let output = run(&mut machine.command(&["rebase", "rebased", "--offline"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("already") && said.contains(&digest), "{said}");
    // The configuration may say that nobody is asked.
    let home = tempfile::tempdir().unwrap();
    write(&home.path().join(".config/cooper/config.toml"), "pull-policy = 'never'\n");
    let nobody = ["--deb-mirror", "debian=http://127.0.0.1:1", "--deb-mirror", "debian-security=http://127.0.0.1:1"];
    let output = run(machine.command(&["rebase", "rebased"]).args(nobody).env("HOME", home.path()).env_remove("XDG_CONFIG_HOME"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("already") && !said.contains("127.0.0.1:1"), "{said}");
    let output = run(&mut machine.command(&["rebase", "nothing", "--offline"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("there is no image `nothing`") && said.contains("--publish"), "{said}");
}

/// A run image without a library and without the package that brought it.
fn without_library(run_image: &str, folder: &Path, library: &str, package: &str) -> String {
    let place = format!("{}:x", folder.join("less").display());
    succeed(Command::new("skopeo").args(["copy", "--quiet", run_image, &format!("oci:{place}")]));
    let root = folder.join("less-root");
    succeed(Command::new("umoci").args(["unpack", "--rootless", "--image", &place]).arg(&root));
    let status = fs::read_to_string(root.join("rootfs/var/lib/dpkg/status")).unwrap();
    let kept: Vec<&str> = status.split("\n\n").filter(|paragraph| !paragraph.starts_with(&format!("Package: {package}\n"))).collect();
    assert!(kept.len() < status.split("\n\n").count());
    let architecture = format!("{}-linux-gnu", std::env::consts::ARCH);
    let mut tar = tar::Builder::new(Vec::new());
    let files = [("var/lib/dpkg/status".to_string(), kept.join("\n\n")), (format!("usr/lib/{architecture}/.wh.{library}"), String::new())];
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    let layer = folder.join("less.tar");
    fs::write(&layer, tar.into_inner().unwrap()).unwrap();
    succeed(Command::new("umoci").args(["raw", "add-layer", "--image", &place]).arg(&layer));
    format!("oci:{place}")
}

#[test]
fn a_run_image_that_is_no_patch_is_refused() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let builder = Builder::new(&machine, folder.path());
    let registry = Registry::start();
    let run_image = registry.name("base/run:1");
    let source = builder.run_image_layout(&machine, folder.path());
    let push = |source: &str| {
        succeed(Command::new("skopeo").args(["copy", "--quiet", "--dest-tls-verify=false", source, &format!("docker://{run_image}")]));
    };
    push(&source);
    // A program that is linked to a library of the run image.
    let app = folder.path().join("app");
    succeed(Command::new("cp").arg("-rT").arg(repository("fixtures/builder/app")).arg(&app));
    fs::copy("/bin/ls", app.join("tool")).unwrap();
    let job = Machine::empty(&folder.path().join("job"));
    job.built("app", &app, &["--builder", &builder.name(), "--run-image", &run_image]);
    succeed(&mut job.command(&["rebase", "app", "--run-image", &run_image, "--force"]));
    let rebase = |more: &[&str]| run(job.command(&["rebase", "app"]).args(more));
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let now = || -> Value { serde_json::from_str(&succeed(&mut job.command(&["inspect", "app", "--output", "json"]))).unwrap() };

    push(&without_library(&source, folder.path(), "libselinux.so.1", "libselinux1"));
    let before = now();
    let digest = before["digest"].clone();
    for (more, code) in [(&["--check"][..], 72), (&[], 72), (&["--check", "--force"], 10)] {
        let output = rebase(more);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", said(&output));
        assert!(said(&output).contains("removed"), "{}", said(&output));
        assert_eq!(now(), before);
    }
    let refused = said(&rebase(&[]));
    assert!(refused.contains("the package libselinux1 would go"), "{refused}");
    assert!(refused.contains("`libselinux.so.1`, which `workspace/tool` of the app needs, would go"), "{refused}");
    let output = rebase(&["--force", "--output", "json"]);
    assert!(output.status.success() && said(&output).contains("libselinux1 would go"), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let difference = &report["comparison"]["difference"];
    assert!(difference["removed"]["libselinux1"].is_string() && difference["symbolsCompared"].as_u64() > Some(10_000), "{report:#}");
    assert_ne!(now()["digest"], before["digest"]);

    // What only brings more is a patch.
    push(&source);
    let output = rebase(&["--output", "json"]);
    assert!(output.status.success(), "{}", said(&output));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["comparison"]["difference"]["added"]["libselinux1"].is_string(), "{report:#}");
    assert_eq!((&report["comparison"]["doubts"], &report["digest"]), (&json!([]), &digest));
}

#[test]
fn patches_of_debian_reach_an_app_without_a_build() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::fresh(folder.path());
    let inspect = || -> Value { serde_json::from_str(&succeed(&mut machine.command(&["inspect", "app", "--output", "json"]))).unwrap() };
    let layers = |image: &Value| -> Vec<String> {
        image["layers"].as_array().unwrap().iter().map(|layer| layer["diff_id"].as_str().unwrap().to_string()).collect()
    };
    // The state of the last point release.
    succeed(&mut machine.command(&["builder", "update", "bookworm", "--without", "debian-security"]));
    machine.built("app", &repository("fixtures/apps/python-fastapi"), &["--builder", "bookworm"]);
    let before = layers(&inspect());
    let lock = folder.path().join("old.lock");
    let lock = lock.to_str().unwrap();
    succeed(&mut machine.command(&["rebase", "app", "--offline", "--write-lock", lock]));

    let check = run(&mut machine.command(&["rebase", "app", "--check"]));
    assert_eq!(check.status.code(), Some(10), "{}", String::from_utf8_lossy(&check.stderr));
    assert_eq!(layers(&inspect()), before);
    let report: Value = serde_json::from_str(&succeed(&mut machine.command(&["rebase", "app", "--output", "json"]))).unwrap();
    let difference = &report["comparison"]["difference"];
    for source in ["openssl", "python3.11"] {
        let changed: Vec<&Value> = difference["changed"].as_array().unwrap().iter().filter(|changed| changed["source"] == source).collect();
        assert!(changed.iter().any(|changed| changed["cves"][0].as_str().is_some_and(|cve| cve.starts_with("CVE-20"))), "{report:#}");
        assert!(changed.iter().all(|changed| changed["lower"] == false && changed["from"] != changed["to"]), "{report:#}");
    }
    assert!(difference["symbolsCompared"].as_u64() > Some(10_000) && report["comparison"]["missed"] == json!([]), "{report:#}");

    let after = layers(&inspect());
    assert_eq!(after.len(), before.len());
    // The base, the packages of the app and the interpreter's compiled modules are new; the app is not.
    let own: Vec<_> = before.iter().zip(&after).map(|(before, after)| before == after).collect();
    assert_eq!(own, [[false; 3].as_slice(), &[true; 6]].concat());
    assert_eq!(machine.serve("app").get(), r#"{"message":"Hello from Cooperage","greeting":"none"}"#);
    assert_eq!(run(&mut machine.command(&["rebase", "app", "--check", "--offline"])).status.code(), Some(0));

    // The exact state of before, which nobody wants by mistake.
    let back = run(&mut machine.command(&["rebase", "app", "--lock", lock]));
    let said = String::from_utf8_lossy(&back.stderr);
    assert!(back.status.code() == Some(72) && said.contains("would get a lower version"), "{said}");
    succeed(&mut machine.command(&["rebase", "app", "--lock", lock, "--force"]));
    assert_eq!(layers(&inspect()), before);
    fs::write(lock, fs::read_to_string(lock).unwrap().replacen("bookworm", "trixie", 1)).unwrap();
    let other = run(&mut machine.command(&["rebase", "app", "--lock", lock]));
    let said = String::from_utf8_lossy(&other.stderr);
    assert!(!other.status.success() && said.contains("the lock is for the run image of trixie"), "{said}");
}
