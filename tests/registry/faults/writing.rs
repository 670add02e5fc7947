//! What is written to such registries: `cooper push`, `cooper copy`, `cooper build --publish`.

use super::*;
use crate::support::builder::Builder;
use crate::support::{PASSWORD, USER, repository};
use Ends::{Saying, Well};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const START: Which = ("POST ", "/blobs/uploads/");
const SENT: Which = ("PUT ", "/blobs/uploads/");
const MANIFEST: Which = ("PUT ", "/manifests/");
const ASKED: Which = ("HEAD ", "/blobs/");
const ANY: Which = ("", "/v2/");
const PLACE: &str = "location";

fn faults() -> Vec<Fault> {
    let again = [("retry-after", "0")];
    let nowhere = |stage: &Stage| {
        stage.passed_on().map(|(status, mut headers, body)| {
            headers.retain(|(name, _)| *name != PLACE);
            (status, headers, body)
        })
    };
    let unreachable = |_: &Stage| empty(202, &[(PLACE, "http://127.0.0.1:1/upload")]);
    let other = |stage: &Stage| {
        stage.passed_on().map(|(status, mut headers, body)| {
            headers.retain(|(name, _)| *name != "docker-content-digest");
            headers.push(("docker-content-digest", format!("sha256:{}", "0".repeat(64))));
            (status, headers, body)
        })
    };
    let denied = |_: &Stage| plain(403, r#"{"errors":[{"code":"DENIED","message":"read only"}]}"#);
    let mut faults = vec![
        Fault::new("nothing", Well, first(0, ANY, |_| None)),
        Fault::new("500 at the start", Well, first(2, START, |_| empty(500, &[]))),
        Fault::new("500 for a blob", Well, first(2, SENT, |_| empty(500, &[]))),
        Fault::new("500 for the manifest", Well, first(2, MANIFEST, |_| empty(500, &[]))),
        Fault::new("always 500 for the manifest", Saying("500 Internal Server Error"), always(MANIFEST, |_| empty(500, &[]))),
        Fault::new("429 twice", Well, first(2, ANY, move |_| empty(429, &again))),
        Fault::new("429 for good", Saying("429 Too Many Requests"), always(START, |_| empty(429, &[]))),
        Fault::new("no answer", Well, first(2, ANY, |_| None)),
        Fault::new("no answer to what was done", Well, first(1, MANIFEST, |stage| stage.passed_on().and(None))),
        Fault::new("no answer to a blob that arrived", Well, first(1, SENT, |stage| stage.passed_on().and(None))),
        Fault::new("403 at the start", Saying("DENIED: read only"), always(START, denied)),
        Fault::new("403 for the manifest", Saying("DENIED: read only"), always(MANIFEST, denied)),
        Fault::new("404 at the start", Saying("404 Not Found"), always(START, |_| empty(404, &[]))),
        Fault::new("405 for the manifest", Saying("405 Method Not Allowed"), always(MANIFEST, |_| empty(405, &[]))),
        Fault::new("an upload that is forgotten", Well, first(1, SENT, |_| empty(404, &[]))),
        Fault::new("no place", Saying("does not say where the blob goes"), always(START, nowhere)),
        Fault::new("a place that is not there", Saying("tried 6 times"), always(START, unreachable)),
        Fault::new("another digest", Saying("the registry keeps the manifest"), always(MANIFEST, other)),
        Fault::new("blobs that are not there", Saying("400 Bad Request"), always(ASKED, |_| empty(200, &[]))),
        Fault::new("401 for ever", Saying("401 Unauthorized"), always(ANY, |_| empty(401, &[("www-authenticate", "Basic realm=x")]))),
    ];
    faults.extend(Fault::of_connections());
    faults
}

/// What the tag `1` of a repository means.
fn meant(registry: &Registry, repository: &str) -> Option<String> {
    let link = registry.data().join("repositories").join(repository).join("_manifests/tags/1/current/link");
    std::fs::read_to_string(link).ok()
}

/// After an error the tag means nothing, unless the registry has all and only what it says is wrong.
fn check_tag(registry: &Registry, repository: &str, digest: &str, fault: &str, wanted: Ends) {
    let meant = meant(registry, repository);
    let is_whole = matches!(wanted, Well) || fault == "another digest";
    assert_eq!(meant.as_deref(), is_whole.then_some(digest), "{fault}");
}

/// IMG-16.
/// DIST-06, DIST-07, DIST-08, DIST-09, DIST-11, DIST-16, DIST-17.
#[test]
fn a_name_means_the_whole_image_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, source) = (Registry::start(), folder.path().join("source"));
    let place = format!("oci:{}:x", source.display());
    let image = layout(&source);
    for command in ["push", "copy"] {
        each(faults(), |index, fault| {
            let (fault_name, wanted) = (fault.name.clone(), fault.ends);
            let (machine, proxy) = (Machine::empty(&folder.path().join(format!("{command}-{index}"))), fault.start(&registry));
            let repository = format!("{command}/app-{index}");
            let name = format!("{}/{repository}:1", proxy.host());
            if command == "push" {
                succeed(&mut machine.command(&["copy", &place, "app"]));
            }
            ends(&machine, &[command, if command == "push" { "app" } else { &place }, &name], &fault_name, wanted);
            check_tag(&registry, &repository, &image.digest, &fault_name, wanted);
        });
    }
}

/// IMG-16.
#[test]
fn a_build_that_cannot_publish_says_so_and_is_in_the_store() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let (registry, builder) = (Registry::start(), Builder::new(&machine, folder.path()));
    let app = repository("fixtures/builder/app");
    let wanted = ["nothing", "500 for the manifest", "403 for the manifest", "another digest", "Sent(600)", "Answered(600)"];
    for (index, fault) in faults().into_iter().filter(|fault| wanted.contains(&fault.name.as_str())).enumerate() {
        let (fault_name, wanted) = (fault.name.clone(), fault.ends);
        let proxy = fault.start(&registry);
        let repository = format!("built/app-{index}");
        let name = format!("{}/{repository}:1", proxy.host());
        let arguments =
            ["build", &name, "--path", app.to_str().unwrap(), "--builder", &builder.name(), "--publish", "--no-attest", "--quiet"];
        let output = run(&mut machine.command(&arguments));
        let said = String::from_utf8_lossy(&output.stderr);
        match wanted {
            Well => assert!(output.status.success(), "{fault_name}: {said}"),
            Saying(what) => assert!(!output.status.success() && said.contains(what), "{fault_name}: {said}"),
        }
        let inspected = succeed(&mut machine.command(&["inspect", &name, "--output", "json"]));
        let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
        check_tag(&registry, &repository, inspected["digest"].as_str().unwrap(), &fault_name, wanted);
    }
}

/// Blobs may be elsewhere, and are written elsewhere; nobody there sees the credential, nor does a proxy of tokens' address in an error.
/// DIST-05, DIST-07.
#[test]
fn credentials_stay_with_their_registry() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start_with_password();
    let server = registry.host();
    let behind = server.clone();
    let secret = || format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    // The other host lets nobody in who shows a credential, and knows the password itself.
    let elsewhere = Odd::start(move |asked, _| {
        if asked.header("authorization").is_some() {
            return plain(400, "");
        }
        let mut known = asked.clone();
        known.headers.insert("authorization".into(), secret());
        known.passed_on(&behind)
    });
    let other = elsewhere.address.clone();
    let proxy = Odd::start(move |asked, host| {
        let answer = asked.passed_on(&server)?;
        let (blob, upload) = (asked.line.starts_with("GET ") && asked.line.contains("/blobs/"), asked.line.starts_with("POST "));
        match answer.0 {
            200 if blob => empty(307, &[(PLACE, &format!("http://{other}{}", &asked.line[4..]))]),
            202 if upload => {
                let (status, headers, body) = answer;
                let moved = |(name, value): (&'static str, String)| (name, value.replace(host, &other));
                Some((status, headers.into_iter().map(moved).collect(), body))
            }
            _ => Some(answer),
        }
    });
    let (source, target) = (folder.path().join("source"), folder.path().join("target"));
    let image = layout(&source);
    let machine = Machine::empty(folder.path());
    let value = serde_json::json!({ proxy.address.clone(): secret() }).to_string();
    let name = format!("{}/team/app:1", proxy.address);
    for (from, to) in [(format!("oci:{}:x", source.display()), &name), (name.clone(), &format!("oci:{}:x", target.display()))] {
        succeed(machine.command(&["copy", &from, to]).env("CNB_REGISTRY_AUTH", &value));
        std::fs::remove_dir_all(&machine.store).unwrap();
    }
    assert!(std::fs::read_to_string(target.join("index.json")).unwrap().contains(&image.digest));
    let seen = elsewhere.asked();
    assert!(seen.iter().any(|asked| asked.line.starts_with("PUT ")) && seen.iter().any(|asked| asked.line.starts_with("GET ")), "{seen:?}");
    assert!(seen.iter().all(|asked| asked.header("authorization").is_none()), "{seen:?}");
}
