//! What a set of programs did with a case, without what may differ between two programs or two runs.

use super::case::{Case, FOLDER, REGISTRY, RunImage};
use super::image;
use super::lines::{image_names, lines_of};
use super::observe::{changes, snapshot};
use super::programs::{Programs, names, prepare};
use super::registry::{pull, push};
use crate::support::Registry;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Output;

/// Runs all steps of a case in its folder, which is made anew, and tells what came out of each.
pub fn record(name: &str, programs: &Programs, folder: &Path) -> Value {
    if folder.exists() {
        fs::remove_dir_all(folder).unwrap();
    }
    let registry = Case::read(name, folder, REGISTRY).registry.then(Registry::start);
    let host = registry.as_ref().map(Registry::host).unwrap_or_default();
    let case = Case::read(name, folder, &host);
    let prefix = if registry.is_some() { format!("{host}/") } else { String::new() };
    case.lay_out(folder, &prefix);
    let layouts = folder.join("layout");
    let standard = RunImage { name: "run".into(), labels: BTreeMap::new(), env: Vec::new(), arch: "amd64".into() };
    for run_image in std::iter::once(&standard).chain(&case.run_image) {
        image::make(&layouts, run_image);
        if let Some(registry) = &registry {
            push(registry, &layouts, &run_image.name);
        }
    }
    let mut told = Told { host, ..Told::default() };
    let mut known = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for found in image::all(&layouts, &mut seen) {
        known.insert(found.name, found.manifest);
    }
    let mut steps = Vec::new();
    for step in &case.step {
        prepare(step, folder);
        let mut before = snapshot(folder);
        for name in names(step) {
            let output = programs.start(&case, step, name, folder, &prefix);
            let after = snapshot(folder);
            if let Some(registry) = &registry {
                pull(registry, &layouts);
            }
            let mut images = Map::new();
            for found in image::all(&layouts, &mut seen) {
                if known.insert(found.name.clone(), found.manifest.clone()).as_ref() != Some(&found.manifest) {
                    told.learn(&found);
                    images.insert(found.name, found.record);
                }
            }
            steps.push(told.without(one(name, &output, changes(&before, &after), images), folder));
            before = after;
            if !output.status.success() {
                break;
            }
        }
    }
    json!(steps)
}

fn one(name: &str, output: &Output, wrote: Value, mut images: Map<String, Value>) -> Value {
    let success = output.status.success();
    let (mut stdout, mut stderr) = (lines_of(success, &output.stdout), lines_of(success, &output.stderr));
    if name == "launcher" {
        // LCH: standard output is the app's; the reference's launcher complains there, ours on standard error (EXIT-13).
        let complains = |line: &String| line.starts_with("ERROR: ") || line.starts_with("Warning: ");
        let (complaints, rest) = stderr.into_iter().partition(complains);
        (stdout, stderr) = ([complaints, stdout].concat(), rest);
    }
    let mut step = json!({ "run": name, "exit": output.status.code(), "stdout": stdout, "wrote": wrote });
    if !stderr.is_empty() {
        step["stderr"] = json!(stderr);
    }
    if name == "rebaser" {
        images.iter_mut().for_each(|(_, image)| forget_what_a_rebase_loses(image));
    }
    if !images.is_empty() {
        step["images"] = Value::Object(images);
    }
    step
}

/// REB-19: the reference's rebaser empties the history of images in registries, and writes Docker's types; ours leaves both as they were.
fn forget_what_a_rebase_loses(image: &mut Value) {
    let layers = image["layers"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut);
    layers.for_each(|layer| drop(layer.remove("history")));
    image.as_object_mut().into_iter().for_each(|image| drop(image.remove("mediaTypes")));
}

/// What is another one in each program or run, and what stands for it in records.
#[derive(Default)]
struct Told {
    /// Of the registry; empty where there is none.
    host: String,
    names: Vec<(String, String)>,
}

impl Told {
    /// An image with our launcher has other digests than one with the reference's, because the launcher is another program.
    fn learn(&mut self, found: &image::Found) {
        if found.launcher.is_empty() {
            return;
        }
        let count = self.names.len();
        for (digest, what) in [(&found.manifest, "manifest"), (&found.config, "config"), (&found.launcher, "launcher")] {
            if !self.names.iter().any(|(known, _)| known == digest) {
                let name = if what == "launcher" { format!("<{what}>") } else { format!("<{what} {count}>") };
                self.names.push((digest.clone(), name));
            }
        }
    }

    fn without(&self, value: Value, folder: &Path) -> Value {
        match value {
            Value::String(text) => {
                let text = image_names(text.replace(folder.to_str().unwrap(), FOLDER));
                let text = if self.host.is_empty() { text } else { text.replace(&self.host, REGISTRY) };
                json!(self.names.iter().fold(text, |text, (from, to)| text.replace(from, to)))
            }
            Value::Array(all) => all.into_iter().map(|value| self.without(value, folder)).collect(),
            Value::Object(all) => Value::Object(all.into_iter().map(|(key, value)| self.entry(key, value, folder)).collect()),
            // RES-24: whole numbers of metadata come back from the reference's labels with a fraction.
            Value::Number(number) => match number.as_f64() {
                Some(fraction) if fraction.fract() == 0.0 => json!(fraction as i64),
                Some(_) | None => json!(number),
            },
            Value::Null | Value::Bool(_) => value,
        }
    }

    fn entry(&self, key: String, value: Value, folder: &Path) -> (String, Value) {
        let value = match key.as_str() {
            // Each program has its own version and source.
            "launcher" if value["version"].is_string() => json!("<version>"),
            // For an image in a layout, the reference names a digest of documents that it wrote anew in memory and that are nowhere.
            "runImage" | "run-image" if value["topLayer"].is_string() || value["top-layer"].is_string() => {
                let mut value = self.without(value, folder);
                if let Some((path, _)) = value["reference"].as_str().and_then(|reference| reference.split_once('@')) {
                    value["reference"] = json!(format!("{path}@<digest>"));
                }
                value
            }
            // IMG-28: the reference names Docker's type for the same thing in OCI manifests.
            "mediaType" if value == "application/vnd.docker.image.rootfs.diff.tar.gzip" => {
                json!("application/vnd.oci.image.layer.v1.tar+gzip")
            }
            // DET-42: in no order in the reference, which changes from run to run.
            "entries" => {
                let mut value = self.without(value, folder);
                if let Some(entries) = value.as_array_mut() {
                    entries.sort_by_key(|entry| entry["requires"][0]["name"].to_string());
                }
                value
            }
            // The sizes of layers depend on the encoder.
            "manifest-size" => json!("<size>"),
            _ => self.without(value, folder),
        };
        let key = self.without(json!(key), folder).as_str().unwrap_or_default().to_string();
        (key, value)
    }
}
