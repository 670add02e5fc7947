//! Builders that are images, with buildpacks of the tests' own, as OCI layouts.

use super::{Machine, repository, succeed};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A builder over the composed build image of a machine's store: the buildpacks of `fixtures/builder`.
pub struct Builder {
    /// The layout's folder.
    pub layout: PathBuf,
    /// The name of its run image in the store.
    pub run_image: String,
}

/// What a lifecycle says of itself.
const LIFECYCLE: &str = "[apis.buildpack]\nsupported = [\"0.7\", \"0.10\", \"0.12\"]\n[apis.platform]\nsupported = [\"0.12\"]\n[lifecycle]\nversion = \"0.21.0\"\n";

/// This machine's processor, as images name it.
pub const HERE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

impl Builder {
    /// Makes the builder, in `folder`.
    pub fn new(machine: &Machine, folder: &Path) -> Self {
        Self::of(machine, folder, &Self::fixture())
    }

    /// The same for another processor, whose images the machine composed. Its lifecycle is nobody's: builds here have their own.
    pub fn for_processor(machine: &Machine, folder: &Path, processor: &str) -> Self {
        let programs = folder.join("programs");
        fs::create_dir_all(programs.join("lifecycle")).unwrap();
        fs::write(programs.join("lifecycle.toml"), LIFECYCLE).unwrap();
        for name in ["detector", "restorer", "analyzer", "builder", "exporter", "launcher", "creator"] {
            fs::write(programs.join("lifecycle").join(name), "#!/bin/sh\nexit 1\n").unwrap();
        }
        let archive = folder.join("lifecycle.tgz");
        succeed(Command::new("tar").arg("-C").arg(&programs).arg("-czf").arg(&archive).args(["lifecycle.toml", "lifecycle"]));
        let lifecycle = format!("[lifecycle]\nuri = \"{}\"\n", archive.display());
        Self::made(machine, folder, &format!("{}{lifecycle}", Self::fixture()), processor)
    }

    fn fixture() -> String {
        let fixture = repository("fixtures/builder");
        let modules = ["old", "clear", "new"].map(|name| format!("[[buildpacks]]\nuri = \"{}\"\n", fixture.join(name).display()));
        let order = fs::read_to_string(fixture.join("order.toml")).unwrap();
        let variable = "[[build.env]]\nname = \"OPERATOR_SETS\"\nvalue = \"operator\"\n";
        format!("{}{order}{variable}", modules.concat())
    }

    /// The same with an extension: that of `fixtures/extension`, and the buildpack that needs it.
    pub fn with_extension(machine: &Machine, folder: &Path) -> Self {
        Self::with_extension_called("acme/tool", machine, folder)
    }

    /// The same with another name for the extension.
    pub fn with_extension_called(id: &str, machine: &Machine, folder: &Path) -> Self {
        let fixture = repository("fixtures/extension");
        let extension = folder.join("extension");
        succeed(Command::new("cp").arg("-r").args([&fixture.join("extension"), &extension]));
        let renamed = |path: &Path| fs::read_to_string(path).unwrap().replace("acme/tool", id);
        fs::write(extension.join("extension.toml"), renamed(&extension.join("extension.toml"))).unwrap();
        let (buildpack, extension) = (fixture.join("buildpack"), extension.display());
        let modules = format!("[[buildpacks]]\nuri = \"{}\"\n[[extensions]]\nuri = \"{extension}\"\n", buildpack.display());
        Self::of(machine, folder, &format!("{modules}{}", renamed(&fixture.join("order.toml"))))
    }

    /// Writes the run image into a layout of its own, and returns that as `--run-image` names it.
    pub fn run_image_layout(&self, machine: &Machine, folder: &Path) -> String {
        let layout = folder.join("run");
        fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
        let digest = machine.composed("run").1;
        let manifest = document(&machine.store, &digest);
        let digests =
            manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]).map(|blob| blob["digest"].as_str().unwrap());
        for name in digests.chain([digest.as_str()]).map(|digest| Path::new("blobs/sha256").join(hex(digest))) {
            fs::copy(machine.store.join(&name), layout.join(&name)).unwrap();
        }
        let size = fs::metadata(layout.join("blobs/sha256").join(hex(&digest))).unwrap().len();
        let descriptor = json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": size, "digest": digest });
        fs::write(layout.join("index.json"), json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string()).unwrap();
        fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        format!("oci:{}", layout.display())
    }

    /// Makes a builder of a builder.toml without its images: they are the composed ones.
    pub fn of(machine: &Machine, folder: &Path, text: &str) -> Self {
        machine.prepare();
        Self::made(machine, folder, text, HERE)
    }

    fn made(machine: &Machine, folder: &Path, text: &str, processor: &str) -> Self {
        // Images for another processor are looked for in registries, unless that is said.
        let place = if processor == HERE { "" } else { "store://" };
        let [build, run_image] = ["build", "run"].map(|kind| format!("{place}{}", machine.composed_for(kind, processor).0));
        let layout = folder.join("builder");
        let images = format!("[build]\nimage = \"{build}\"\n[[run.images]]\nimage = \"{run_image}\"\n");
        fs::write(folder.join("builder.toml"), format!("{images}{text}")).unwrap();
        let name = format!("test-builder-{}", std::process::id());
        let output = format!("oci:{}", layout.display());
        let config = folder.join("builder.toml");
        let target = format!("linux/{processor}");
        let create =
            ["builder", "create", &name, "--config", config.to_str().unwrap(), "--target", &target, "--output", &output, "--quiet"];
        succeed(&mut machine.command(&create));
        Self { layout, run_image }
    }

    /// The builder as `--builder` names it.
    pub fn name(&self) -> String {
        format!("oci:{}", self.layout.display())
    }
}

impl Machine {
    /// Name and digest of the composed image of a kind, `build` or `run`, that has no packages added.
    pub fn composed(&self, kind: &str) -> (String, String) {
        self.composed_for(kind, HERE)
    }

    fn composed_for(&self, kind: &str, processor: &str) -> (String, String) {
        let index: Value = serde_json::from_slice(&fs::read(self.store.join("index.json")).unwrap()).unwrap();
        let wanted = format!("cooper/trixie-{kind}:");
        let fits = |digest: &str| {
            let manifest = document(&self.store, digest);
            let config = document(&self.store, manifest["config"]["digest"].as_str().unwrap());
            manifest["layers"].as_array().unwrap().len() == 1 && config["architecture"] == processor
        };
        let found = index["manifests"].as_array().unwrap().iter().map(|entry| {
            let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or_default();
            (name.to_string(), entry["digest"].as_str().unwrap().to_string())
        });
        found.into_iter().find(|(name, digest)| name.contains(&wanted) && fits(digest)).expect("the image is composed")
    }
}

fn document(layout: &Path, digest: &str) -> Value {
    serde_json::from_slice(&fs::read(layout.join("blobs/sha256").join(hex(digest))).unwrap()).unwrap()
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap()
}
