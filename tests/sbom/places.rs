//! Images in every place.

use super::{components, download, files, json};
use crate::support::{Engine, Machine, Registry, repository, succeed};
use std::collections::BTreeSet;
use std::path::Path;

/// CLI-43, SBOM-15. Store, registry, layout: the same digest, so the same documents. What engines and their archives give has other documents of its
/// own, but the same packages in the same layers.
#[test]
fn documents_are_the_same_wherever_the_image_is() {
    let (machine, registry, folder) = (Machine::shared(), Registry::start(), tempfile::tempdir().unwrap());
    machine.prepare();
    let (layout, archive) =
        (format!("oci:{}/layout:v1", folder.path().display()), format!("docker-archive:{}/app.tar", folder.path().display()));
    let remote = registry.name("team/places");
    machine.built("places", &repository("fixtures/apps/procfile"), &["--output", &layout, "--output", &archive]);
    succeed(&mut machine.command(&["copy", "places", &format!("docker://{remote}")]));
    succeed(Engine::shared().docker(&["load", "--input"]).arg(folder.path().join("app.tar")));
    let elsewhere = Machine::empty(folder.path());
    let get = |machine: &Machine, image: &str, name: &str, more: &[&str]| {
        let target = folder.path().join(name).join("places");
        let told = download(machine, image, &target, more);
        assert!(told["packages"]["deb"].as_u64().unwrap() > 10 && told["notes"].as_array().unwrap().is_empty(), "{told}");
        target
    };
    let own = get(&machine, "places", "store", &[]);
    let before = registry.requests().len();
    let of_registry = get(&elsewhere, &remote, "registry", &["--remote"]);
    let requests = registry.requests()[before..].to_vec();
    assert!(requests.len() <= 5, "{requests:#?}");
    let reads = requests.iter().filter(|request| request.starts_with("GET ") && request.contains("/blobs/")).count();
    assert_eq!(reads, 2, "the configuration and the layer with SBOM files: {requests:#?}");
    assert!(files(&own) == files(&of_registry));
    // The same image has another name there.
    let of_layout = get(&elsewhere, &layout, "layout-of", &[]);
    assert_eq!(components(&own), components(&of_layout));
    for (image, name) in [(archive.as_str(), "archive"), ("docker:places", "engine")] {
        let mut command = machine.command(&["sbom", "download", image, "--output-dir", folder.path().join(name).to_str().unwrap()]);
        succeed(command.env("DOCKER_HOST", Engine::shared().host()));
        assert_eq!(components(&own), components(&folder.path().join(name)), "{name}");
    }
}

/// What a label says of a composed run image is what its layers say, but for what no layer knows: the checksums of packages' files, and licences in
/// folders of documentation that are links and were left out of the image.
#[test]
fn a_label_says_what_the_layers_say() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    let layout = folder.path().join("layout");
    machine.built("labelled", &repository("fixtures/apps/python-flask"), &["--output", &format!("oci:{}:v1", layout.display())]);
    let get = |name: &str| {
        let target = folder.path().join(name);
        download(&machine, &format!("oci:{}:v1", layout.display()), &target, &[]);
        let mut all = components(&target);
        all.retain(|component| component["purl"].as_str().is_some_and(|purl| purl.starts_with("pkg:deb/")));
        all.iter_mut().for_each(|component| drop(component.as_object_mut().unwrap().remove("hashes")));
        let edges = json(target.join("sbom.cdx.json"))["dependencies"].clone();
        (all, edges)
    };
    let labelled = get("labelled");
    remove_label(&layout, "io.buildpacks.base.cooper.packages");
    let read = get("read");
    let names = |all: &[serde_json::Value]| all.iter().map(|one| one["purl"].as_str().unwrap().to_string()).collect::<BTreeSet<_>>();
    assert_eq!(names(&labelled.0), names(&read.0));
    for (mut one, other) in labelled.0.into_iter().zip(&read.0) {
        if other["licenses"].is_null() {
            one.as_object_mut().unwrap().remove("licenses");
        }
        assert_eq!(one, *other);
    }
    let licensed = read.0.iter().filter(|component| component["licenses"].is_array()).count();
    assert!(licensed * 10 > read.0.len() * 8, "{licensed} of {}", read.0.len());
    assert_eq!(labelled.1, read.1);
}

/// Removes a label of the only image of a layout.
fn remove_label(layout: &Path, label: &str) {
    let blob = |digest: &serde_json::Value| layout.join("blobs/sha256").join(&digest.as_str().unwrap()["sha256:".len()..]);
    let put = |document: &serde_json::Value| {
        let text = document.to_string();
        let digest = crate::support::digest(text.as_bytes());
        std::fs::write(layout.join("blobs/sha256").join(&digest["sha256:".len()..]), &text).unwrap();
        (digest, text.len())
    };
    let mut index = json(layout.join("index.json"));
    let mut manifest = json(blob(&index["manifests"][0]["digest"]));
    let mut config = json(blob(&manifest["config"]["digest"]));
    assert!(config["config"]["Labels"].as_object_mut().unwrap().remove(label).is_some());
    let (digest, size) = put(&config);
    manifest["config"]["digest"] = digest.into();
    manifest["config"]["size"] = size.into();
    let (digest, size) = put(&manifest);
    index["manifests"][0]["digest"] = digest.into();
    index["manifests"][0]["size"] = size.into();
    std::fs::write(layout.join("index.json"), index.to_string()).unwrap();
}
