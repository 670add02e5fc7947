//! Moving images for several platforms: whole, or the one for a platform.

use super::{PROCESSORS, here, json, members, other};
use crate::registry::bench::push_image_for;
use crate::support::{Machine, Registry, run, succeed};
use serde_json::Value;
use std::process::Command;

fn crane(arguments: &[&str]) -> String {
    succeed(Command::new("crane").args(arguments).arg("--insecure")).trim().to_string()
}

/// A registry with an index of an image for each processor, its name, and its digest.
fn with_index() -> (Registry, String, String) {
    let registry = Registry::start();
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let name = registry.name("acme/both:1");
    let single = PROCESSORS.map(|processor| {
        let single = format!("acme/{}:1", processor.image);
        push_image_for(processor.image, &registry, &single, processor.image, "oci");
        registry.name(&single)
    });
    let mut create = machine.command(&["manifest", "create", &name, "--publish"]);
    succeed(create.args(&single));
    let digest = crane(&["digest", &name]);
    (registry, name, digest)
}

/// An index keeps its digest wherever it goes, with all of its images; other tools read it there.
/// DIST-12.
#[test]
fn an_index_moves_whole() {
    let (registry, name, digest) = with_index();
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let moved = |arguments: &[&str]| succeed(&mut machine.command(&[arguments, &["--quiet"]].concat())).trim().to_string();
    let layout = format!("oci:{}:two", folder.path().join("layout").display());
    assert_eq!(moved(&["copy", &name, &layout]), digest);
    let of_layout: Value = serde_json::from_str(&succeed(Command::new("skopeo").args(["inspect", "--raw", &layout]))).unwrap();
    assert_eq!(members(&of_layout).len(), 2);
    let other_place = registry.name("team/moved:2");
    assert_eq!(moved(&["copy", &layout, &other_place]), digest);
    assert_eq!(crane(&["digest", &other_place]), digest);
    for processor in PROCESSORS {
        crane(&["validate", "--remote", &format!("{}@{}", other_place, member(&of_layout, &processor.platform()))]);
    }

    assert_eq!(moved(&["pull", &name, "--all-platforms", "--tag", "mine:1"]), digest);
    succeed(&mut machine.command(&["tag", "mine:1", "mine:2"]));
    let images = json(&machine, &["images"]);
    assert!(
        images.as_array().unwrap().iter().all(|row| row["digest"] == digest.as_str()) && images.as_array().unwrap().len() == 2,
        "{images}"
    );
    let third = registry.name("team/third:1");
    assert_eq!(moved(&["push", "mine:2", &third]), digest);
    assert_eq!(crane(&["digest", &third]), digest);
    assert_eq!(succeed(&mut machine.command(&["store", "verify"])), "the store is valid\n");
    succeed(&mut machine.command(&["store", "prune"]));
    assert_eq!(moved(&["push", "mine:1", &registry.name("team/fourth:1")]), digest);
}

/// The image for one platform, where that is what is asked for; `pull` brings this machine's.
/// IMG-15.
#[test]
fn one_image_of_an_index_moves_alone() {
    let (registry, name, digest) = with_index();
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let index: Value = serde_json::from_str(&crane(&["manifest", &name])).unwrap();
    let [ours, theirs] = [here(), other()].map(|processor| member(&index, &processor.platform()));
    let moved = |arguments: &[&str]| succeed(&mut machine.command(&[arguments, &["--quiet"]].concat())).trim().to_string();
    assert_eq!(moved(&["pull", &name]), ours);
    assert_eq!(moved(&["pull", &name, "--platform", &other().platform(), "--tag", "theirs"]), theirs);
    let target = registry.name("team/single:1");
    assert_eq!(moved(&["copy", &format!("docker://{name}"), &target, "--platform", &other().platform()]), theirs);
    assert_eq!(crane(&["digest", &target]), theirs);
    let archive = format!("docker-archive:{}", folder.path().join("one.tar").display());
    assert_eq!(moved(&["copy", &format!("docker://{name}"), &archive]), ours);

    moved(&["pull", &name, "--all-platforms", "--tag", "both"]);
    assert_eq!(moved(&["push", "both", &registry.name("team/part:1"), "--platform", &other().platform()]), theirs);
    let failing = |arguments: &[&str]| {
        let output = run(&mut machine.command(arguments));
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = failing(&["pull", &name, "--platform", "linux/s390x"]);
    assert!(said.contains("linux/amd64, linux/arm64, not for linux/s390x"), "{said}");
    let said = failing(&["push", "theirs", &target, "--platform", &here().platform()]);
    assert!(said.contains(&format!("is for {}, not for {}", other().platform(), here().platform())), "{said}");
    assert_ne!(digest, ours);
}

fn member(index: &Value, platform: &str) -> String {
    members(index).into_iter().find(|(of, _)| of == platform).unwrap().1
}
