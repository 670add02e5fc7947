//! `report.toml`: what the export made (Platform spec, `report.toml`).

use crate::buildpack::BomEntry;
use crate::error::{Context, Result};
use serde::{Deserialize, Serialize};

/// What the export made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The old bill of materials of what the build used; Platform API before 0.9 (EXP-35).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub build: Option<BuildReport>,
    /// The image.
    pub image: ImageReport,
}

/// What the build used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BuildReport {
    /// The components.
    pub bom: Vec<BomEntry>,
}

/// The image that was made. Registries know it by its digest, engines by its ID.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageReport {
    /// The names that it was saved under.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The ID in an engine, without the name of the algorithm.
    #[serde(rename = "image-id", skip_serializing_if = "String::is_empty")]
    pub image_id: String,
    /// The digest of its manifest.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// The size of its manifest in bytes.
    #[serde(rename = "manifest-size", skip_serializing_if = "is_zero")]
    pub manifest_size: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Report {
    /// Writes the text of `report.toml`.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context(|| "cannot write the report")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXP-33, EXP-34.
    #[test]
    fn only_what_is_known_is_written() {
        let tags = vec!["r.io/app:1".to_string()];
        let image = ImageReport { tags: tags.clone(), digest: "sha256:88".into(), manifest_size: 2413, ..ImageReport::default() };
        assert_eq!(
            Report { image, build: None }.to_toml().expect("TOML"),
            "[image]\ntags = [\"r.io/app:1\"]\ndigest = \"sha256:88\"\nmanifest-size = 2413\n"
        );
        let image = ImageReport { tags, image_id: "99".into(), ..ImageReport::default() };
        assert_eq!(Report { image, build: None }.to_toml().expect("TOML"), "[image]\ntags = [\"r.io/app:1\"]\nimage-id = \"99\"\n");
    }
}
