//! What `cooper build --publish` and `cooper rebase --publish` leave beside the image.

use super::{PASSWORD, cosign_verifies, discovered, key_pair, said};
use crate::support::{Machine, Odd, Registry, copied, succeed};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

const PROVENANCE: &str = "https://slsa.dev/provenance/v1";

/// The statements of a type that cosign verifies of an image.
pub(super) fn statements(public: &Path, image: &str, kind: &str) -> Vec<Value> {
    let verified = cosign_verifies("verify-attestation", public, image, &["--type", kind]);
    assert!(verified.status.success(), "{kind}: {}", String::from_utf8_lossy(&verified.stderr));
    let decode = |line: &str| {
        let envelope: Value = serde_json::from_str(line).unwrap();
        let mut decoder = Command::new("base64");
        let child = decoder.arg("-d").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let text = envelope["payload"].as_str().unwrap().to_string();
        let output = std::thread::scope(|scope| {
            let mut child = child;
            let mut input = child.stdin.take().unwrap();
            scope.spawn(move || std::io::Write::write_all(&mut input, text.as_bytes()).unwrap());
            child.wait_with_output().unwrap()
        });
        serde_json::from_slice(&output.stdout).unwrap()
    };
    String::from_utf8_lossy(&verified.stdout).lines().filter(|line| line.starts_with('{')).map(decode).collect()
}

fn types(found: &[(String, String)]) -> Vec<&str> {
    found.iter().map(|(kind, stated)| if stated.is_empty() { kind.as_str() } else { stated.as_str() }).collect()
}

#[test]
fn a_published_image_has_its_provenance_and_no_secret_in_it() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let (key, public) = key_pair(&machine, folder.path(), "one");
    let (registry, app) = (Registry::start(), copied("procfile"));
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(app.path()).args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]);
        succeed(command.args(arguments)).trim().to_string()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "one"]);
    git(&["remote", "add", "origin", "https://me:hidden@acme.test/app.git"]);
    let name = registry.name("team/app:1");
    let build = |more: &[&str]| {
        let path = app.path().to_str().unwrap();
        let fixed = ["build", &name, "--path", path, "--quiet", "--publish", "--env", "BP_COLOUR=blue", "--env", "API_TOKEN=hunter2"];
        let mut command = machine.command(&[&fixed, more].concat());
        succeed(command.env("COOPER_KEY_PASSWORD", PASSWORD)).trim().to_string()
    };
    let digest = build(&["--sign", key.to_str().unwrap()]);
    let found = statements(&public, &name, "slsaprovenance1");
    let (statement, text) = (&found[0], found[0].to_string());
    assert_eq!((found.len(), &statement["subject"][0]["digest"]["sha256"]), (1, &json!(digest["sha256:".len()..])));
    assert!(!text.contains("hunter2") && !text.contains("hidden") && !text.contains(app.path().to_str().unwrap()), "{text}");
    let asked = &statement["predicate"]["buildDefinition"]["externalParameters"];
    assert_eq!(asked["environment"], json!([{ "name": "BP_COLOUR", "value": "blue" }, { "name": "API_TOKEN" }]));
    let source = &asked["source"];
    let commit = git(&["rev-parse", "HEAD"]);
    assert_eq!(
        (&source["commit"], &source["dirty"], &source["uri"]),
        (&json!(commit), &json!(false), &json!("git+https://acme.test/app.git"))
    );
    let names: Vec<&str> = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|used| used["name"].as_str().unwrap())
        .collect();
    for name in ["repository", "source", "build image", "run image", "build lock", "run lock"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(names.iter().any(|name| name.starts_with("buildpack cooper/procfile@")), "{names:?}");

    for (kind, packages) in [("spdxjson", "packages"), ("cyclonedx", "components")] {
        let found = statements(&public, &name, kind);
        let names: Vec<&str> =
            found[0]["predicate"][packages].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
        assert!(found.len() == 1 && names.contains(&"libc6"), "{kind}: {names:?}");
    }
    // An equal build has nothing new to say; a changed one says so.
    let (before, listed) = (registry.requests().len(), discovered(&name));
    assert_eq!(build(&["--sign", key.to_str().unwrap()]), digest);
    assert!(!registry.requests()[before..].iter().any(|request| request.starts_with("PUT ")), "{:#?}", &registry.requests()[before..]);
    assert_eq!(discovered(&name), listed);
    std::fs::write(app.path().join("new"), "x").unwrap();
    build(&["--sign", key.to_str().unwrap()]);
    assert_eq!(
        statements(&public, &name, "slsaprovenance1")[0]["predicate"]["buildDefinition"]["externalParameters"]["source"]["dirty"],
        true
    );
    let verified = said(&machine, &["verify", &name, "--key", public.to_str().unwrap()], 0);
    assert!(verified.contains(&commit) && verified.contains("changed") && verified.contains("cooper/procfile@"), "{verified}");
}

#[test]
fn documents_are_attached_unless_nobody_wants_them() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let (key, public) = key_pair(&machine, folder.path(), "one");
    let (registry, app) = (Registry::start(), copied("procfile"));
    let built = |name: &str, more: &[&str]| {
        let name = registry.name(name);
        let arguments = ["build", &name, "--path", app.path().to_str().unwrap(), "--publish", "--quiet"];
        said(&machine, &[&arguments, more].concat(), 0);
        discovered(&name)
    };
    let plain = built("plain:1", &[]);
    assert_eq!(types(&plain), ["application/spdx+json", "application/vnd.cyclonedx+json", PROVENANCE]);
    assert_eq!(built("nothing:1", &["--no-attest"]), []);
    let alone = built("alone:1", &["--no-attest", "--sign", key.to_str().unwrap()]);
    assert_eq!(types(&alone), ["https://sigstore.dev/cosign/sign/v1"]);
    assert!(cosign_verifies("verify", &public, &registry.name("alone:1"), &[]).status.success());
    // For older versions of cosign, under tags.
    built("old:1", &["--sign", key.to_str().unwrap(), "--cosign-v2"]);
    for (command, more) in [("verify", vec![]), ("verify-attestation", vec!["--type", "slsaprovenance1"])] {
        let more = [more.as_slice(), &["--new-bundle-format=false"]].concat();
        let verified = cosign_verifies(command, &public, &registry.name("old:1"), &more);
        assert!(verified.status.success(), "{command}: {}", String::from_utf8_lossy(&verified.stderr));
    }
    let refused = said(&machine, &["build", "local", "--path", app.path().to_str().unwrap(), "--sign", key.to_str().unwrap()], 1);
    assert!(refused.contains("add `--publish`"), "{refused}");
}

/// When a name means the image, all is there that is said about it.
#[test]
fn an_image_that_nothing_can_be_attached_to_is_not_published() {
    let (machine, registry, app) = (Machine::shared(), Registry::start(), copied("procfile"));
    let server = registry.host();
    let odd = Odd::start(move |asked, _| match asked.line.starts_with("PUT ") && asked.line.contains("/manifests/sha256:") {
        true => Some((403, Vec::new(), Vec::new())),
        false => asked.passed_on(&server),
    });
    let name = format!("{}/team/app:1", odd.address);
    let build = ["build", &name, "--path", app.path().to_str().unwrap(), "--publish", "--quiet"];
    let refused = said(&machine, &build, 62);
    assert!(refused.contains("it is not published") && refused.contains("`--no-attest`"), "{refused}");
    let tag = registry.data().join("repositories/team/app/_manifests/tags/1");
    assert!(!tag.exists());
    said(&machine, &[&build[..], &["--no-attest"]].concat(), 0);
    assert!(tag.exists());
}
