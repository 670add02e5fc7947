//! What is said about an image after `cooper rebase --publish`.

use super::published::statements;
use super::{discovered, key_pair, said};
use crate::support::{Machine, Registry, Small};
use serde_json::json;
use std::path::Path;

const METADATA: &str = "io.buildpacks.lifecycle.metadata";

/// An app in a registry whose run image has a newer version there. Returns its name and both digests: the app's and the new run image's.
fn app(machine: &Machine, folder: &Path, registry: &Registry, repository: &str) -> (String, String, String) {
    let (layout, run_image) = (folder.join(repository), registry.name(&format!("{repository}/run:1")));
    let old = Small::write(&layout, "old", &[("base", b"old")]);
    let new = Small::write(&layout, "new", &[("base", b"new")]);
    let metadata = json!({ "app": [], "runImage": { "topLayer": old.diff_ids[0], "reference": format!("{run_image}@{}", old.digest), "image": run_image } });
    let config = json!({ "Labels": { METADATA: metadata.to_string() }, "Env": ["CNB_PLATFORM_API=0.13"] });
    let app = Small::write_with(&layout, "app", &[("base", b"old"), ("app", b"app")], json!({ "config": config }));
    let name = registry.name(&format!("{repository}/app:1"));
    for (tag, name) in [("new", &run_image), ("app", &name)] {
        said(machine, &["copy", &format!("oci:{}:{tag}", layout.display()), name], 0);
    }
    (name, app.digest, new.digest)
}

/// REB-01.
#[test]
fn a_rebase_says_that_it_was_one() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (key, public) = key_pair(&machine, folder.path(), "one");
    let registry = Registry::start();
    let (name, before, run_image) = app(&machine, folder.path(), &registry, "signed");
    said(&machine, &["rebase", &name, "--publish", "--sign", key.to_str().unwrap()], 0);
    let statement = &statements(&public, &name, "slsaprovenance1")[0];
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["buildType"], "urn:cooper:rebase:v1");
    let asked = &definition["externalParameters"];
    assert!(asked["image"].as_str().unwrap().ends_with(&format!("@{before}")), "{asked}");
    assert!(asked["runImage"].as_str().unwrap().ends_with(&format!("@{run_image}")), "{asked}");
    assert!(asked["oldRunImage"].as_str().unwrap().contains("/run"), "{asked}");
    let names: Vec<&str> =
        definition["resolvedDependencies"].as_array().unwrap().iter().map(|used| used["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["image", "old run image", "run image"]);
    for kind in ["spdxjson", "cyclonedx"] {
        assert_eq!(statements(&public, &name, kind).len(), 1, "{kind}");
    }
    let verified = said(&machine, &["verify", &name, "--key", public.to_str().unwrap()], 0);
    assert!(verified.contains("rebased") && verified.contains(&before), "{verified}");
}

#[test]
fn documents_that_an_image_had_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let registry = Registry::start();
    let document = folder.path().join("sbom.json");
    std::fs::write(&document, r#"{ "spdxVersion": "SPDX-2.3" }"#).unwrap();
    for (repository, had, more, has) in [
        ("had", true, &[][..], true),
        ("had-none", false, &[][..], false),
        ("asked", false, &["--attest"][..], true),
        ("refused", true, &["--no-attest"][..], false),
        ("many", true, &["--all"][..], false),
        ("many-asked", false, &["--all", "--attest"][..], true),
    ] {
        let (name, _, _) = app(&machine, folder.path(), &registry, repository);
        if had {
            said(&machine, &["sbom", "attach", &name, document.to_str().unwrap(), "--type", "spdx"], 0);
        }
        let all = format!("{}/{repository}", registry.host());
        let image = if more.contains(&"--all") { &all } else { &name };
        said(&machine, &[&["rebase", image, "--publish"], more].concat(), 0);
        let found: Vec<String> = discovered(&name).into_iter().map(|(kind, _)| kind).collect();
        let expected = ["application/spdx+json", "application/vnd.cyclonedx+json", "application/vnd.in-toto+json"];
        assert_eq!(found, if has { expected.to_vec() } else { Vec::new() }, "{repository}");
    }
}
