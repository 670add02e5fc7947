//! `cooper sign`, `cooper verify` and `cooper sbom attach` beside cosign's commands.

use super::{cosign_signs, cosign_verifies, discovered, key_pair, pushed, said};
use crate::support::{Machine, Registry, Small, succeed};
use serde_json::Value;
use std::process::Command;

const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// DIST-20, DIST-21.
#[test]
fn cosign_verifies_what_is_signed_here() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let layout = folder.path().join("layout");
    let image = Small::write(&layout, "x", &[("file", b"content")]);
    let ((key, public), (_, other)) = (key_pair(&machine, folder.path(), "one"), key_pair(&machine, folder.path(), "other"));
    let (key, public_text) = (key.to_str().unwrap(), public.to_str().unwrap());
    for registry in [Registry::start(), Registry::start_version_3(), Registry::start_of_crane()] {
        let name = pushed(&machine, &layout, &registry, "team/app:1");
        assert!(
            said(&machine, &["verify", &name, "--key", public_text, "--type", "signature"], 10).contains("the key signed no signature")
        );
        assert!(said(&machine, &["sign", &name, "--key", key], 0).contains(&format!("signed {}", image.digest)));
        let verified = cosign_verifies("verify", &public, &name, &[]);
        let payload: Value = serde_json::from_slice(&verified.stdout).unwrap();
        assert!(verified.status.success());
        assert_eq!(payload[0]["critical"]["image"]["docker-manifest-digest"], image.digest);
        assert!(!cosign_verifies("verify", &other, &name, &[]).status.success());
        said(&machine, &["verify", &name, "--key", public_text, "--type", "signature"], 0);
        assert!(said(&machine, &["verify", &name, "--key", other.to_str().unwrap()], 10).contains("not by this key"));
        // What is signed again is the same signature.
        said(&machine, &["sign", &name, "--key", key], 0);
        assert_eq!(discovered(&name), [(BUNDLE.to_string(), SIGNATURE.to_string())]);
        // As older versions of cosign look for it: that one finds no bundle.
        said(&machine, &["sign", &name, "--key", key, "--cosign-v2"], 0);
        let older = cosign_verifies("verify", &public, &name, &["--new-bundle-format=false"]);
        assert!(older.status.success() && String::from_utf8_lossy(&older.stdout).contains("cosign container image signature"));
    }
}

#[test]
fn an_index_and_each_of_its_images_are_signed() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (key, public) = key_pair(&machine, folder.path(), "one");
    let (registry, layout) = (Registry::start(), folder.path().join("layout"));
    let mut digests = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let members = serde_json::json!({ "architecture": architecture });
        digests.push(Small::write_with(&layout, architecture, &[("file", architecture.as_bytes())], members).digest);
        said(
            &machine,
            &["copy", &format!("oci:{}:{architecture}", layout.display()), &registry.name(&format!("team/app:{architecture}"))],
            0,
        );
    }
    let (name, parts) = (registry.name("team/app:1"), ["amd64", "arm64"].map(|tag| registry.name(&format!("team/app:{tag}"))));
    said(&machine, &["manifest", "create", &name, &parts[0], &parts[1]], 0);
    said(&machine, &["manifest", "push", &name], 0);
    let signed = said(&machine, &["sign", &name, "--key", key.to_str().unwrap(), "--output", "json"], 0);
    let signed: Value = serde_json::from_str(&signed).unwrap();
    let signed: Vec<&str> = signed["signed"].as_array().unwrap().iter().map(|digest| digest.as_str().unwrap()).collect();
    assert!(signed.len() == 3 && signed[1..] == [digests[0].as_str(), &digests[1]], "{signed:?}");
    for digest in signed {
        let pinned = format!("{}@{digest}", registry.name("team/app"));
        assert!(cosign_verifies("verify", &public, &pinned, &[]).status.success(), "{digest}");
    }
    let report =
        said(&machine, &["verify", &name, "--key", public.to_str().unwrap(), "--type", "signature", "--layers", "--output", "json"], 0);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["verified"], report["subjects"].as_array().unwrap().len()), (&Value::Bool(true), 3));
}

/// In every form that cosign has.
#[test]
fn what_cosign_signed_is_verified_here() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (key, public) = key_pair(&machine, folder.path(), "one");
    let layout = folder.path().join("layout");
    Small::write(&layout, "x", &[("file", b"content")]);
    let (registry, predicate) = (Registry::start(), folder.path().join("predicate.json"));
    std::fs::write(&predicate, r#"{ "spdxVersion": "SPDX-2.3", "name": "x" }"#).unwrap();
    let attest = ["--predicate", predicate.to_str().unwrap(), "--type", "spdxjson"];
    for (repository, form) in [("new", "--new-bundle-format=true"), ("old", "--new-bundle-format=false")] {
        let name = pushed(&machine, &layout, &registry, &format!("{repository}:1"));
        cosign_signs("sign", &key, &name, &[form]);
        cosign_signs("attest", &key, &name, &[&attest[..], &[form]].concat());
        let public = public.to_str().unwrap();
        said(&machine, &["verify", &name, "--key", public, "--type", "signature,spdx"], 0);
        let lacking = said(&machine, &["verify", &name, "--key", public], 10);
        assert!(lacking.contains("signed no provenance") && !lacking.contains("no SBOM"), "{lacking}");
    }
}

#[test]
fn a_document_is_attached_as_it_is_and_as_a_signed_statement() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (key, public) = key_pair(&machine, folder.path(), "one");
    let layout = folder.path().join("layout");
    let image = Small::write(&layout, "x", &[("file", b"content")]);
    let (registry, document) = (Registry::start(), folder.path().join("document.json"));
    let name = pushed(&machine, &layout, &registry, "team/app:1");
    let text = "{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.5\"\n}\n";
    std::fs::write(&document, text).unwrap();
    let attach = ["sbom", "attach", &name, document.to_str().unwrap(), "--type"];
    assert!(said(&machine, &[&attach[..], &["spdx"]].concat(), 1).contains("no `application/spdx+json`"));
    let attached = said(&machine, &[&attach[..], &["cyclonedx", "--sign", key.to_str().unwrap()]].concat(), 0);
    assert!(attached.contains(&image.digest), "{attached}");
    let verified = cosign_verifies("verify-attestation", &public, &name, &["--type", "cyclonedx"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(!cosign_verifies("verify-attestation", &public, &name, &["--type", "spdxjson"]).status.success());
    let types: Vec<_> = discovered(&name).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(types, ["application/vnd.cyclonedx+json", BUNDLE]);
    said(&machine, &["verify", &name, "--key", public.to_str().unwrap(), "--type", "sbom"], 0);
    // Scanners get the very file.
    let index: Value =
        serde_json::from_str(&succeed(Command::new("oras").args(["discover", "--plain-http", "--format", "json", &name]))).unwrap();
    let entry =
        index["referrers"].as_array().unwrap().iter().find(|entry| entry["artifactType"] == "application/vnd.cyclonedx+json").unwrap();
    let pulled = format!("{}@{}", registry.name("team/app"), entry["digest"].as_str().unwrap());
    succeed(Command::new("oras").args(["pull", "--plain-http", &pulled]).current_dir(folder.path()));
    assert_eq!(std::fs::read_to_string(folder.path().join("sbom.cdx.json")).unwrap(), text);
}

#[test]
fn an_image_in_a_layout_is_signed_and_its_signature_travels_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (key, public) = key_pair(&machine, folder.path(), "one");
    let layout = folder.path().join("layout");
    Small::write(&layout, "x", &[("file", b"content")]);
    let (place, public_text) = (format!("oci:{}:x", layout.display()), public.to_str().unwrap());
    said(&machine, &["sign", &place, "--key", key.to_str().unwrap()], 0);
    said(&machine, &["verify", &place, "--key", public_text, "--type", "signature", "--layers"], 0);
    let name = Registry::start();
    let copied = name.name("team/app:1");
    said(&machine, &["copy", "--referrers", &place, &copied], 0);
    assert!(cosign_verifies("verify", &public, &copied, &[]).status.success());
    // What is in the store alone has no place for signatures.
    said(&machine, &["copy", &place, "store://app"], 0);
    assert!(said(&machine, &["sign", "app", "--key", key.to_str().unwrap()], 1).contains("keeps nothing that refers to images"));
}
