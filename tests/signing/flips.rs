//! One byte that is not what it was, anywhere.

use super::{cosign_verifies, discovered, key_pair, pushed, said};
use crate::support::{Machine, Registry, Small, run, succeed};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file of a blob in a registry's folder.
fn blob(registry: &Registry, digest: &str) -> PathBuf {
    let hex = digest.strip_prefix("sha256:").unwrap();
    registry.data().join("blobs/sha256").join(&hex[..2]).join(hex).join("data")
}

fn document(registry: &Registry, digest: &str) -> Value {
    serde_json::from_slice(&fs::read(blob(registry, digest)).unwrap()).unwrap()
}

/// Changes one byte of a file while something is done.
fn with_flipped<T>(path: &Path, at: usize, work: impl FnOnce() -> T) -> T {
    let before = fs::read(path).unwrap();
    let mut after = before.clone();
    after[at] ^= 1;
    fs::write(path, after).unwrap();
    let done = work();
    fs::write(path, before).unwrap();
    done
}

/// The manifests that refer to an image, by what is stated in them.
fn referrers(image: &str) -> Vec<(String, String)> {
    let found = succeed(Command::new("oras").args(["discover", "--plain-http", "--format", "json", image]));
    let found: Value = serde_json::from_str(&found).unwrap();
    let entry = |entry: &Value| {
        let stated = entry["annotations"]["dev.sigstore.bundle.predicateType"].as_str().unwrap_or_default().to_string();
        (stated, entry["digest"].as_str().unwrap().to_string())
    };
    found["referrers"].as_array().unwrap().iter().map(entry).collect()
}

/// Where a JSON document has a member, and a byte in the middle of its text.
fn inside(text: &[u8], member: &str) -> usize {
    let text = String::from_utf8_lossy(text);
    let start = text.find(&format!("\"{member}\":\"")).unwrap() + member.len() + 4;
    let length = text[start..].find('"').unwrap();
    start + length / 2
}

/// Wherever cosign looks, it fails too; it never looks at an image's configuration and layers.
#[test]
fn a_flipped_byte_anywhere_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (key, public) = key_pair(&machine, folder.path(), "one");
    let layout = folder.path().join("layout");
    let image = Small::write(&layout, "x", &[("file", b"content")]);
    let registry = Registry::start();
    let (signed, attested) = (pushed(&machine, &layout, &registry, "signed:1"), pushed(&machine, &layout, &registry, "attested:1"));
    said(&machine, &["sign", &signed, "--key", key.to_str().unwrap()], 0);
    let sbom = folder.path().join("sbom.json");
    fs::write(&sbom, r#"{ "spdxVersion": "SPDX-2.3" }"#).unwrap();
    said(&machine, &["sbom", "attach", &attested, sbom.to_str().unwrap(), "--type", "spdx", "--sign", key.to_str().unwrap()], 0);

    let ours = |name: &str, kind: &str| {
        let fresh = tempfile::tempdir().unwrap();
        let arguments = ["verify", name, "--key", public.to_str().unwrap(), "--type", kind, "--layers"];
        run(&mut Machine::empty(fresh.path()).command(&arguments)).status.success()
    };
    let of_cosign = |name: &str, kind: &str| match kind {
        "signature" => cosign_verifies("verify", &public, name, &[]).status.success(),
        _ => cosign_verifies("verify-attestation", &public, name, &["--type", "spdxjson"]).status.success(),
    };
    for (name, kind) in [(&signed, "signature"), (&attested, "spdx")] {
        assert!(ours(name, kind) && of_cosign(name, kind), "{name}");
        for (stated, digest) in referrers(name) {
            let manifest = document(&registry, &digest);
            let content = manifest["layers"][0]["digest"].as_str().unwrap();
            let text = fs::read(blob(&registry, content)).unwrap();
            let is_bundle = !stated.is_empty();
            let mut places = vec![(blob(&registry, &digest), 40), (blob(&registry, content), text.len() / 2)];
            if is_bundle {
                places.extend(["payload", "sig"].map(|member| (blob(&registry, content), inside(&text, member))));
            }
            for (path, at) in places {
                let (our, their) = with_flipped(&path, at, || (ours(name, kind), is_bundle && of_cosign(name, kind)));
                assert!(!our && !their, "{name}: {} at {at}: {our} {their}", path.display());
            }
        }
        for (digest, is_read_by_cosign) in [(&image.digest, true), (&image.config, false), (&image.blobs[0], false)] {
            let (our, their) =
                with_flipped(&blob(&registry, digest), 30, || (ours(name, kind), is_read_by_cosign && of_cosign(name, kind)));
            assert!(!our && !their, "{name}: {digest}: {our} {their}");
        }
        assert!(ours(name, kind) && of_cosign(name, kind), "{name}");
    }
}

/// Whoever may write to the registry can make all digests fit, but no signature.
#[test]
fn a_forged_bundle_with_fitting_digests_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let (key, public) = key_pair(&machine, folder.path(), "one");
    let layout = folder.path().join("layout");
    Small::write(&layout, "x", &[("file", b"content")]);
    let registry = Registry::start();
    let name = pushed(&machine, &layout, &registry, "signed:1");
    said(&machine, &["sign", &name, "--key", key.to_str().unwrap()], 0);
    let digest = referrers(&name)[0].1.clone();
    let bundle = fs::read(blob(&registry, document(&registry, &digest)["layers"][0]["digest"].as_str().unwrap())).unwrap();
    for (index, member) in ["payload", "payloadType", "sig"].into_iter().enumerate() {
        let forged = pushed(&machine, &layout, &registry, &format!("forged-{index}:1"));
        let mut text = bundle.clone();
        text[inside(&bundle, member)] ^= 1;
        fs::write(folder.path().join("bundle.json"), &text).unwrap();
        let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
        let mut attach = Command::new("oras");
        attach.args(["attach", "--plain-http", "--artifact-type", kind, &forged, &format!("bundle.json:{kind}")]);
        succeed(attach.current_dir(folder.path()));
        assert_eq!(discovered(&forged).len(), 1);
        assert!(!cosign_verifies("verify", &public, &forged, &[]).status.success(), "{member}");
        said(&machine, &["verify", &forged, "--key", public.to_str().unwrap(), "--type", "signature"], 10);
    }
    // A signature of another image does not count for this one.
    let other = folder.path().join("other");
    Small::write(&other, "x", &[("file", b"other")]);
    let moved = pushed(&machine, &other, &registry, "moved:1");
    fs::write(folder.path().join("bundle.json"), &bundle).unwrap();
    let kind = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let mut attach = Command::new("oras");
    attach.args(["attach", "--plain-http", "--artifact-type", kind, &moved, &format!("bundle.json:{kind}")]);
    succeed(attach.current_dir(folder.path()));
    assert!(!cosign_verifies("verify", &public, &moved, &[]).status.success());
    assert!(said(&machine, &["verify", &moved, "--key", public.to_str().unwrap(), "--type", "signature"], 10).contains("another image"));
}
