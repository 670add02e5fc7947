//! The label by which a builder says what it is, in the reference's key order (BIMG-06).

use crate::buildpack::ModuleInfo;
use crate::error::{Advice, Context, Result};
use crate::image::Image;
use crate::lifecycle::documents::run::RunImageNames;
use serde::{Deserialize, Serialize};

/// What a builder is.
pub const METADATA: &str = "io.buildpacks.builder.metadata";
/// The order as the builder's author wrote it (BIMG-08).
pub const ORDER: &str = "io.buildpacks.buildpack.order";
/// The same for extensions.
pub const ORDER_EXTENSIONS: &str = "io.buildpacks.buildpack.order-extensions";
/// The buildpacks around every group.
pub const SYSTEM: &str = "io.buildpacks.buildpack.system";
/// The stack of older builders.
pub const STACK_ID: &str = "io.buildpacks.stack.id";
/// What is installed on it.
pub const STACK_MIXINS: &str = "io.buildpacks.stack.mixins";

/// What a builder says of itself. The reference writes what is not there as `null`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    /// What it is for.
    pub description: String,
    /// Its buildpacks.
    pub buildpacks: Option<Vec<ModuleInfo>>,
    /// Its extensions.
    pub extensions: Option<Vec<ModuleInfo>>,
    /// The run image of older builders.
    pub stack: Stack,
    /// Its lifecycle.
    pub lifecycle: Lifecycle,
    /// The program that made it.
    pub created_by: Creator,
    /// Its run images.
    pub images: Option<Vec<Names>>,
}

/// The run image of older builders.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Stack {
    /// Its names.
    pub run_image: Names,
}

/// Names of one image.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Names {
    /// Its name.
    pub image: String,
    /// Its other names.
    pub mirrors: Option<Vec<String>>,
}

/// A lifecycle, and what it speaks (BIMG-21).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lifecycle {
    /// Its version.
    pub version: String,
    /// The earliest APIs that it speaks.
    pub api: Api,
    /// All of them.
    pub apis: Apis,
}

/// One version of each API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Api {
    /// Of the Buildpack API.
    pub buildpack: String,
    /// Of the Platform API.
    pub platform: String,
}

/// The versions of each API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Apis {
    /// Of the Buildpack API.
    pub buildpack: Versions,
    /// Of the Platform API.
    pub platform: Versions,
}

/// The versions of an API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Versions {
    /// Those that will be given up.
    pub deprecated: Vec<String>,
    /// The others.
    pub supported: Vec<String>,
}

/// The program that made a builder (BIMG-07).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Creator {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Metadata {
    /// What an image says of itself.
    ///
    /// # Errors
    /// When it is no builder.
    pub fn read(image: &Image) -> Result<Self> {
        let label = image.label(METADATA).context(|| format!("it has no label `{METADATA}`"));
        let label = label.hint("is it a builder? `cooper builder create` and `pack builder create` make them")?;
        serde_json::from_str(label).context(|| "its label is damaged")
    }

    /// The run images; older builders name one, with their stack.
    pub fn run_images(&self) -> Vec<RunImageNames> {
        let listed = self.images.clone().filter(|images| !images.is_empty()).unwrap_or_else(|| vec![self.stack.run_image.clone()]);
        let named = listed.into_iter().filter(|names| !names.image.is_empty());
        named.map(|names| RunImageNames { image: names.image, mirrors: names.mirrors.unwrap_or_default() }).collect()
    }
}

impl From<&RunImageNames> for Names {
    fn from(names: &RunImageNames) -> Self {
        Self { image: names.image.clone(), mirrors: Some(names.mirrors.clone()).filter(|mirrors| !mirrors.is_empty()) }
    }
}
