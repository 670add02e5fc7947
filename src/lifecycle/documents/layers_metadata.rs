//! What an app image is made of: the label `io.buildpacks.lifecycle.metadata` and its twin in `analyzed.toml`.

use super::{json_of_toml, toml_of_json};
use crate::error::{Context, Error, Result};
use crate::image::{null_is_empty, to_json};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The layers of an app image and the run image under them (Platform spec, `io.buildpacks.lifecycle.metadata`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LayersMetadata {
    /// The layers of the app, one for each slice and one for the rest.
    pub app: Option<Vec<LayerSha>>,
    /// The layer of the launch SBOM files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sbom: Option<LayerSha>,
    /// The layers of each buildpack, in the order of the group.
    pub buildpacks: Option<Vec<BuildpackLayers>>,
    /// The layer of the launcher's configuration.
    pub config: LayerSha,
    /// The layer of the launcher.
    pub launcher: LayerSha,
    /// The layer of the links that start each process.
    #[serde(rename = "process-types")]
    pub process_types: LayerSha,
    /// The run image under the app.
    #[serde(rename = "runImage")]
    pub run_image: RunImageMetadata,
    /// What older readers look at for the run image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
}

/// A layer, named by the digest of its uncompressed tar; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerSha {
    /// The diffID, as `sha256:…`.
    #[serde(default)]
    pub sha: String,
}

/// The layers of one buildpack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildpackLayers {
    /// The buildpack's ID.
    pub key: String,
    /// The buildpack's version.
    pub version: String,
    /// Its layers by name.
    pub layers: BTreeMap<String, BuildpackLayer>,
    /// What it keeps from build to build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreMetadata>,
}

/// One layer of a buildpack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildpackLayer {
    /// The diffID.
    pub sha: String,
    /// What the buildpack wrote into `[metadata]`; null where it wrote nothing.
    pub data: serde_json::Value,
    /// Later buildpacks see it.
    pub build: bool,
    /// It is in the image.
    pub launch: bool,
    /// It is kept for the next build.
    pub cache: bool,
}

/// What a buildpack keeps in `store.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StoreMetadata {
    /// The table `[metadata]`.
    #[serde(default)]
    pub metadata: serde_json::Value,
}

/// The run image as the app image remembers it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunImageMetadata {
    /// The diffID of its top layer.
    #[serde(rename = "topLayer")]
    pub top_layer: String,
    /// What identifies the very image.
    pub reference: String,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Other names of it.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
    pub mirrors: Vec<String>,
}

/// The run image where older readers look for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// The run image.
    #[serde(rename = "runImage", default)]
    pub run_image: StackRunImage,
}

/// A run image by its names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StackRunImage {
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Other names of it.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
    pub mirrors: Vec<String>,
}

/// Names that differ between the label and its twin in TOML.
const TOML_NAMES: [(&str, &str); 3] = [("runImage", "run-image"), ("topLayer", "top-layer"), ("data", "metadata")];

impl LayersMetadata {
    /// Reads the label.
    pub fn from_label(label: &str) -> Result<Self> {
        serde_json::from_str(label).context(|| "cannot read the label `io.buildpacks.lifecycle.metadata`")
    }

    /// Writes the label.
    pub fn to_label(&self) -> String {
        String::from_utf8_lossy(&to_json(self)).into_owned()
    }

    /// The twin as a TOML table.
    pub fn to_toml(&self) -> Result<toml::Table> {
        let mut json = serde_json::to_value(self).context(|| "cannot write the metadata of an image")?;
        rename(&mut json, |name| TOML_NAMES.iter().find(|(label, _)| *label == name).map(|(_, toml)| *toml));
        match toml_of_json(&json) {
            Some(toml::Value::Table(table)) => Ok(table),
            Some(_) | None => Err(Error::new("cannot write the metadata of an image")),
        }
    }

    /// Reads the twin.
    pub fn from_toml(table: &toml::Table) -> Result<Self> {
        let mut json = json_of_toml(&toml::Value::Table(table.clone()));
        rename(&mut json, |name| TOML_NAMES.iter().find(|(_, toml)| *toml == name).map(|(label, _)| *label));
        serde_json::from_value(json).context(|| "cannot read the metadata of an image")
    }

    /// The layers of a buildpack, where the image has some.
    pub fn buildpack(&self, id: &str) -> Option<&BuildpackLayers> {
        self.buildpacks.iter().flatten().find(|buildpack| buildpack.key == id)
    }
}

/// Renames keys, but none that a buildpack chose: those are below a layer's data, a store, and the names of layers.
fn rename(value: &mut serde_json::Value, name: impl Fn(&str) -> Option<&'static str> + Copy) {
    let Some(metadata) = value.as_object_mut() else { return };
    rename_keys(metadata, name);
    for key in ["runImage", "run-image", "stack"] {
        let Some(inner) = metadata.get_mut(key).and_then(serde_json::Value::as_object_mut) else { continue };
        rename_keys(inner, name);
    }
    let buildpacks = metadata.get_mut("buildpacks").and_then(serde_json::Value::as_array_mut);
    for buildpack in buildpacks.into_iter().flatten() {
        let layers = buildpack.get_mut("layers").and_then(serde_json::Value::as_object_mut);
        for layer in layers.into_iter().flat_map(|layers| layers.values_mut()).filter_map(serde_json::Value::as_object_mut) {
            rename_keys(layer, name);
        }
    }
}

fn rename_keys(object: &mut serde_json::Map<String, serde_json::Value>, name: impl Fn(&str) -> Option<&'static str>) {
    *object = std::mem::take(object).into_iter().map(|(key, value)| (name(&key).map_or(key, str::to_string), value)).collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &str = r#"{"app":[{"sha":"sha256:a1"}],"sbom":{"sha":"sha256:b1"},"buildpacks":[{"key":"acme/node-engine","version":"3.1.0","layers":{"data":{"sha":"sha256:c1","data":{"checksum":"\u003c0f0f\u003e","data":1,"n":2.5},"build":true,"launch":true,"cache":true},"modules":{"sha":"sha256:c2","data":null,"build":false,"launch":true,"cache":false}},"store":{"metadata":{"seen-versions":["20.18.0"]}}},{"key":"acme/npm","version":"1.8.2","layers":{}}],"config":{"sha":"sha256:d1"},"launcher":{"sha":"sha256:e1"},"process-types":{"sha":""},"runImage":{"topLayer":"sha256:22","reference":"r.io/run@sha256:44","image":"r.io/run:1","mirrors":["m.io/run:1"]},"stack":{"runImage":{"image":"r.io/run:1","mirrors":["m.io/run:1"]}}}"#;

    /// FMT-01, FMT-03, FMT-04, FMT-05.
    #[test]
    fn the_label_is_written_as_it_was_read() {
        let metadata = LayersMetadata::from_label(LABEL).expect("a label");
        assert_eq!(metadata.to_label(), LABEL);
    }

    /// The next build must find in the label what this one wrote.
    #[test]
    fn numbers_come_back_as_exact_as_they_were() {
        for number in
            ["3000000000000000000000000000000000000000000000000009063244050103824838", "0.51000000000000012", "1.2345678901234567e-300"]
        {
            let label = LABEL.replace("2.5", number);
            let metadata = LayersMetadata::from_label(&label).expect("a label");
            assert_eq!(LayersMetadata::from_label(&metadata.to_label()).expect("a label"), metadata, "{number}");
            let exact: f64 = number.parse().expect("a number");
            assert_eq!(metadata.buildpack("acme/node-engine").expect("layers").layers["data"].data["n"].as_f64(), Some(exact), "{number}");
        }
    }

    /// FMT-02.
    #[test]
    fn the_twin_in_toml_loses_nothing() {
        let metadata = LayersMetadata::from_label(LABEL).expect("a label");
        let table = metadata.to_toml().expect("TOML");
        assert_eq!(table["run-image"]["top-layer"].as_str(), Some("sha256:22"));
        assert_eq!(table["stack"]["run-image"]["image"].as_str(), Some("r.io/run:1"));
        assert_eq!(table["buildpacks"][0]["layers"]["data"]["metadata"]["data"].as_integer(), Some(1));
        assert_eq!(LayersMetadata::from_toml(&table).expect("metadata"), metadata);
    }

    /// FMT-14.
    #[test]
    fn unknown_and_missing_keys_do_no_harm() {
        let metadata = LayersMetadata::from_label(r#"{"junk":1,"runImage":{"reference":"x"}}"#).expect("a label");
        assert_eq!(metadata.run_image.reference, "x");
        assert_eq!(metadata.app, None);
    }
}
