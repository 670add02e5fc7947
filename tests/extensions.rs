//! `cooper build` with other people's image extensions: their Dockerfiles are carried out in the sandbox.

use crate::support::builder::Builder;
use crate::support::{Machine, run, succeed};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// An app, and a builder with the extension.
struct World {
    folder: tempfile::TempDir,
    machine: Machine,
    builder: String,
    run_image: String,
}

impl World {
    fn new(machine: impl FnOnce(&Path) -> Machine) -> Self {
        Self::with_extension("acme/tool", machine)
    }

    fn with_extension(id: &str, machine: impl FnOnce(&Path) -> Machine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let builder = Builder::with_extension_called(id, &Machine::shared(), folder.path());
        let run_image = builder.run_image_layout(&Machine::shared(), folder.path());
        fs::create_dir(folder.path().join("app")).unwrap();
        // What others left in a shared store is of no use.
        fs::write(folder.path().join("app/main"), folder.path().to_str().unwrap()).unwrap();
        let machine = machine(folder.path());
        Self { machine, builder: builder.name(), run_image, folder }
    }

    fn build(&self, name: &str) -> Output {
        let app = self.folder.path().join("app");
        let arguments = ["build", name, "--path", app.to_str().unwrap(), "--builder", &self.builder, "--run-image", &self.run_image];
        run(&mut self.machine.command(&arguments))
    }

    fn document(&self, digest: &str) -> Value {
        serde_json::from_slice(&fs::read(self.machine.store.join("blobs/sha256").join(&digest[7..])).unwrap()).unwrap()
    }

    /// Manifest and configuration of an image in the store.
    fn image(&self, name: &str) -> (Value, Value) {
        let digest = succeed(&mut self.machine.command(&["inspect", name, "--output", "json"]));
        let digest = serde_json::from_str::<Value>(&digest).unwrap()["digest"].as_str().unwrap().to_string();
        let manifest = self.document(&digest);
        let config = self.document(manifest["config"]["digest"].as_str().unwrap());
        (manifest, config)
    }

    /// The members of a layer with their owners.
    fn members(&self, manifest: &Value, number: usize) -> String {
        let digest = manifest["layers"][number]["digest"].as_str().unwrap();
        let blob = self.machine.store.join("blobs/sha256").join(&digest[7..]);
        let listed = succeed(Command::new("tar").args(["--numeric-owner", "-tvzf"]).arg(blob));
        let line = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            format!("{} {} {}\n", fields[0], fields[1], fields[5])
        };
        listed.lines().map(line).collect()
    }
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Owners of files that a program gave away, where others exist and where they do not.
const ROOT: &str = "-rw-r--r-- 4321/8765 opt/acme/owned";
const USER: &str = "-rw-r--r-- 0/0 opt/acme/owned";

fn extended(world: &World, owned: &str) {
    let first = said(&world.build("extended"));
    assert!(first.contains("built: for the build, uid 0, as 1001"), "{first}");
    assert!(!first.contains("Using cache"), "{first}");
    assert_eq!(succeed(&mut world.machine.command(&["run", "extended"])), "for the run, uid 0\ngone\n");
    assert!(!world.folder.path().join("app/written").exists());
    let (manifest, config) = world.image("extended");
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["io.buildpacks.rebasable"], "true");
    let metadata: Value = serde_json::from_str(labels["io.buildpacks.lifecycle.metadata"].as_str().unwrap()).unwrap();
    let top = config["rootfs"]["diff_ids"].as_array().unwrap().iter().position(|id| *id == metadata["runImage"]["topLayer"]).unwrap();
    assert_eq!(
        config["history"][top + 1]["created_by"].as_str().unwrap().split(',').next_back().unwrap(),
        " Created by extension: acme/tool"
    );
    let copied = world.members(&manifest, top + 1);
    assert!(
        copied.ends_with("drwxr-xr-x 0/0 opt/acme/\n-rw-r----- 1234/5678 opt/acme/file\n")
            || copied.contains("-rw-r----- 1234/5678 opt/acme/file\n"),
        "{copied}"
    );
    let ran = world.members(&manifest, top + 2);
    assert!(ran.contains(owned) && ran.contains("etc/.wh.debian_version") && !ran.contains("workspace"), "{ran}");

    let second = said(&world.build("extended"));
    // What uses the build's own id is done again, in both images.
    assert_eq!(second.matches("Using cache").count(), 4, "{second}");
    let again = world.image("extended").0;
    assert_eq!(manifest["layers"].as_array().unwrap()[..=top + 2], again["layers"].as_array().unwrap()[..=top + 2]);
    assert_ne!(manifest["layers"][top + 3], again["layers"][top + 3]);
    assert_eq!(succeed(&mut world.machine.command(&["store", "verify"])), "the store is valid\n");
}

/// EXT-04, EXT-06, EXT-07, EXT-08, EXT-12, EXT-13, EXT-17, EXP-05.
#[test]
fn extensions_change_both_images() {
    extended(&World::new(|_| Machine::shared()), ROOT);
}

/// EXT-07.
#[test]
fn extensions_need_no_root() {
    extended(&World::new(Machine::for_user), USER);
}

/// Packages can be composed into images that were composed of packages; into others they come as any platform brings them.
#[test]
fn the_extension_for_packages_works_in_other_builders_by_its_dockerfiles() {
    let world = World::with_extension("cooper/debian-packages", |_| Machine::shared());
    fs::write(world.folder.path().join("app/packages"), "build = ['tini']\nrun = ['tini']\n").unwrap();
    let said = said(&world.build("packages"));
    assert!(said.contains("built: for the build, uid 0, as 1001"), "{said}");
    assert_eq!(succeed(&mut world.machine.command(&["run", "packages"])), "for the run, uid 0\ngone\n");
}

/// EXT-14, GEN-10, GEN-12, GEN-15.
#[test]
fn an_extension_can_choose_the_run_image() {
    let world = World::new(|_| Machine::shared());
    let switch = world.folder.path().join("app/switch");
    let refused = |text: &str, expected: &str, code: i32| {
        fs::write(&switch, text).unwrap();
        let output = world.build("refused");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
    };
    refused("FROM r.test/nowhere:1\n", "an extension chose the run image `r.test/nowhere:1`", 1);
    refused("FROM a\nFROM b\n", "run.Dockerfile is not permitted to use multistage build", 92);
    refused("ARG base_image\nFROM ${base_image}\nUSER root\n", "the final user ID is 0 (root)", 102);
    refused("ARG base_image\nFROM ${base_image}\nRUN echo why; exit 3\n", "returned a non-zero code: 3", 102);
    let base = Builder::with_extension(&Machine::shared(), world.folder.path()).run_image;
    fs::write(&switch, format!("FROM {base}\n")).unwrap();
    said(&world.build("switched"));
    let (_, config) = world.image("switched");
    let metadata: Value = serde_json::from_str(config["config"]["Labels"]["io.buildpacks.lifecycle.metadata"].as_str().unwrap()).unwrap();
    assert_eq!(metadata["runImage"]["image"], base.as_str());
    assert!(!config["history"].to_string().contains("Created by extension"), "{config}");
}
