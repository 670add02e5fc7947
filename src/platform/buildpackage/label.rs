//! The labels by which packages and builders say what is in them, in the reference's key order (PKG-05, PKG-07, BIMG-08).

use super::Module;
use crate::buildpack::{Group, Kind, ModuleInfo, Stack, Target};
use crate::image::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a package is.
pub const METADATA_LABEL: &str = "io.buildpacks.buildpackage.metadata";
/// Which layers hold the buildpacks, and which the extensions.
pub const LAYERS_LABELS: [(Kind, &str); 2] =
    [(Kind::Buildpack, "io.buildpacks.buildpack.layers"), (Kind::Extension, "io.buildpacks.extension.layers")];

/// What a package says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Metadata {
    /// Its main module.
    #[serde(flatten)]
    pub info: ModuleInfo,
    /// What it works on; `null` of an extension.
    #[serde(default)]
    pub stacks: Option<Vec<Stack>>,
}

/// Modules by ID and version.
pub type ModuleLayers = BTreeMap<String, BTreeMap<String, ModuleLayer>>;

/// What an image says of one of its modules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModuleLayer {
    /// The Buildpack API that it speaks.
    pub api: String,
    /// What older ones work on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<Stack>,
    /// What it works on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// The groups that it stands for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<Group>,
    /// Digest of its layer's tar.
    #[serde(rename = "layerDiffID")]
    pub layer_diff_id: String,
    /// Where to read more.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub homepage: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
}

impl ModuleLayer {
    /// What is said of `module` in the layer `diff_id`.
    pub fn new(module: &Module, diff_id: &Digest) -> Self {
        let toml = &module.toml;
        Self {
            api: toml.api.clone(),
            stacks: toml.stacks.clone(),
            targets: toml.targets.clone(),
            order: toml.order.clone(),
            layer_diff_id: diff_id.to_string(),
            homepage: toml.info.homepage.clone(),
            name: toml.info.name.clone(),
        }
    }
}
