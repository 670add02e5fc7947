//! How an image was made (SLSA Provenance v1): all that another build of the same image needs, and nothing that differs between equal builds, as times
//! do. docs/guides/signing.md says what each field means.

mod asked;

pub use asked::{Build, Chosen, Named, Rebase, Source, Variable};

use crate::error::{Context, Error, Result};
use crate::image::{ArtifactFile, Digest, to_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a build is called.
pub const BUILD: &str = "urn:cooper:build:v1";
/// What a rebase is called.
pub const REBASE: &str = "urn:cooper:rebase:v1";
/// The program that did it.
pub const BUILDER: &str = "urn:cooper";

/// How an image was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// From what.
    pub build_definition: Definition,
    /// By what.
    pub run_details: RunDetails,
}

/// From what an image was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    /// [`BUILD`] or [`REBASE`].
    pub build_type: String,
    /// What a person asked for: [`Build`] or [`Rebase`].
    pub external_parameters: Value,
    /// What followed from it: [`Chosen`].
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub internal_parameters: Value,
    /// What was used for it.
    #[serde(default)]
    pub resolved_dependencies: Vec<Resource>,
}

/// What was used for an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// What it is to the build: one of [`resource`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Where it is, or what identifies it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub uri: String,
    /// Its digests, by the algorithm.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub digest: BTreeMap<String, String>,
    /// What kind of file it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
}

/// Names of what is used for an image.
pub mod resource {
    /// The repository that the source is from.
    pub const REPOSITORY: &str = "repository";
    /// The files of the source that went into the build.
    pub const SOURCE: &str = "source";
    /// The image that buildpacks run in.
    pub const BUILD_IMAGE: &str = "build image";
    /// The image that the app stands on.
    pub const RUN_IMAGE: &str = "run image";
    /// The packages of the build image.
    pub const BUILD_LOCK: &str = "build lock";
    /// The packages of the run image.
    pub const RUN_LOCK: &str = "run lock";
    /// A buildpack or extension; its identifier follows after a blank.
    pub const BUILDPACK: &str = "buildpack";
    /// The image before a rebase.
    pub const IMAGE: &str = "image";
    /// The run image before a rebase.
    pub const OLD_RUN_IMAGE: &str = "old run image";
}

impl Resource {
    /// What has a digest of its content.
    pub fn new(name: impl Into<String>, uri: impl Into<String>, digest: &Digest) -> Self {
        let digest = BTreeMap::from([("sha256".to_string(), digest.hex().to_string())]);
        Self { name: name.into(), uri: uri.into(), digest, media_type: String::new() }
    }

    /// A file that is beside the image too.
    pub fn of_file(name: &str, file: &ArtifactFile) -> Self {
        Self { media_type: file.media_type.clone(), ..Self::new(name, "", &Digest::of(&file.content)) }
    }

    /// The digest of its content.
    pub fn sha256(&self) -> Option<Digest> {
        self.digest.get("sha256").and_then(|hex| Digest::from_hex(hex).ok())
    }
}

/// What made an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunDetails {
    /// The program.
    pub builder: BuilderId,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuilderId {
    /// Who it is.
    pub id: String,
    /// Its version.
    #[serde(default)]
    pub version: BTreeMap<String, String>,
}

impl Provenance {
    /// The provenance of a build of this program.
    ///
    /// # Errors
    /// Never; the encoder would allow for it.
    pub fn of_build(asked: &Build, chosen: &Chosen, used: Vec<Resource>) -> Result<Self> {
        Self::new(BUILD, value(asked)?, value(chosen)?, used)
    }

    /// The provenance of a rebase by this program.
    ///
    /// # Errors
    /// As [`Provenance::of_build`].
    pub fn of_rebase(asked: &Rebase, used: Vec<Resource>) -> Result<Self> {
        Self::new(REBASE, value(asked)?, Value::Null, used)
    }

    fn new(build_type: &str, external_parameters: Value, internal_parameters: Value, resolved_dependencies: Vec<Resource>) -> Result<Self> {
        let version = BTreeMap::from([("cooper".to_string(), env!("CARGO_PKG_VERSION").to_string())]);
        Ok(Self {
            build_definition: Definition { build_type: build_type.into(), external_parameters, internal_parameters, resolved_dependencies },
            run_details: RunDetails { builder: BuilderId { id: BUILDER.into(), version } },
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).context(|| "the provenance makes no sense")
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_json(self)
    }

    /// What was asked a build for.
    ///
    /// # Errors
    /// When it is not of a build of this program.
    pub fn build(&self) -> Result<Build> {
        self.asked(BUILD)
    }

    /// What was asked a rebase for.
    ///
    /// # Errors
    /// When it is not of a rebase by this program.
    pub fn rebase(&self) -> Result<Rebase> {
        self.asked(REBASE)
    }

    /// What followed from what was asked for.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn chosen(&self) -> Result<Chosen> {
        serde_json::from_value(self.build_definition.internal_parameters.clone()).context(|| "the provenance makes no sense")
    }

    /// What was used under a name.
    pub fn used(&self, name: &str) -> Option<&Resource> {
        self.build_definition.resolved_dependencies.iter().find(|resource| resource.name == name)
    }

    fn asked<T: serde::de::DeserializeOwned>(&self, kind: &str) -> Result<T> {
        let found = &self.build_definition.build_type;
        if found != kind {
            return Err(Error::new(format!("the image was made by a `{found}`, not a `{kind}`")));
        }
        serde_json::from_value(self.build_definition.external_parameters.clone()).context(|| "the provenance makes no sense")
    }
}

fn value(of: &impl Serialize) -> Result<Value> {
    serde_json::to_value(of).context(|| "cannot write the provenance")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn provenance_is_read_as_it_is_written() {
        let asked = Build {
            source: Source { uri: "git+https://acme.test/app".into(), commit: "6f1d".into(), dirty: Some(false), files: None },
            environment: vec![Variable { name: "TOKEN".into(), value: None }],
            builder: "trixie".into(),
            ..Build::default()
        };
        let chosen = Chosen { group: vec!["a@1".into()], ..Chosen::default() };
        let used = vec![Resource::new(resource::RUN_IMAGE, "run", &Digest::of(b"run"))];
        let provenance = Provenance::of_build(&asked, &chosen, used).unwrap();
        let again = Provenance::parse(&provenance.to_bytes()).unwrap();
        assert_eq!((again.build().unwrap(), again.chosen().unwrap()), (asked, chosen));
        assert_eq!(again.used(resource::RUN_IMAGE).unwrap().sha256(), Some(Digest::of(b"run")));
        assert!(again.rebase().unwrap_err().to_string().contains("urn:cooper:build:v1"));
        assert!(Provenance::parse(b"{}").is_err());
    }
}
