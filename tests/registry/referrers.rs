//! What refers to images: registries that list it, registries where clients do, and layouts.

use super::bench::manifest;
use crate::support::{Answer, Asked, Machine, Odd, Registry, Small, digest, plain, refer, refer_with_index, run, succeed};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

const SBOM: &str = "application/vnd.acme.sbom+json";
const SIGNATURE: &str = "application/vnd.acme.signature";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A registry before another one that lists referrers itself, one on a page, and by kind where that is asked for.
fn listing(registry: &Registry) -> Odd {
    let server = registry.host();
    let known: Mutex<BTreeMap<String, Vec<Value>>> = Mutex::default();
    Odd::start(move |asked, _| {
        if let Some((_, wanted)) = asked.line.strip_prefix("GET ").and_then(|path| path.split_once("/referrers/")) {
            return Some(page(asked, wanted, &known.lock().unwrap()));
        }
        let (status, mut headers, body) = asked.passed_on(&server)?;
        let document: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        if let Some(subject) = document["subject"]["digest"].as_str().filter(|_| asked.line.starts_with("PUT ") && status == 201) {
            let entry = json!({ "mediaType": document["mediaType"], "size": asked.body.len(), "digest": digest(&asked.body),
                "artifactType": document["artifactType"], "annotations": document["annotations"] });
            known.lock().unwrap().entry(subject.into()).or_default().push(entry);
            headers.push(("oci-subject", subject.into()));
        }
        Some((status, headers, body))
    })
}

fn page(asked: &Asked, wanted: &str, known: &BTreeMap<String, Vec<Value>>) -> Answer {
    let (subject, query) = wanted.split_once('?').unwrap_or((wanted, ""));
    let kind =
        query.split('&').find_map(|part| part.strip_prefix("artifactType=")).map(|kind| kind.replace("%2F", "/").replace("%2B", "+"));
    let number: usize = query.split('&').find_map(|part| part.strip_prefix("page=")).map_or(0, |number| number.parse().unwrap());
    let all: Vec<&Value> =
        known.get(subject).into_iter().flatten().filter(|entry| kind.as_ref().is_none_or(|kind| entry["artifactType"] == **kind)).collect();
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": all.get(number).into_iter().collect::<Vec<_>>() });
    let mut headers = vec![("content-type", INDEX.to_string())];
    if number + 1 < all.len() {
        let (path, _) = asked.line[4..].split_once('?').unwrap_or((&asked.line[4..], ""));
        let kind = query.split('&').find(|part| part.starts_with("artifactType=")).unwrap_or_default();
        headers.push(("link", format!("<{path}?page={}&{kind}>; rel=\"next\"", number + 1)));
    }
    (200, headers, index.to_string().into())
}

/// A layout with an image under the tag `x`; the digests of the image, an SBOM document, two signatures of the image, and one of the document.
fn layout(folder: &Path) -> [String; 5] {
    let image = Small::write(folder, "x", &[("file", b"content")]).digest;
    let sbom = refer(folder, &image, SBOM);
    let signatures = [SIGNATURE, "application/vnd.acme.other"].map(|kind| refer(folder, &image, kind));
    let of_sbom = refer(folder, &sbom, SIGNATURE);
    let [one, other] = signatures;
    [image, sbom, one, other, of_sbom]
}

/// What a command said that must succeed.
fn said(machine: &Machine, arguments: &[&str]) -> String {
    let output = run(&mut machine.command(arguments));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

/// DIST-14, DIST-20, DIST-21.
#[test]
fn what_refers_to_an_image_travels_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let [image, sbom, one, other, of_sbom] = layout(&source);
    let registries = [Registry::start(), Registry::start_version_3(), Registry::start_of_crane()];
    let listing = listing(&registries[0]);
    let mut from = format!("oci:{}:x", source.display());
    let hosts = [listing.address.clone(), registries[0].host(), registries[1].host(), registries[2].host()];
    for (index, host) in hosts.iter().enumerate() {
        let machine = Machine::empty(&folder.path().join(index.to_string()));
        let name = format!("{host}/team/app-{index}:1");
        let copied = said(&machine, &["copy", "--referrers", &from, &name]);
        assert!(copied.contains("wrote 4 manifests that refer to it") && copied.contains(&image), "{copied}");
        let described: Value = serde_json::from_str(&succeed(&mut machine.command(&["inspect", &name, "--output", "json"]))).unwrap();
        let mut listed: Vec<&str> =
            described["referrers"].as_array().unwrap().iter().map(|entry| entry["digest"].as_str().unwrap()).collect();
        let mut expected = [sbom.as_str(), &one, &other];
        listed.sort_unstable();
        expected.sort_unstable();
        assert_eq!(listed, expected, "{host}");
        // Once more is nothing new.
        said(&machine, &["copy", "--referrers", &from, &name]);
        from = name;
    }
    // Where the registry lists what refers to an image, no tag does; elsewhere the tag has what the specification says.
    let tag = image.replace(':', "-");
    let tags = |repository: &str| registries[0].data().join("repositories").join(repository).join("_manifests/tags").join(&tag);
    assert!(!tags("team/app-0").exists() && tags("team/app-1").exists());
    let (list, _) = manifest(&registries[0], &format!("team/app-1:{tag}"));
    assert_eq!(list["manifests"].as_array().unwrap().len(), 3, "{list}");
    let entry = list["manifests"].as_array().unwrap().iter().find(|entry| entry["digest"] == *sbom).unwrap();
    assert_eq!((&entry["artifactType"], &entry["annotations"]), (&json!(SBOM), &json!({ "of": "a test" })));

    // Into a layout, and only what is of one kind, with what refers to that.
    let machine = Machine::empty(&folder.path().join("back"));
    for (kind, digests) in [(None, vec![&sbom, &one, &other, &of_sbom]), (Some(SBOM), vec![&sbom, &of_sbom])] {
        let target = folder.path().join(if kind.is_some() { "some" } else { "all" });
        let flag = kind.map_or("--referrers".to_string(), |kind| format!("--referrers={kind}"));
        for from in [&from, &format!("{}/team/app-0:1", listing.address)] {
            let copied = said(&machine, &["copy", &flag, from, &format!("oci:{}:x", target.display())]);
            assert!(copied.contains(&format!("wrote {} manifests", digests.len())), "{copied}");
        }
        let index: Value = serde_json::from_str(&std::fs::read_to_string(target.join("index.json")).unwrap()).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), digests.len() + 1, "{index}");
        assert!(digests.iter().all(|digest| target.join("blobs/sha256").join(&digest["sha256:".len()..]).exists()));
        // The image is still the only one in it.
        let described = said(&machine, &["inspect", &format!("oci:{}", target.display())]);
        assert!(described.contains(&image) && described.contains(&sbom) && described.contains(SBOM), "{described}");
        assert_eq!(described.contains(&one), kind.is_none(), "{described}");
    }
    assert!(listing.lines().iter().any(|line| line.ends_with("?artifactType=application%2Fvnd.acme.sbom%2Bjson")));
}

/// DIST-14, DIST-20.
#[test]
fn an_index_that_refers_to_an_image_travels_with_what_it_lists() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let image = Small::write(&source, "x", &[("file", b"content")]).digest;
    let listed = Small::write(&source, "listed", &[("file", b"of the index")]);
    let index = refer_with_index(&source, &image, SBOM, &listed.digest);
    let of_index = refer(&source, &index, SIGNATURE);
    let registries = [Registry::start(), Registry::start_version_3(), Registry::start_of_crane()];
    let mut from = format!("oci:{}:x", source.display());
    let target = format!("oci:{}:x", folder.path().join("target").display());
    let names: Vec<String> = registries.iter().map(|registry| registry.name("team/app:1")).collect();
    for (number, name) in names.iter().chain([&target]).enumerate() {
        // What is on the way is in nobody else's store.
        let machine = Machine::empty(&folder.path().join(number.to_string()));
        let copied = said(&machine, &["copy", "--referrers", &from, name]);
        assert!(copied.contains("wrote 2 manifests that refer to it") && !copied.contains("stays behind"), "{copied}");
        let described: Value = serde_json::from_str(&succeed(&mut machine.command(&["inspect", name, "--output", "json"]))).unwrap();
        let [entry] = described["referrers"].as_array().unwrap().as_slice() else { panic!("{described:#}") };
        assert_eq!((&entry["digest"], &entry["artifactType"]), (&json!(index), &json!(SBOM)), "{name}");
        from.clone_from(name);
    }
    let blobs = folder.path().join("target/blobs/sha256");
    for digest in [&index, &of_index, &listed.digest, &listed.config] {
        assert!(blobs.join(&digest["sha256:".len()..]).exists(), "{digest}");
    }
    let written: Value = serde_json::from_str(&std::fs::read_to_string(folder.path().join("target/index.json")).unwrap()).unwrap();
    let entry = written["manifests"].as_array().unwrap().iter().find(|entry| entry["digest"] == *index).unwrap();
    assert_eq!((&entry["mediaType"], &entry["artifactType"]), (&json!(INDEX), &json!(SBOM)));
    assert!(!written.to_string().contains(&listed.digest), "{written}");
}

/// DIST-15, DIST-19, DIST-21.
#[test]
fn images_are_removed_from_registries() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let [image, sbom, ..] = layout(&source);
    let (machine, place) = (Machine::empty(folder.path()), format!("oci:{}:x", source.display()));
    let (registry, of_crane, closed) = (Registry::start(), Registry::start_of_crane(), Registry::start_version_3());
    for registry in [&registry, &of_crane] {
        let name = registry.name("team/app:1");
        said(&machine, &["copy", "--referrers", &place, &name]);
        let sbom_name = format!("docker://{}@{sbom}", registry.name("team/app"));
        assert!(said(&machine, &["rmi", &sbom_name]).contains(&sbom));
        let described = said(&machine, &["inspect", &format!("docker://{name}")]);
        assert!(!described.contains(&sbom) && described.contains(SIGNATURE), "{described}");
        assert!(said(&machine, &["rmi", &format!("docker://{name}")]).contains(&image));
        let gone = run(&mut machine.command(&["rmi", &format!("docker://{name}")]));
        let gone = (gone.status.code(), String::from_utf8_lossy(&gone.stderr).into_owned());
        assert!(gone.0 == Some(1) && gone.1.contains("the registry does not have"), "{gone:?}");
    }
    let name = closed.name("team/app:1");
    said(&machine, &["copy", &place, &name]);
    let refused = run(&mut machine.command(&["rmi", &format!("docker://{name}")]));
    let refused = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.contains("405") && refused.contains("hint: whoever runs the registry must allow it"), "{refused}");
}

/// DIST-14.
#[test]
fn lists_of_referrers_that_make_no_sense_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    let [image, ..] = layout(&source);
    // Each refers to the one before: there is no end of it.
    (0..6).fold(image, |subject, _| refer(&source, &subject, SIGNATURE));
    let registry = Registry::start();
    let (machine, place) = (Machine::empty(folder.path()), format!("oci:{}:x", source.display()));
    let fails = |arguments: &[&str], why: &str| {
        let output = run(&mut machine.command(arguments));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(why), "{arguments:?}: {said}");
    };
    let name = registry.name("team/app:1");
    fails(&["copy", "--referrers", &place, &name], "or too indirectly");
    fails(&["inspect", &name], "the registry does not have");
    fails(&["copy", "--referrers", &place, "app"], "`app` keeps nothing that refers to images");
    said(&machine, &["copy", &place, "app"]);
    fails(&["copy", "--referrers", "app", &name], "`app` keeps nothing that refers to images");
    said(&machine, &["copy", &place, &name]);
    for (answer, why) in [
        (plain(200, "{}"), "the list makes no sense"),
        (plain(403, ""), "403 Forbidden"),
        (Some((200, vec![("content-length", "99999999999".into())], vec![b' '; 6 << 20])), "more than 4194304 bytes"),
    ] {
        let server = registry.host();
        let odd = Odd::start(move |asked, _| if asked.line.contains("/referrers/") { answer.clone() } else { asked.passed_on(&server) });
        fails(&["inspect", &format!("docker://{}/team/app:1", odd.address)], why);
    }
}
