//! `<layer>.toml`: what a buildpack says of a layer (Buildpack spec, "Layer Content Metadata").

use crate::error::{Context, Result};
use serde::{Deserialize, Serialize};

/// What a buildpack says of a layer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerToml {
    /// What the layer is for.
    #[serde(default)]
    pub types: LayerTypes,
    /// What the buildpack wants to find the next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<toml::Table>,
}

/// What a layer is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LayerTypes {
    /// It is in the image.
    pub launch: bool,
    /// Later buildpacks see it.
    pub build: bool,
    /// It is kept for the next build.
    pub cache: bool,
}

impl LayerToml {
    /// Reads the text of `<layer>.toml`.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context(|| "cannot read the metadata of a layer")
    }
}
