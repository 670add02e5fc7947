//! Lists of images for several machines.

use super::bench::{config, manifest, push_image_for};
use crate::support::{Machine, Registry, run, succeed};
use serde_json::Value;
use std::process::Command;

/// Runs `cooper manifest` on a machine; returns whether it succeeded, and what it said.
fn manifests(machine: &Machine, arguments: &[&str]) -> (bool, String) {
    let output = run(machine.command(&["manifest"]).args(arguments));
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

fn well(machine: &Machine, arguments: &[&str]) -> String {
    let (succeeded, said) = manifests(machine, arguments);
    assert!(succeeded, "{arguments:?}: {said}");
    said
}

/// CLI-46.
/// The images come from other repositories; the list's own gets what it lacks.
/// DIST-12.
#[test]
fn a_list_is_put_together_and_sent_with_its_images() {
    let registry = Registry::start();
    push_image_for("amd64", &registry, "one/amd:1", "amd", "oci");
    let of_arm = push_image_for("arm64", &registry, "other/arm:1", "arm", "v2s2");
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (list, amd, arm) = (registry.name("team/app:1"), registry.name("one/amd:1"), registry.name("other/arm:1"));
    well(&machine, &["create", &list, &amd]);
    let (succeeded, said) = manifests(&machine, &["create", &list, &amd]);
    assert!(!succeeded && said.contains("already") && said.contains("cooper manifest remove"), "{said}");
    well(&machine, &["add", &list, &arm]);
    well(&machine, &["add", &list, &arm]);
    well(&machine, &["annotate", &list, &arm, "--variant", "v8", "--annotations", "acme.note=a,acme.other=b"]);
    let shown: Value = serde_json::from_str(&well(&machine, &["inspect", &list])).unwrap();
    assert_eq!(shown["manifests"].as_array().unwrap().len(), 2);
    assert_eq!(shown["manifests"][1]["platform"], serde_json::json!({ "architecture": "arm64", "os": "linux", "variant": "v8" }));

    let said = well(&machine, &["push", &list]);
    let (published, digest) = manifest(&registry, "team/app:1");
    assert!(said.contains(&digest), "{said}");
    assert_eq!(published, shown);
    assert_eq!(published["manifests"][1]["annotations"]["acme.note"], "a");
    assert_eq!(published["manifests"][1]["digest"], manifest(&registry, "other/arm:1").1.as_str());
    // Others take the image for their machine, whole, from the list's repository.
    let layout = format!("oci:{}:x", folder.path().join("copied").display());
    let mut skopeo = Command::new("skopeo");
    skopeo.args(["copy", "--quiet", "--override-arch", "arm64", "--src-tls-verify=false", &format!("docker://{list}"), &layout]);
    succeed(&mut skopeo);
    assert!(folder.path().join("copied/blobs/sha256").join(&of_arm[7..]).is_file());

    // A list of a list has its images, and what a registry has is shown where this machine has none.
    let second = registry.name("team/all:1");
    let said = well(&machine, &["create", &second, &list, "--publish", "--format", "v2s2"]);
    let (published, digest) = manifest(&registry, "team/all:1");
    assert!(said.contains(&digest), "{said}");
    assert_eq!(published["mediaType"], "application/vnd.docker.distribution.manifest.list.v2+json");
    assert_eq!(published["manifests"].as_array().unwrap().len(), 2);
    let of_registry: Value = serde_json::from_str(&well(&machine, &["inspect", &second])).unwrap();
    assert_eq!(of_registry["manifests"], published["manifests"]);

    let (succeeded, said) = manifests(&machine, &["rm", &list, "none:1"]);
    assert!(!succeeded && said.contains("is not in the list") && said.contains("other/arm:1"), "{said}");
    well(&machine, &["rm", &list, &arm]);
    well(&machine, &["push", &list, "--purge"]);
    assert_eq!(manifest(&registry, "team/app:1").0["manifests"].as_array().unwrap().len(), 1);
    let (succeeded, said) = manifests(&machine, &["remove", &list]);
    assert!(!succeeded && said.contains("there is no list"), "{said}");
    let (succeeded, said) = manifests(&machine, &["create", &list, &registry.name("no/image:1")]);
    assert!(!succeeded && said.contains("there is no image"), "{said}");
    assert_eq!(config(&registry, "one/amd:1")["architecture"], "amd64");
}
