//! `buildpack.toml` and `extension.toml` as they are written (CNB Buildpack Specification). What becomes of them when they run, with what a
//! descriptor leaves out filled in, is [`super::Descriptor`].

use super::order::Group;
use super::{Kind, Target, keys};
use crate::error::{Advice, Context, Error, Result};
use launcher::api::{Api, BUILDPACK};
use serde::{Deserialize, Deserializer, Serialize};

/// Exit code for an API that is not spoken (API-07).
pub(super) const INCOMPATIBLE_BUILDPACK: u8 = 12;

/// A descriptor as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleToml {
    /// Whether it describes a buildpack or an extension.
    pub kind: Kind,
    /// The Buildpack API that it names, or nothing.
    pub api: String,
    /// What it says of itself.
    pub info: ModuleInfo,
    /// Media types of the SBOM files that it writes.
    pub sbom_formats: Vec<String>,
    /// What it works on.
    pub targets: Vec<Target>,
    /// What older ones work on.
    pub stacks: Vec<Stack>,
    /// The groups that a composite buildpack stands for.
    pub order: Vec<Group>,
}

/// What a buildpack or extension says of itself, in the key order of packages' labels (PKG-05).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct ModuleInfo {
    /// Its ID.
    pub id: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What it does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Where to read more.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub homepage: String,
    /// What it is found by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keywords: Vec<String>,
    /// The execution environments that it is for; all where it is empty.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "exec_env")]
    pub exec_env: Vec<String>,
    /// What it may be used under.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<License>,
    /// Whether the user's variables are kept from its processes (DESC-05).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub clear_env: bool,
}

/// What something may be used under. The reference writes its keys in upper case (PKG-06).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct License {
    /// Its SPDX identifier.
    #[serde(rename = "Type", alias = "type")]
    pub kind: String,
    /// Where its text is.
    #[serde(rename = "URI", alias = "uri")]
    pub uri: String,
}

/// A stack, by which older buildpacks say what they work on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Its ID, or `*`.
    #[serde(default)]
    pub id: String,
    /// What must be installed there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixins: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    api: String,
    #[serde(alias = "extension")]
    buildpack: Section,
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(default)]
    stacks: Vec<Stack>,
    #[serde(default)]
    order: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Section {
    #[serde(flatten)]
    info: ModuleInfo,
    #[serde(default)]
    sbom_formats: Vec<String>,
}

/// The specification has tables, the reference strings (DESC-09).
#[derive(Deserialize)]
#[serde(untagged)]
enum ExecEnv {
    Text(String),
    Table { name: String },
}

fn exec_env<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Vec::<ExecEnv>::deserialize(deserializer)?.into_iter().map(|env| match env {
        ExecEnv::Text(name) | ExecEnv::Table { name } => name,
    });
    Ok(names.collect())
}

impl ModuleToml {
    /// Reads a descriptor.
    ///
    /// # Errors
    /// When the text is not one, or has no ID (PKG-22).
    pub fn parse(text: &str, kind: Kind) -> Result<Self> {
        let file: File = keys::parse(text).and_then(toml::Table::try_into).context(|| "it is not a descriptor")?;
        let File { api, buildpack: Section { info, sbom_formats }, targets, stacks, order } = file;
        if info.id.is_empty() {
            return Err(Error::new(format!("`{}.id` is required", kind.name())));
        }
        Ok(Self { kind, api, info, sbom_formats, targets, stacks, order })
    }

    /// The Buildpack API, if this program speaks it.
    ///
    /// # Errors
    /// When it does not (exit code 12).
    pub fn spoken_api(&self) -> Result<Api> {
        let api = Api::parse(&self.api).filter(|api| BUILDPACK.contains(api));
        api.context(|| format!("buildpack API version '{}' is incompatible with the lifecycle", self.api)).code(INCOMPATIBLE_BUILDPACK)
    }

    /// `ID@VERSION`.
    pub fn full_name(&self) -> String {
        format!("{}@{}", self.info.id, self.info.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PKG-05, PKG-06.
    #[test]
    fn what_a_package_says_is_in_the_references_form() {
        let text = "api = '0.12'\n[buildpack]\nid = 'a/b'\nname = 'A'\nversion = '1.2.3'\nhomepage = 'https://a.test'\nclear-env = true\n\
            description = 'd'\nkeywords = ['k']\nexec-env = ['test']\n[[buildpack.licenses]]\ntype = 'MIT'\n";
        let info = ModuleToml::parse(text, Kind::Buildpack).unwrap().info;
        let json = serde_json::to_string(&info).unwrap();
        assert_eq!(
            json,
            r#"{"id":"a/b","name":"A","version":"1.2.3","description":"d","homepage":"https://a.test","keywords":["k"],"exec-env":["test"],"licenses":[{"Type":"MIT","URI":""}],"clear-env":true}"#
        );
        assert_eq!(serde_json::from_str::<ModuleInfo>(&json.replace("Type", "type")).unwrap(), info);
    }

    /// PKG-22.
    #[test]
    fn an_id_is_required() {
        for (kind, section) in [(Kind::Buildpack, "buildpack"), (Kind::Extension, "extension")] {
            let error = ModuleToml::parse(&format!("[{section}]\nversion = '1'\n"), kind).unwrap_err();
            assert_eq!(error.to_string(), format!("`{section}.id` is required"));
        }
    }
}
