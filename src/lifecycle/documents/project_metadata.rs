//! `project-metadata.toml` and its label: where the source came from (Platform spec, `project-metadata.toml`).

use super::json_of_toml;
use crate::error::{Context, Result};
use crate::image::to_json;
use serde::{Deserialize, Serialize};

/// Where the source came from; empty where nobody said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProjectMetadata {
    /// The source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// A source: what kind it is, which version, what else is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The kind, as `git`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// What identifies the version, as a commit.
    #[serde(default)]
    pub version: toml::Table,
    /// What else is known.
    #[serde(default)]
    pub metadata: toml::Table,
}

#[derive(Serialize)]
struct Label {
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<LabelSource>,
}

#[derive(Serialize)]
struct LabelSource {
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    version: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    metadata: serde_json::Map<String, serde_json::Value>,
}

impl ProjectMetadata {
    /// Reads the text of `project-metadata.toml`.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context(|| "cannot read project metadata")
    }

    /// Writes the label: `{}` where nothing is known.
    pub fn to_label(&self) -> String {
        let source = self.source.as_ref().map(|source| LabelSource {
            kind: source.kind.clone(),
            version: members(&source.version),
            metadata: members(&source.metadata),
        });
        String::from_utf8_lossy(&to_json(&Label { source })).into_owned()
    }
}

fn members(table: &toml::Table) -> serde_json::Map<String, serde_json::Value> {
    table.iter().map(|(key, value)| (key.clone(), json_of_toml(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// EXP-40, EXP-41.
    #[test]
    fn the_label_holds_what_the_file_says() {
        assert_eq!(ProjectMetadata::default().to_label(), "{}");
        let text = "[source]\ntype = 'git'\n[source.version]\ndescribe = 'v3'\ncommit = '6f1d'\n[source.metadata]\nurl = 'https://git.acme.test/a?b&c'\nrefs = ['main']\n";
        assert_eq!(
            ProjectMetadata::parse(text).expect("metadata").to_label(),
            r#"{"source":{"type":"git","version":{"commit":"6f1d","describe":"v3"},"metadata":{"refs":["main"],"url":"https://git.acme.test/a?b\u0026c"}}}"#
        );
    }
}
