//! Images that are built once more from what is recorded of their build.

use crate::support::{Machine, Registry, copied, repository, succeed};
use serde_json::{Value, json};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn repro(machine: &Machine, name: &str, source: &Path, more: &[&str]) -> std::process::Output {
    machine.run(&[&["repro", name, "--path", source.to_str().unwrap(), "--output", "json"], more].concat())
}

/// What is told of two images that differ.
fn differing(output: &std::process::Output) -> Value {
    assert_eq!(output.status.code(), Some(10), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The packages of the images come from the locks beside the image: the other store has none of its own.
#[test]
fn an_image_is_built_once_more_in_another_store_by_another_user() {
    let (machine, registry, folder) = (Machine::shared(), Registry::start(), tempfile::tempdir().unwrap());
    machine.prepare();
    let (name, source) = (registry.name("team/again:1"), repository("fixtures/apps/python-flask"));
    let digest = machine.built(&name, &source, &["--publish"]);
    let other = Machine::for_user(folder.path());
    for kept in ["locks", "indexes"] {
        fs::remove_dir_all(other.store.join("debian").join(kept)).unwrap();
    }
    let said = succeed(&mut other.command(&["repro", &name, "--path", source.to_str().unwrap()]));
    assert_eq!(said, format!("the same to the bit: {digest}\n"));
    assert_eq!(succeed(&mut other.command(&["images", "--quiet"])).matches("repro").count(), 0);
    assert!(!other.store.join("debian/locks").exists());
}

#[test]
fn a_planted_difference_is_named_to_the_byte() {
    let (machine, registry, source) = (Machine::shared(), Registry::start(), copied("procfile"));
    machine.prepare();
    let name = registry.name("team/planted:1");
    fs::write(source.path().join("note.txt"), "0123456789").unwrap();
    let digest = machine.built(&name, source.path(), &["--publish", "--env", "COLOUR=blue", "--env", "BP_SHAPE=round"]);

    let missing = repro(&machine, &name, source.path(), &[]);
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(missing.status.code() == Some(1) && said.contains("does not say the value of COLOUR, which may be secret"), "{said}");
    let same = repro(&machine, &name, source.path(), &["--env", "COLOUR=blue"]);
    let told: Value = serde_json::from_slice(&same.stdout).unwrap();
    assert_eq!(told, json!({ "digest": digest, "rebuilt": digest, "layers": [], "config": [] }));

    fs::write(source.path().join("note.txt"), "01234x6789").unwrap();
    let told = differing(&repro(&machine, &name, source.path(), &["--env", "COLOUR=blue"]));
    let first = json!({ "file": "/workspace/note.txt", "field": "content", "offset": 5, "from": "0x35", "to": "0x78" });
    assert_eq!((&told["layers"][0]["first"], told["layers"].as_array().unwrap().len(), &told["config"]), (&first, 1, &json!([])));
    let other = repro(&machine, &name, source.path(), &["--env", "COLOUR=blue", "--same-source"]);
    assert!(
        other.status.code() == Some(1)
            && String::from_utf8_lossy(&other.stderr).contains("is not the source that the image was built from")
    );

    fs::write(source.path().join("note.txt"), "0123456789").unwrap();
    fs::set_permissions(source.path().join("note.txt"), Permissions::from_mode(0o755)).unwrap();
    let told = differing(&repro(&machine, &name, source.path(), &["--env", "COLOUR=blue"]));
    assert_eq!(told["layers"][0]["first"], json!({ "file": "/workspace/note.txt", "field": "mode", "from": "0644", "to": "0755" }));
}

#[test]
fn an_image_without_a_record_of_its_build_says_what_is_missing() {
    let (machine, registry, source) = (Machine::shared(), Registry::start(), repository("fixtures/apps/procfile"));
    machine.prepare();
    let name = registry.name("team/unknown:1");
    machine.built(&name, &source, &["--publish", "--no-attest"]);
    for (image, why) in [(name.as_str(), "there is no provenance beside"), ("unknown", "keeps nothing that refers to images")] {
        let output = repro(&machine, image, &source, &[]);
        assert!(output.status.code() == Some(1) && String::from_utf8_lossy(&output.stderr).contains(why), "{image}: {output:?}");
    }
}
