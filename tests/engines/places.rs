//! One image from place to place: its digest stays, and other tools read it everywhere.

use super::{KINDS, Place};
use crate::support::{Engine, Kind, Registry, Small, run, succeed};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;

fn skopeo(arguments: &[&str]) -> String {
    succeed(Command::new("skopeo").args(arguments)).trim().to_string()
}

/// The digest that skopeo finds.
fn digest(image: &str) -> String {
    let tls: &[&str] = if image.starts_with("docker://") { &["--tls-verify=false"] } else { &[] };
    skopeo(&[&["inspect", "--format", "{{.Digest}}"], tls, &[image]].concat())
}

#[test]
fn an_image_has_one_digest_wherever_it_is() {
    let (place, registry, engine) = (Place::new(), Registry::start(), Engine::of(Kind::Containerd));
    let (image, source) = place.small("v1", &[("base", &[1; 50_000]), ("app", b"one")]);
    let name = registry.name("copied:1");
    let (layout, archive) = (format!("oci:{}:x", place.path("other")), format!("docker-archive:{}", place.path("a.tar")));
    let written: [(&str, &str); 9] = [
        (&source, "in-store"),
        ("in-store", &name),
        (&name, &layout),
        (&layout, "store://from-layout:1"),
        ("from-layout:1", &archive),
        (&archive, "from-archive"),
        ("from-archive", "docker:round:1"),
        ("docker:round:1", "from-engine:1"),
        ("from-engine:1", &format!("docker://{}", registry.name("back:2"))),
    ];
    for (from, to) in written {
        let output = succeed(&mut place.command(engine, &["copy", from, to, "--output", "json"]));
        let said: serde_json::Value = serde_json::from_str(&output).unwrap();
        assert_eq!(said["digest"], image.digest.as_str(), "{from} to {to}");
    }
    for found in [format!("docker://{name}"), format!("docker://{}", registry.name("back:2")), layout] {
        assert_eq!(digest(&found), image.digest, "{found}");
    }
    // Its documents are the very bytes, though this program would write others.
    let stored = |digest: &str| fs::read(place.machine.store.join("blobs/sha256").join(&digest["sha256:".len()..])).unwrap();
    assert!(String::from_utf8(stored(&image.digest)).unwrap().contains("of the test"));
    assert!(String::from_utf8(stored(&image.config)).unwrap().contains("zzz"));
    assert_eq!(succeed(&mut place.machine.command(&["store", "verify"])), "the store is valid\n");
    assert_eq!(succeed(&mut place.command(engine, &["copy", "in-store", &name, "--quiet"])), format!("{}\n", image.digest));
}

/// Nothing is fetched that the other side has, and what one repository has is mounted into another.
#[test]
fn only_what_is_missing_moves() {
    let (place, registry, engine) = (Place::new(), Registry::start(), Engine::shared());
    let (image, source) = place.small("v1", &[("base", &[1; 50_000]), ("app", b"moves")]);
    place.said(engine, &["copy", &source, &registry.name("one:1")]);
    let blobs = |method: &str| {
        registry.requests().into_iter().filter(|request| request.starts_with(method) && is_layer(request, &image.blobs)).count()
    };
    fn is_layer(request: &str, blobs: &[String]) -> bool {
        blobs.iter().any(|blob| request.contains(blob.as_str()))
    }
    // From repository to repository in a store that has nothing.
    let other = Place::new();
    other.said(engine, &["copy", &registry.name("one:1"), &registry.name("two:1")]);
    assert_eq!(blobs("GET"), 0, "{:?}", registry.requests());
    assert_eq!(digest(&format!("docker://{}", registry.name("two:1"))), image.digest);
    // Into a layout that has one layer of two.
    let partly = other.path("partly");
    fs::create_dir_all(format!("{partly}/blobs/sha256")).unwrap();
    let blob = |folder: &str| format!("{folder}/blobs/sha256/{}", &image.blobs[0]["sha256:".len()..]);
    fs::copy(blob(&place.path("layout")), blob(&partly)).unwrap();
    other.said(engine, &["copy", &registry.name("one:1"), &format!("oci:{partly}:1")]);
    assert_eq!(blobs("GET"), 1, "{:?}", registry.requests());
    assert_eq!(digest(&format!("oci:{partly}:1")), image.digest);
    // Into an engine that has all but the highest.
    place.said(engine, &["copy", &source, "docker:missing:1"]);
    let (_, second) = place.small("v2", &[("base", &[1; 50_000]), ("app", b"moves again")]);
    place.said(engine, &["copy", &second, &registry.name("one:2")]);
    let before = registry.requests().len();
    let third = Place::new();
    let said = third.said(engine, &["copy", "--verbose", &registry.name("one:2"), "docker:missing:1"]);
    assert!(said.contains("the engine gets 1 of 2 layers"), "{said}");
    assert!(registry.requests()[before..].iter().all(|request| !request.contains(&image.blobs[0])), "{:?}", registry.requests());
    // Twice into the store.
    third.said(engine, &["pull", &registry.name("one:2")]);
    let before = registry.requests().len();
    third.said(engine, &["pull", &registry.name("one:2")]);
    let again = registry.requests()[before..].to_vec();
    assert!(again.iter().all(|request| !is_layer(request, &image.blobs)), "{again:?}");
}

/// Docker's archives of every engine and of skopeo, compressed or not, with one image and with several.
#[test]
fn archives_of_other_tools_are_read() {
    let place = Place::new();
    let (image, source) = place.small("v1", &[("base", &[1; 50_000]), ("app", b"one")]);
    let (other, other_source) = place.small("v2", &[("base", &[1; 50_000]), ("app", b"two")]);
    for kind in KINDS {
        let engine = Engine::of(kind);
        place.said(engine, &["copy", &source, "docker:saved:1"]);
        place.said(engine, &["copy", &other_source, "docker:saved:2"]);
        let (one, both) = (place.path("one.tar"), place.path("both.tar"));
        succeed(&mut engine.docker(&["save", "--output", &one, "saved:1"]));
        if kind == Kind::Podman {
            // Its service writes one image at a time in this form.
            fs::copy(&one, &both).unwrap();
        } else {
            succeed(&mut engine.docker(&["save", "--output", &both, "saved:1", "saved:2"]));
        }
        let fresh = Place::new();
        fresh.said(engine, &["pull", &format!("docker-archive:{one}"), "--tag", "one"]);
        fresh.said(engine, &["copy", "one", "docker:saved-back:1"]);
        assert_eq!(engine.inspect("saved-back:1", "{{json .RootFS.Layers}}"), serde_json::to_string(&image.diff_ids).unwrap(), "{kind:?}");
        if kind != Kind::Podman {
            let output = run(&mut fresh.command(engine, &["pull", &format!("docker-archive:{both}"), "--tag", "both"]));
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success() && said.contains("several images") && said.contains("saved:2"), "{kind:?}: {said}");
            fresh.said(engine, &["pull", &format!("docker-archive:{both}:saved:2")]);
            let config = succeed(&mut fresh.machine.command(&["inspect", "saved:2", "--output", "json"]));
            assert!(config.contains(&other.diff_ids[1]), "{kind:?}: {config}");
        }
        succeed(Command::new("gzip").arg("-f").arg(&one));
        fresh.said(engine, &["pull", &format!("docker-archive:{one}.gz"), "--tag", "packed"]);
        assert_eq!(succeed(&mut fresh.machine.command(&["store", "verify"])), "the store is valid\n");
        for file in [&both, &format!("{one}.gz")] {
            fs::remove_file(file).unwrap();
        }
    }
    let written = place.path("skopeo.tar");
    skopeo(&["copy", "--quiet", &source, &format!("docker-archive:{written}:by-skopeo:3")]);
    place.said(Engine::shared(), &["copy", &format!("docker-archive:{written}"), "docker:by-skopeo:3"]);
    let engine = Engine::shared();
    assert_eq!(engine.inspect("by-skopeo:3", "{{json .RootFS.Layers}}"), serde_json::to_string(&image.diff_ids).unwrap());
    // And skopeo reads the engine, and what this program wrote.
    skopeo(&["copy", "--quiet", "--src-daemon-host", &engine.host(), "docker-daemon:by-skopeo:3", &format!("dir:{}", place.path("dir"))]);
    place.said(engine, &["copy", &source, &format!("docker-archive:{}:mine:4", place.path("mine.tar"))]);
    skopeo(&["copy", "--quiet", &format!("docker-archive:{}:mine:4", place.path("mine.tar")), &format!("dir:{}", place.path("dir2"))]);
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(format!("{}/manifest.json", place.path("dir2"))).unwrap()).unwrap();
    assert_eq!(manifest["config"]["digest"], image.config.as_str());
}

#[test]
fn what_cannot_be_moved_is_said() {
    let (place, engine) = (Place::new(), Engine::shared());
    let (_, source) = place.small("v1", &[("app", b"one")]);
    fs::write(place.path("text.tar"), "no archive").unwrap();
    fs::write(place.path("empty.tar"), [0; 1024]).unwrap();
    let text = format!("docker-archive:{}", place.path("text.tar"));
    for (arguments, expected) in [
        (vec!["push", "no-such-image"], "there is no image `no-such-image` in the store"),
        (vec!["tag", "no-such-image", "other"], "`cooper images`"),
        (vec!["pull", "docker:no-such-image"], "the engine has no image `no-such-image`"),
        (vec!["pull", &source], "--tag NAME"),
        (vec!["pull", "docker:"], "--tag NAME"),
        (vec!["copy", &source, "s3://bucket/x"], "`s3` is no kind of place"),
        (vec!["copy", &source, "docker:"], "write `docker:NAME`"),
        (vec!["copy", &source, "oci:"], "it names no path"),
        (vec!["copy", &text, "x"], "cannot read the archive"),
        (vec!["copy", "oci:/no/such/folder", "x"], "there is no `index.json`"),
    ] {
        let output = run(&mut place.command(engine, &arguments));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(expected), "{arguments:?}: {said}");
    }
    let empty = format!("docker-archive:{}", place.path("empty.tar"));
    let said = String::from_utf8(run(&mut place.command(engine, &["copy", &empty, "x"])).stderr).unwrap();
    assert!(said.contains("neither `manifest.json` nor `index.json`"), "{said}");
    assert_eq!(succeed(&mut place.machine.command(&["images", "--output", "json"])).trim(), "[]");
}

#[test]
fn names_are_given_and_images_come_back_under_them() {
    let (place, registry, engine) = (Place::new(), Registry::start(), Engine::shared());
    let (image, source) = place.small("v1", &[("app", b"one")]);
    let (name, other) = (registry.name("tagged:1"), registry.name("tagged:2"));
    place.said(engine, &["pull", &source, "--tag", &name]);
    let said = place.said(engine, &["tag", &name, "short", &other]);
    assert!(said.contains(&format!("short:latest is {} now", image.digest)), "{said}");
    place.said(engine, &["push", &other]);
    place.said(engine, &["push", "short", &registry.name("third")]);
    for pushed in ["tagged:2", "third:latest"] {
        assert_eq!(digest(&format!("docker://{}", registry.name(pushed))), image.digest);
    }
    let pinned = format!("{}@{}", registry.name("third"), image.digest);
    let other = Place::new();
    other.said(engine, &["pull", &pinned, "--tag", "again"]);
    let found = succeed(&mut other.machine.command(&["images", "--output", "json"]));
    assert!(found.contains("again:latest") && found.contains(&image.digest), "{found}");
}

/// REB-01, REB-13.
/// The run image comes into the engine, the app stays there, and gets other names.
#[test]
fn an_image_of_an_engine_is_rebased_in_it() {
    std::thread::scope(|scope| {
        for kind in KINDS {
            scope.spawn(move || is_rebased(kind));
        }
    });
}

fn is_rebased(kind: Kind) {
    let (place, engine, registry) = (Place::new(), Engine::of(kind), Registry::start());
    let base: (&str, &[u8]) = ("base", &[3; 50_000]);
    let (old, _) = place.small("old", &[base, ("os", b"old")]);
    let (new, new_place) = place.small("new", &[base, ("os", b"new"), ("more", b"more")]);
    let run_image = registry.name("base/run:1");
    place.said(engine, &["copy", &new_place, &run_image]);
    let metadata = json!({ "app": [], "runImage": { "topLayer": old.diff_ids[1], "reference": "x", "image": run_image } });
    let config =
        json!({ "config": { "Labels": { "io.buildpacks.lifecycle.metadata": metadata.to_string() }, "Env": ["CNB_PLATFORM_API=0.13"] } });
    let layout = place.path("layout");
    let app = Small::write_with(Path::new(&layout), "app", &[base, ("os", b"old"), ("app", b"rebased")], config);
    place.said(engine, &["copy", &format!("oci:{layout}:app"), "docker:rebased/app:1"]);
    let report = place.path("report");
    let said = place.said(engine, &["rebase", "docker:rebased/app:1", "--tag", "rebased/app:2", "--report-output-dir", &report]);
    let layers = |image: &str| engine.inspect(image, "{{json .RootFS.Layers}}");
    let expected = serde_json::to_string(&[&new.diff_ids[..], &app.diff_ids[2..]].concat()).unwrap();
    assert_eq!((layers("rebased/app:1"), layers("rebased/app:2")), (expected.clone(), expected), "{kind:?}: {said}");
    let id = engine.inspect("rebased/app:1", "{{.Id}}");
    let reported = fs::read_to_string(format!("{report}/report.toml")).unwrap();
    assert!(
        reported.contains(&format!("image-id = \"{}\"", &id["sha256:".len()..])) && reported.contains("rebased/app:2"),
        "{kind:?}: {reported}"
    );
    let said = place.said(engine, &["rebase", "docker:rebased/app:1"]);
    assert!(said.contains("already"), "{kind:?}: {said}");
    let output = run(&mut place.command(engine, &["rebase", "docker:rebased/none:1"]));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(72) && said.contains("the engine has no image"), "{kind:?}: {said}");
}
