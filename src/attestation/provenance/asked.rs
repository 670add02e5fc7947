//! What a person asked for, and what followed from it: the parameters of builds and rebases.

use crate::image::Digest;
use serde::{Deserialize, Serialize};

/// What a person asked a build for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Build {
    /// The source.
    pub source: Source,
    /// The builder, as it was named.
    pub builder: String,
    /// The run image, where one was named.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub run_image: String,
    /// What the image is for.
    pub platform: String,
    /// The buildpacks that were named, each with the option that named it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buildpacks: Vec<Named>,
    /// The variables of the build.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<Variable>,
    /// The process that the image starts by default, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_process: Option<String>,
    /// The time of creation in seconds since 1970, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<String>,
    /// The execution environment.
    pub exec_env: String,
    /// Where the source is in the image.
    pub workspace: String,
    /// The build's user and group, where they are not the builder's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The network of the build phase.
    pub network: String,
    /// Where folders of the machine were seen in the build: what was in them is not known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
}

/// Where the source came from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    /// The address of its repository, where it is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub uri: String,
    /// The commit, where it is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit: String,
    /// Whether there were changes besides the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
    /// The digest of the files that went into the build.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Digest>,
}

/// Something that an option named.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    /// The option, without dashes.
    pub option: String,
    /// What it named.
    pub value: String,
}

/// A variable of a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value; not of one that may be secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What followed in a build from what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Chosen {
    /// The buildpacks that passed detection, as `ID@VERSION`, in order.
    pub group: Vec<String>,
    /// The extensions likewise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// The packages that were added to the build image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub build_packages: Vec<String>,
    /// The packages that were added to the run image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub run_packages: Vec<String>,
}

/// What a person asked a rebase for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rebase {
    /// The image before: its name and its digest.
    pub image: String,
    /// The run image before, as the image named it.
    pub old_run_image: String,
    /// The run image now.
    pub run_image: String,
}
