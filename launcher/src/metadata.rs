//! `<layers>/config/metadata.toml`: what the builder phase hands to the exporter and the launcher (CNB Platform Specification, metadata.toml).

use serde::{Deserialize, Deserializer, Serialize};

/// Everything about a build that outlives it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildMetadata {
    /// The process that runs unless another is asked for.
    #[serde(rename = "buildpack-default-process-type", default, skip_serializing_if = "Option::is_none")]
    pub default_process_type: Option<String>,
    /// The buildpacks that took part, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buildpacks: Vec<GroupElement>,
    /// The extensions that took part, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<GroupElement>,
    /// Labels of the image, in the order in which they are set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<Label>,
    /// The processes, sorted by type; written also where there are none (FMT-17).
    #[serde(default)]
    pub processes: Vec<Process>,
    /// How the app is divided into layers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<Slice>,
}

/// A buildpack or extension that takes part in a build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupElement {
    /// Its ID.
    pub id: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
    /// The Buildpack API that it speaks.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub api: String,
    /// Where to read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
}

/// A label of the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Patterns of the files of one layer of the app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// The patterns.
    #[serde(default)]
    pub paths: Vec<String>,
}

/// A process that an image can start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// The program and arguments that always come first.
    #[serde(default, deserialize_with = "text_or_list")]
    pub command: Vec<String>,
    /// Arguments that a user may replace. None and no list at all mean the same, and are written as they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// Whether it starts without a shell.
    #[serde(default)]
    pub direct: bool,
    /// Whether the buildpack wants it to be the default; not part of metadata.toml (BLD-22).
    #[serde(default, skip_serializing)]
    pub default: bool,
    /// The buildpack that defined it.
    #[serde(rename = "buildpack-id", default)]
    pub buildpack_id: String,
    /// Where it starts; the app's folder where it is absent.
    #[serde(rename = "working-dir", default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// The execution environments that it is for; all where it is empty.
    #[serde(rename = "exec-env", default, skip_serializing_if = "Vec::is_empty")]
    pub exec_env: Vec<String>,
}

impl Process {
    /// Whether it may run in this execution environment.
    pub fn is_for(&self, exec_env: &str) -> bool {
        self.exec_env.is_empty() || self.exec_env.iter().any(|env| env == "*" || env == exec_env)
    }
}

/// Old platforms write the command as one string (FMT-11).
fn text_or_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Command {
        Text(String),
        List(Vec<String>),
    }
    Ok(match Command::deserialize(deserializer)? {
        Command::Text(text) => vec![text],
        Command::List(list) => list,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FMT-11, FMT-14.
    #[test]
    fn commands_are_a_text_or_a_list_and_unknown_keys_do_no_harm() {
        let text =
            "junk = 1\n[[processes]]\ntype = 'a'\ncommand = 'x y'\n[[processes]]\ntype = 'b'\ncommand = ['x', 'y']\nexec-env = ['test']\n";
        let metadata: BuildMetadata = toml::from_str(text).unwrap();
        assert_eq!([metadata.processes[0].command.len(), metadata.processes[1].command.len()], [1, 2]);
        assert!(metadata.processes[0].is_for("any") && metadata.processes[1].is_for("test") && !metadata.processes[1].is_for("production"));
    }
}
