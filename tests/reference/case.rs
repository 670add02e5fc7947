//! A case as data: what is on the disk at first, which programs are started one after the other, and where we differ on purpose.

use crate::support::repository;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Stands for the case's folder, in files, arguments and records.
pub const FOLDER: &str = "{case}";
/// Stands for the host and port of the case's registry.
pub const REGISTRY: &str = "{registry}";

/// `case.toml`. Each `{case}` in it stands for the case's folder on the disk, each `{registry}` for the registry's host and port.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// What the case is about, in a sentence.
    pub about: String,
    /// The Platform API of all steps that name no other.
    #[serde(default = "newest")]
    pub api: String,
    /// Whether images are in a registry, which each set of programs has for itself, and not in layouts.
    #[serde(default)]
    pub registry: bool,
    /// Variables of all steps.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// `order.toml`; one group with all buildpacks where nothing is said.
    pub order: Option<String>,
    /// Files by path; those that start with `#!` are executable.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Symbolic links by path.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
    /// The buildpacks of the builder.
    #[serde(default)]
    pub buildpack: Vec<Module>,
    /// The image extensions of the builder.
    #[serde(default)]
    pub extension: Vec<Module>,
    /// Run images besides `run`, or another `run`.
    #[serde(default)]
    pub run_image: Vec<RunImage>,
    /// What is started.
    pub step: Vec<Step>,
    /// Where our answer is another one than the reference's.
    #[serde(default)]
    pub differs: Vec<Difference>,
}

/// A buildpack or an image extension.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Module {
    pub id: String,
    #[serde(default = "one")]
    pub version: String,
    /// The Buildpack API.
    #[serde(default = "newest_buildpack")]
    pub api: String,
    /// What else the table of the module has in its descriptor: `homepage`, `clear-env`.
    #[serde(default)]
    pub keys: String,
    /// What the descriptor has after that table: targets, an order.
    #[serde(default)]
    pub more: String,
    /// The shell script `bin/detect`; one that passes where nothing is said.
    pub detect: Option<String>,
    /// The shell script `bin/build`.
    pub build: Option<String>,
    /// The shell script `bin/generate`.
    pub generate: Option<String>,
}

/// A run image: one small layer, and what is said of it here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunImage {
    pub name: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Variables besides `PATH`, as `NAME=value`.
    #[serde(default)]
    pub env: Vec<String>,
    /// The architecture.
    #[serde(default = "amd64")]
    pub arch: String,
}

/// One program that is started, or the five phases of a build.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// The name of the program, or `build` for analyzer, detector, restorer, builder and exporter.
    pub run: String,
    /// Its first argument; only the launcher looks at it.
    #[serde(rename = "as")]
    pub name: Option<String>,
    /// Where nothing is said: the app's name for the programs that need one.
    pub arguments: Option<Vec<String>>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The Platform API of this step; empty: the variable is not there.
    pub api: Option<String>,
    /// Files that are written before.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Folders that are emptied before, as a platform does with those of the layers and the app between two builds.
    #[serde(default)]
    pub empty: Vec<String>,
    /// The run image that an extender extends before.
    pub extended: Option<String>,
    /// Whether it runs as root, if it can.
    #[serde(default)]
    pub root: bool,
}

/// A place of the record where we differ on purpose.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The way to it through the record.
    pub at: Vec<String>,
    /// The row of the checklist, or the reason.
    pub because: String,
    /// What we answer, as JSON; nothing where we answer nothing.
    pub ours: Option<String>,
}

fn newest() -> String {
    "0.15".into()
}

fn newest_buildpack() -> String {
    "0.12".into()
}

fn one() -> String {
    "1".into()
}

fn amd64() -> String {
    "amd64".into()
}

/// The folder of a case in the repository.
pub fn source(name: &str) -> PathBuf {
    repository("fixtures/golden/cases").join(name)
}

impl Case {
    /// Reads a case whose registry, where it has one, is at `host`.
    pub fn read(name: &str, folder: &Path, host: &str) -> Self {
        let path = source(name).join("case.toml");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let case: Self = toml::from_str(&text.replace(FOLDER, folder.to_str().unwrap()).replace(REGISTRY, host))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(case.about.ends_with('.'), "{name}: `about` is a sentence");
        case
    }

    /// Writes what is there before the first step; names of images begin with `prefix`.
    pub fn lay_out(&self, folder: &Path, prefix: &str) {
        for place in ["app", "layers", "platform/env", "cnb/build-config", "cnb/buildpacks", "cnb/extensions", "layout", "tmp"] {
            fs::create_dir_all(folder.join(place)).unwrap();
        }
        for (modules, place, kind) in [(&self.buildpack, "cnb/buildpacks", "buildpack"), (&self.extension, "cnb/extensions", "extension")] {
            for module in modules {
                module.lay_out(&folder.join(place).join(module.id.replace('/', "_")).join(&module.version), kind);
            }
        }
        write(folder, "cnb/order.toml", &self.order.clone().unwrap_or_else(|| self.one_group()));
        write(folder, "cnb/run.toml", &format!("[[images]]\nimage = \"{prefix}run\"\n"));
        write(folder, "cnb/stack.toml", &format!("[run-image]\nimage = \"{prefix}run\"\n"));
        for (path, text) in &self.files {
            write(folder, path, text);
        }
        for (path, target) in &self.links {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        }
    }

    fn one_group(&self) -> String {
        let entry = |module: &Module| format!("[[order.group]]\nid = {:?}\nversion = {:?}\n", module.id, module.version);
        format!("[[order]]\n{}", self.buildpack.iter().map(entry).collect::<String>())
    }
}

impl Module {
    fn lay_out(&self, folder: &Path, kind: &str) {
        let Self { id, version, api, keys, more, .. } = self;
        let text = format!("api = {api:?}\n[{kind}]\nid = {id:?}\nversion = {version:?}\n{keys}\n{more}");
        write(folder, &format!("{kind}.toml"), &text);
        let pass = Some(String::new());
        let detect = if self.detect.is_none() && self.build.is_some() { &pass } else { &self.detect };
        for (name, script) in [("detect", detect), ("build", &self.build), ("generate", &self.generate)] {
            if let Some(script) = script {
                write(folder, &format!("bin/{name}"), &format!("#!/bin/sh\nset -eu\n{script}"));
            }
        }
    }
}

/// Writes a file below the case's folder.
pub fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}
