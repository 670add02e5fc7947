//! Images in engines of every kind: Docker's with its own store and with containerd's, and Podman's.

mod composed;
mod faults;
mod places;
mod ways;

use crate::support::{Engine, Kind, Machine, Small, repository, run, succeed};
use std::path::Path;
use std::process::Command;

const KINDS: [Kind; 3] = [Kind::Docker, Kind::Containerd, Kind::Podman];

/// A store, and a layout with images.
struct Place {
    folder: tempfile::TempDir,
    machine: Machine,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { machine: Machine::empty(folder.path()), folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// An image as `oci:` names it.
    fn small(&self, tag: &str, layers: &[(&str, &[u8])]) -> (Small, String) {
        (Small::write(Path::new(&self.path("layout")), tag, layers), format!("oci:{}:{tag}", self.path("layout")))
    }

    fn command(&self, engine: &Engine, arguments: &[&str]) -> Command {
        let mut command = self.machine.command(arguments);
        command.env("DOCKER_HOST", engine.host());
        command
    }

    /// What a command that must succeed says to its reader.
    fn said(&self, engine: &Engine, arguments: &[&str]) -> String {
        let output = run(&mut self.command(engine, arguments));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{arguments:?}: {said}");
        said
    }
}

/// What an engine's ID of an image is the digest of.
fn id(kind: Kind, image: &Small) -> &str {
    match kind {
        Kind::Docker | Kind::Podman => &image.config,
        Kind::Containerd => &image.digest,
    }
}

/// IMG-25, IMG-17.
#[test]
fn an_engine_gets_the_layers_that_it_lacks() {
    std::thread::scope(|scope| {
        for kind in KINDS {
            scope.spawn(move || gets_what_it_lacks(kind));
        }
    });
}

fn gets_what_it_lacks(kind: Kind) {
    let (place, engine) = (Place::new(), Engine::of(kind));
    let base: (&str, &[u8]) = ("base", &[7; 100_000]);
    let (first, first_place) = place.small("1", &[base, ("app", b"one")]);
    let (second, second_place) = place.small("2", &[base, ("app", b"two")]);
    let (third, third_place) = place.small("3", &[base, ("app", b"three"), ("more", b"more")]);
    let said = place.said(engine, &["copy", "--verbose", &first_place, "docker:lacks:1"]);
    assert!(said.contains("the engine gets 2 of 2 layers\n"), "{kind:?}: {said}");
    let inspect = |image: &str, format: &str| engine.inspect(image, format);
    assert_eq!(inspect("lacks:1", "{{.Id}}"), id(kind, &first), "{kind:?}");
    assert_eq!(inspect("lacks:1", "{{json .RootFS.Layers}}"), serde_json::to_string(&first.diff_ids).unwrap());
    assert_eq!(inspect("lacks:1", "{{json .Config.Labels}}{{json .Config.Env}}"), r#"{"of":"test"}["PATH=/bin"]"#);

    // The same, under the same and another name.
    for name in ["docker:lacks:1", "docker:lacks-other"] {
        let said = place.said(engine, &["copy", "--verbose", &first_place, name]);
        assert!(!said.contains("the engine gets"), "{kind:?}: {said}");
    }
    assert_eq!(inspect("lacks-other", "{{.Id}}"), id(kind, &first));

    // A new build under the same name; then an image that only has its base in common with others.
    let all = |count: usize| if kind == Kind::Podman { format!("{count} of {count}") } else { format!("{} of {count}", count - 1) };
    for (image, source, target, layers) in [(&second, &second_place, "lacks:1", 2), (&third, &third_place, "lacks-third:1", 3)] {
        let said = place.said(engine, &["copy", "--verbose", source, &format!("docker:{target}")]);
        assert!(said.contains(&format!("the engine gets {} layers\n", all(layers))), "{kind:?}: {said}");
        assert_eq!(inspect(target, "{{.Id}}"), id(kind, image), "{kind:?}");
    }
    let files = ["base", "app"].map(|path| engine.file("lacks:1", path));
    assert_eq!((files[0].len(), files[1].as_str()), (100_000, "two"), "{kind:?}");
    assert_eq!(engine.file("lacks-third:1", "more"), "more");

    // And back.
    let other = Place::new();
    other.said(engine, &["pull", "docker:lacks:1"]);
    let inspected: serde_json::Value =
        serde_json::from_str(&succeed(&mut other.machine.command(&["inspect", "lacks:1", "--output", "json"]))).unwrap();
    if kind == Kind::Containerd {
        assert_eq!(inspected["digest"], second.digest.as_str());
    }
    other.said(engine, &["copy", "lacks:1", "docker:lacks-back"]);
    // An engine with its own store has no compressed layers, so its images have other manifests.
    assert!(kind == Kind::Containerd || inspect("lacks-back", "{{.Id}}") == id(kind, &second), "{kind:?}");
    assert_eq!(succeed(&mut other.machine.command(&["store", "verify"])), "the store is valid\n");
}

/// What containerd had goes with the last name of an image, though the store still knows the manifest.
///
/// IMG-25.
#[test]
fn an_engine_gets_all_layers_where_it_would_lack_one() {
    let (place, engine) = (Place::new(), Engine::of(Kind::Containerd));
    let (_, source) = place.small("1", &[("base", b"base"), ("app", b"one")]);
    place.said(engine, &["copy", &source, "docker:would:1"]);
    succeed(&mut engine.docker(&["rmi", "--force", "would:1"]));
    let said = place.said(engine, &["copy", "--verbose", &source, "docker:would:2"]);
    assert!(said.contains("the engine gets 2 of 2 layers\n"), "{said}");
    assert_eq!(engine.file("would:2", "app"), "one");
}

/// What `cooper build --docker` leaves is what `docker load` would make of the image.
#[test]
fn a_build_leaves_its_image_in_the_engine() {
    let machine = Machine::shared();
    machine.prepare();
    let engine = Engine::shared();
    let app = repository("fixtures/apps/procfile").display().to_string();
    let build = |more: &[&str]| {
        let mut command = machine.command(&["build", "in-engine", "--path", &app, "--verbose"]);
        let output = run(command.args(more).env("DOCKER_HOST", engine.host()));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        said
    };
    let said = build(&["--docker", "--output", "docker:in-engine-too:2", "--tag", "in-engine:tagged"]);
    let names = ["in-engine", "in-engine:tagged", "in-engine-too:2"];
    let ids = names.map(|name| engine.inspect(name, "{{.Id}}"));
    assert!(ids.iter().all(|id| *id == ids[0]) && said.contains(&format!("also in  docker:  ID {}", &ids[0]["sha256:".len()..])), "{said}");
    let config = std::fs::read(machine.store.join("blobs/sha256").join(&ids[0]["sha256:".len()..])).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    let inspected: serde_json::Value = serde_json::from_str(&engine.inspect("in-engine", "{{json .}}")).unwrap();
    assert_eq!(inspected["Config"]["Labels"], config["config"]["Labels"]);
    assert_eq!(inspected["Config"]["Entrypoint"], config["config"]["Entrypoint"]);
    assert_eq!(inspected["RootFS"]["Layers"], config["rootfs"]["diff_ids"]);
    let again = build(&["--docker"]);
    assert!(!again.contains("the engine gets"), "{again}");
    // The image that the engine has can be the previous one of a store that has none: what has not changed is its.
    let folder = tempfile::tempdir().unwrap();
    let mut command = Machine::fresh(folder.path()).command(&["build", "in-engine", "--path", &app]);
    let output = run(command.args(["--previous-image", "docker:in-engine:latest"]).env("DOCKER_HOST", engine.host()));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains(" of them as before\n") && !said.contains(" 0 of them as before\n"), "{said}");
}
