//! Rebases of lists of images, and of one image among others in a file.

use super::{Images, METADATA};
use crate::support::{Machine, Registry, run, succeed};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A list in a registry, as other tools may write one.
fn put(registry: &Registry, folder: &Path, name: &str, entries: &[Value]) -> Value {
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries, "annotations": { "of": "a test" } });
    let file = folder.join("list.json");
    std::fs::write(&file, list.to_string()).unwrap();
    let (repository, tag) = name.split_once(':').unwrap();
    let url = format!("http://{}/v2/{repository}/manifests/{tag}", registry.host());
    let (kind, body) = (format!("content-type: {INDEX}"), format!("@{}", file.display()));
    succeed(Command::new("curl").args(["--silent", "--fail", "--request", "PUT", "--header", &kind, "--data-binary", &body, &url]));
    list
}

fn now(registry: &Registry, name: &str) -> Value {
    super::super::bench::manifest(registry, name).0
}

/// An entry of a list for the manifest with a digest in a repository.
fn entry(registry: &Registry, repository: &str, digest: &str) -> Value {
    let size = std::fs::metadata(super::super::bench::blob_path(registry, digest)).unwrap().len();
    assert!(registry.data().join("repositories").join(repository).exists());
    json!({ "mediaType": MANIFEST, "size": size, "digest": digest })
}

fn rebase(machine: &Machine, image: &str) -> String {
    let output = run(&mut machine.command(&["rebase", image, "--publish"]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// REB-14.
#[test]
fn a_list_of_one_image_stays_a_list() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start());
    let (run_image, app) = (registry.name("base/run:1"), registry.name("team/app:1"));
    let (images, machine) = (Images::new(folder.path(), &run_image), Machine::empty(folder.path()));
    images.send(&machine, "new", &run_image);
    images.send(&machine, "app", &app);
    put(&registry, folder.path(), "team/app:1", &[entry(&registry, "team/app", &images.app.digest)]);
    rebase(&machine, &app);
    let list = now(&registry, "team/app:1");
    let [image] = list["manifests"].as_array().unwrap().as_slice() else { panic!("{list:#}") };
    assert!(list["mediaType"] == INDEX && image.get("platform").is_none() && image["digest"] != *images.app.digest, "{list:#}");
    let config: Value = serde_json::from_str(&succeed(Command::new("crane").args(["config", "--insecure", &app]))).unwrap();
    let metadata: Value = serde_json::from_str(config["config"]["Labels"][METADATA].as_str().unwrap()).unwrap();
    assert_eq!(metadata["runImage"]["topLayer"], **images.new.diff_ids.last().as_ref().unwrap());
    put(&registry, folder.path(), "team/app:1", &[]);
    let output = run(&mut machine.command(&["rebase", &app, "--publish"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(72) && said.contains("is a list without images"), "{said}");
}

/// Attestations speak of images by their digests: those of images that change are left out, with a word, and nothing else is.
#[test]
fn attestations_of_images_that_stay_stay() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start());
    let machine = Machine::empty(folder.path());
    let (run_image, app) = (registry.name("base/run:1"), registry.name("team/app:1"));
    let processors = ["amd64", "arm64"];
    let all = processors.map(|processor| Images::of(&folder.path().join(processor), &run_image, processor));
    let platform = |mut entry: Value, os: &str, architecture: &str| {
        entry["platform"] = json!({ "os": os, "architecture": architecture });
        entry
    };
    let run_list = |tags: [&str; 2]| {
        let entries = [0, 1].map(|at| {
            let run = if tags[at] == "new" { &all[at].new } else { &all[at].old };
            all[at].send(&machine, tags[at], &registry.name(&format!("base/run:{}", processors[at])));
            platform(entry(&registry, "base/run", &run.digest), "linux", processors[at])
        });
        put(&registry, folder.path(), "base/run:1", &entries);
    };
    // Any manifest will do as what attests.
    let attestation = |of: &Value| {
        let mut attestation = platform(entry(&registry, "team/app", &all[0].old.digest), "unknown", "unknown");
        attestation["annotations"] =
            json!({ "vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": of["digest"] });
        attestation
    };
    run_list(["new", "new"]);
    all[0].send(&machine, "old", &registry.name("team/app:attests"));
    let apps: Vec<Value> = [0, 1]
        .map(|at| {
            all[at].send(&machine, "app", &registry.name(&format!("team/app:{}", processors[at])));
            platform(entry(&registry, "team/app", &all[at].app.digest), "linux", processors[at])
        })
        .to_vec();
    put(&registry, folder.path(), "team/app:1", &[&apps[..], &[attestation(&apps[0]), attestation(&apps[1])]].concat());
    let said = rebase(&machine, &app);
    assert!(said.contains("left out of the list: 2 attestations"), "{said}");
    let images = now(&registry, "team/app:1")["manifests"].as_array().unwrap().clone();
    assert_eq!(images.len(), 2);

    // Where nothing changes, nothing does.
    let attested = [&images[..], &[attestation(&images[0]), attestation(&images[1])]].concat();
    let list = put(&registry, folder.path(), "team/app:1", &attested);
    let said = rebase(&machine, &app);
    assert!(said.contains("already") && !said.contains("left out"), "{said}");
    assert_eq!(now(&registry, "team/app:1"), list);

    run_list(["old", "new"]);
    let said = rebase(&machine, &app);
    assert!(said.contains("left out of the list: 1 attestations"), "{said}");
    let list = now(&registry, "team/app:1")["manifests"].as_array().unwrap().clone();
    assert_ne!(list[0]["digest"], images[0]["digest"]);
    assert_eq!(list[1..], [images[1].clone(), attested[3].clone()]);
}

/// REB-01.
#[test]
fn other_images_of_an_archive_stay_in_it() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start());
    let run_image = registry.name("base/run:1");
    let (images, machine) = (Images::new(folder.path(), &run_image), Machine::empty(folder.path()));
    images.send(&machine, "new", &run_image);
    let file = folder.path().join("apps.tar");
    let place = |name: &str| format!("docker-archive:{}:{name}", file.display());
    let config = |name: &str| -> Value {
        serde_json::from_str(&succeed(Command::new("skopeo").args(["inspect", "--config", &place(name)]))).unwrap()
    };
    succeed(&mut machine.command(&["copy", &images.place("app"), &place("one/app:1")]));
    // A new image beside the one that it is made of; then that one is rebased, in a machine that has neither.
    succeed(&mut machine.command(&["rebase", &place("two/app:1"), "--previous-image", &place("one/app:1")]));
    let (one, two) = (config("one/app:1"), config("two/app:1"));
    assert_eq!(one["rootfs"]["diff_ids"], json!(images.app.diff_ids));
    let rebased = [&images.new.diff_ids[..], &images.app.diff_ids[2..]].concat();
    assert_eq!(two["rootfs"]["diff_ids"], json!(rebased));
    let other = Machine::empty(&folder.path().join("other"));
    succeed(&mut other.command(&["rebase", &place("one/app:1"), "--tag", "one/app:2"]));
    assert_eq!([config("one/app:1"), config("one/app:2"), config("two/app:1")], [two.clone(), two.clone(), two]);
    let listed: Value =
        serde_json::from_str(&succeed(Command::new("skopeo").args(["list-tags", &format!("docker-archive:{}", file.display())]))).unwrap();
    assert_eq!(listed["Tags"].as_array().unwrap().len(), 3, "{listed}");
}
