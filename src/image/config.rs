//! The image configuration, with every field that an engine or another tool put there kept (OCI Image Specification, config).

use super::Digest;
use super::manifest::null_is_empty;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The time that images carry (CNB Platform Specification, "Build Reproducibility").
pub const CREATED: &str = "1980-01-01T00:00:01Z";

/// This machine's processor, as images name it.
pub fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// An image configuration. Fields stand in the order in which the reference writes them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// The processor, as `amd64`.
    pub architecture: String,
    /// Who made the image.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// The container that an engine made the image from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// When it was made, RFC 3339.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created: String,
    /// The engine's version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub docker_version: String,
    /// How each layer came to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_empty")]
    pub history: Vec<History>,
    /// The operating system, as `linux`.
    pub os: String,
    /// The layers' tars.
    pub rootfs: RootFs,
    /// How a container of the image is run.
    #[serde(default)]
    pub config: RunConfig,
    /// The operating system's version.
    #[serde(rename = "os.version", default, skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// The processor's variant, as `v8`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// What this program does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// How one layer came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// By whom.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created: String,
    /// By which command.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_by: String,
    /// A note.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// Whether the step made no layer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub empty_layer: bool,
}

/// The digests of the layers' tars.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests, of the lowest layer first.
    #[serde(deserialize_with = "null_is_empty")]
    pub diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".into(), diff_ids: Vec::new() }
    }
}

/// How a container of an image is run, in the key order of Docker's and go-containerregistry's type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RunConfig {
    /// Arguments of the entrypoint, or the command where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Vec<String>>,
    /// How the engine asks whether the container is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Value>,
    /// The program to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Environment, each `NAME=VALUE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<String>>,
    /// The image that an engine started from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// Labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    /// User and group, as `1000:1000`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Folders that are volumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<BTreeMap<String, Value>>,
    /// The working directory.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// Ports that the program listens on, as `8080/tcp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposed_ports: Option<BTreeMap<String, Value>>,
    /// The signal that stops the program.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// The shell of the shell form of instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<Vec<String>>,
    /// What this program does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Config {
    /// One history entry for each layer: entries of steps without a layer are dropped, and where the count does not match, all are
    /// blank (TAR-12).
    pub fn layer_histories(&self) -> Vec<History> {
        let of_layers: Vec<History> = self.history.iter().filter(|history| !history.empty_layer).cloned().collect();
        if of_layers.len() == self.rootfs.diff_ids.len() { of_layers } else { vec![History::default(); self.rootfs.diff_ids.len()] }
    }

    /// The value of an environment variable.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let variables = self.config.env.as_ref()?;
        variables.iter().find_map(|variable| variable.strip_prefix(name)?.strip_prefix('='))
    }

    /// Sets an environment variable: in its place where it is set, at the end otherwise (EXP-19).
    pub fn set_variable(&mut self, name: &str, value: &str) {
        let variables = self.config.env.get_or_insert_default();
        let line = format!("{name}={value}");
        match variables.iter_mut().find(|variable| variable.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))) {
            Some(variable) => *variable = line,
            None => variables.push(line),
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::super::to_json;
    use super::*;

    #[test]
    fn what_is_not_known_survives() {
        let text = r#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":null},"config":{"Cmd":["a"],"OnBuild":["x"]},"moby.x":1}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        let again: Value = serde_json::from_slice(&to_json(&config)).unwrap();
        assert_eq!(again["config"]["OnBuild"][0], "x");
        assert_eq!(again["moby.x"], 1);
        assert_eq!(again["rootfs"]["diff_ids"], serde_json::json!([]));
    }

    /// FMT-01. The recorded configuration is the reference's own bytes.
    #[test]
    fn the_bytes_are_the_references() {
        let recorded = include_str!("../../fixtures/golden/hello-registry/config.json");
        let config: Config = serde_json::from_str(recorded).unwrap();
        assert_eq!(String::from_utf8(to_json(&config)).unwrap(), recorded);
    }

    /// EXP-19.
    #[test]
    fn variables_keep_their_place() {
        let mut config = Config::default();
        for (name, value) in [("PATH", "/bin"), ("A", "1"), ("PATH", "/x:/bin")] {
            config.set_variable(name, value);
        }
        assert_eq!(config.config.env.as_deref().unwrap(), ["PATH=/x:/bin", "A=1"]);
        assert_eq!(config.variable("A"), Some("1"));
        assert_eq!(config.variable("P"), None);
    }

    /// TAR-12.
    #[test]
    fn histories_match_the_layers_or_are_blank() {
        let layer = |empty_layer| History { created_by: "x".into(), empty_layer, ..History::default() };
        let mut config = Config { history: vec![layer(false), layer(true)], ..Config::default() };
        config.rootfs.diff_ids = vec![Digest::of(b"")];
        assert_eq!(config.layer_histories(), [layer(false)]);
        config.history = vec![];
        assert_eq!(config.layer_histories(), [History::default()]);
    }
}
