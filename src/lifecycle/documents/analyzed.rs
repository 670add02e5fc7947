//! `analyzed.toml`: what was known of the previous image and the run image before the build (Platform spec, `analyzed.toml`).

use super::layers_metadata::LayersMetadata;
use crate::buildpack::Distro;
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};

/// What the analyzer found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analyzed {
    /// What identifies the previous image; none where there was no usable one.
    pub previous_image: Option<String>,
    /// What the previous image is made of.
    pub metadata: LayersMetadata,
    /// The run image.
    pub run_image: Option<RunImage>,
    /// The build image, where an extension needs it.
    pub build_image: Option<String>,
}

/// The run image that the app will stand on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunImage {
    /// What identifies the very image.
    pub reference: String,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Whether an extension wants to extend it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub extend: bool,
    /// What it runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
}

/// What an image runs on (Buildpack spec, targets).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// The label `io.buildpacks.base.id`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The operating system.
    pub os: String,
    /// The architecture.
    pub arch: String,
    /// The variant of the architecture; the specification names the key `variant`, the reference writes it as here.
    #[serde(rename = "arch-variant", alias = "variant", skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// The distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distro: Option<Distro>,
}

impl Target {
    /// The target as buildpacks are asked whether they work on it.
    pub fn for_buildpacks(&self) -> crate::buildpack::Target {
        crate::buildpack::Target {
            os: self.os.clone(),
            arch: self.arch.clone(),
            variant: self.variant.clone(),
            distros: self.distro.iter().cloned().collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    image: ImageReference,
    #[serde(rename = "build-image", default, skip_serializing_if = "Option::is_none")]
    build_image: Option<ImageReference>,
    #[serde(rename = "run-image", default, skip_serializing_if = "Option::is_none")]
    run_image: Option<RunImage>,
    #[serde(default)]
    metadata: toml::Table,
}

#[derive(Default, Serialize, Deserialize)]
struct ImageReference {
    #[serde(default)]
    reference: String,
}

impl Analyzed {
    /// Reads the text of `analyzed.toml`.
    pub fn parse(text: &str) -> Result<Self> {
        let document: Document = toml::from_str(text).context(|| "cannot read analyzed metadata")?;
        Ok(Self {
            previous_image: Some(document.image.reference).filter(|reference| !reference.is_empty()),
            metadata: LayersMetadata::from_toml(&document.metadata)?,
            run_image: document.run_image,
            build_image: document.build_image.map(|image| image.reference),
        })
    }

    /// Writes the text of `analyzed.toml`.
    pub fn to_toml(&self) -> Result<String> {
        let document = Document {
            image: ImageReference { reference: self.previous_image.clone().unwrap_or_default() },
            build_image: self.build_image.clone().map(|reference| ImageReference { reference }),
            run_image: self.run_image.clone(),
            metadata: self.metadata.to_toml()?,
        };
        toml::to_string(&document).context(|| "cannot write analyzed metadata")
    }

    /// The run image, or the error of the phases that cannot do without (exit code 3).
    pub fn required_run_image(&self) -> Result<&RunImage> {
        let run_image = self.run_image.as_ref().filter(|run_image| !run_image.reference.is_empty());
        run_image.ok_or_else(|| Error::new("run image not found in analyzed metadata").code(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FMT-12: both tables are written without a previous image.
    #[test]
    fn a_first_build_has_all_tables() {
        let run_image = RunImage { reference: "r.io/run@sha256:44".into(), ..RunImage::default() };
        let text = Analyzed { run_image: Some(run_image), ..Analyzed::default() }.to_toml().expect("TOML");
        let table: toml::Table = toml::from_str(&text).expect("TOML");
        assert_eq!(table["image"]["reference"].as_str(), Some(""));
        assert_eq!(table["run-image"]["reference"].as_str(), Some("r.io/run@sha256:44"));
        assert!(table["run-image"].get("extend").is_none());
        assert_eq!(table["metadata"]["config"]["sha"].as_str(), Some(""));
        assert!(table.get("previous-image").is_none());
    }

    /// ANA-03, ANA-10, FMT-14.
    #[test]
    fn both_spellings_of_the_variant_are_read_and_one_is_written() {
        for key in ["variant", "arch-variant"] {
            let text = format!("junk = 1\n[run-image]\nreference = 'x'\n[run-image.target]\nos = 'linux'\narch = 'arm64'\n{key} = 'v8'\n");
            let analyzed = Analyzed::parse(&text).expect("analyzed");
            assert_eq!(analyzed.run_image.as_ref().and_then(|run| run.target.as_ref()).map(|target| target.variant.as_str()), Some("v8"));
            let written = analyzed.to_toml().expect("TOML");
            assert!(written.contains("arch-variant = \"v8\""), "{written}");
            assert_eq!(Analyzed::parse(&written).expect("analyzed"), analyzed);
        }
    }

    /// EXP-01.
    #[test]
    fn a_missing_run_image_is_an_invalid_argument() {
        for text in ["", "[run-image]\nreference = ''\n"] {
            let error = Analyzed::parse(text).expect("analyzed").required_run_image().map(|_| ()).expect_err("there is none");
            assert_eq!((error.to_string().as_str(), error.exit_code()), ("run image not found in analyzed metadata", 3));
        }
    }
}
