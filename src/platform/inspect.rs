//! What is known of an image in the store, for people and programs.

use crate::error::{Advice, Context, Result};
use crate::image::Reference;
use crate::lifecycle::documents::{BUILD_METADATA_LABEL, LIFECYCLE_METADATA_LABEL};
use crate::store::{Store, Stored};
use serde::Serialize;
use serde_json::Value;

/// An image, described.
#[derive(Debug, Serialize)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Digest of its manifest.
    pub digest: String,
    /// What it runs on, as `linux/amd64`.
    pub platform: String,
    /// When it says that it was made.
    pub created: String,
    /// Bytes of its layers as they are sent.
    pub size: u64,
    /// User and group.
    pub user: String,
    /// What it runs on top of.
    pub run_image: Option<String>,
    /// The buildpacks that built it, as `ID@VERSION`.
    pub buildpacks: Vec<String>,
    /// Its processes.
    pub processes: Vec<Process>,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// A process of an image.
#[derive(Debug, Serialize)]
pub struct Process {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether it starts unless another is asked for.
    pub default: bool,
}

/// A layer of an image.
#[derive(Debug, Serialize)]
pub struct Layer {
    /// Digest of its tar.
    pub diff_id: String,
    /// Bytes of its blob.
    pub size: u64,
    /// How it came to be.
    pub created_by: String,
}

/// Describes an image of the store.
///
/// # Errors
/// When it is not there or damaged.
pub fn inspect(name: &Reference, store: &Store) -> Result<Description> {
    let stored = store.find(name)?.context(|| format!("there is no image `{name}`")).hint("`cooper images` lists what is there")?;
    Ok(describe(name.familiar(), &stored))
}

fn describe(name: String, stored: &Stored) -> Description {
    let image = &stored.image;
    let json = |label: &str| image.label(label).and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
    let (build, lifecycle) = (json(BUILD_METADATA_LABEL), json(LIFECYCLE_METADATA_LABEL));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let default = text(&build["buildpack-default-process-type"]);
    let words = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
    let process = |process: &Value| Process {
        kind: text(&process["type"]),
        command: words(&process["command"]).into_iter().chain(words(&process["args"])).collect(),
        default: text(&process["type"]) == default,
    };
    Description {
        name,
        digest: stored.digest.to_string(),
        platform: format!("{}/{}", image.config.os, image.config.architecture),
        created: image.config.created.clone(),
        size: image.compressed_size(),
        user: image.config.config.user.clone(),
        run_image: lifecycle["runImage"]["reference"].as_str().map(str::to_string),
        buildpacks: build["buildpacks"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|buildpack| format!("{}@{}", text(&buildpack["id"]), text(&buildpack["version"])))
            .collect(),
        processes: build["processes"].as_array().into_iter().flatten().map(process).collect(),
        layers: image
            .layers
            .iter()
            .map(|layer| Layer { diff_id: layer.diff_id.to_string(), size: layer.blob.size, created_by: layer.history.created_by.clone() })
            .collect(),
    }
}
