//! An image as an engine describes it. The engine keeps layers as tars that it knows by their diffIDs: here such a tar counts as the layer's
//! blob, of a size that nobody said.

use crate::error::{Context, Result};
use crate::image::{Config, Descriptor, Digest, History, Image, Layer, RunConfig, media_type};
use serde::Deserialize;
use serde_json::{Map, Value};

/// An image in an engine.
#[derive(Clone, Debug)]
pub struct EngineImage {
    /// Its ID, without the name of the algorithm (IMG-17).
    pub id: String,
    /// The image. The digests of its layers' blobs are their diffIDs.
    pub image: Image,
}

/// The answer to "inspect".
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub struct Inspected {
    pub id: String,
    created: Option<String>,
    author: String,
    architecture: String,
    variant: String,
    os: String,
    os_version: String,
    config: Option<Map<String, Value>>,
    #[serde(rename = "RootFS")]
    root_fs: RootFs,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RootFs {
    layers: Option<Vec<Digest>>,
}

/// An entry of the answer to "history".
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub struct Step {
    created: i64,
    created_by: String,
    comment: String,
}

/// The image that an engine describes.
pub fn image(id: &str, inspected: Inspected, history: Vec<Step>) -> Result<EngineImage> {
    let mut config = Config {
        architecture: inspected.architecture,
        author: inspected.author,
        created: inspected.created.unwrap_or_default(),
        os: inspected.os,
        os_version: inspected.os_version,
        variant: inspected.variant,
        config: run_config(inspected.config.unwrap_or_default())?,
        ..Config::default()
    };
    config.rootfs.diff_ids = inspected.root_fs.layers.unwrap_or_default();
    // The newest step comes first; which ones made no layer is not said (TAR-12).
    config.history = history.into_iter().rev().map(Step::entry).collect();
    let layers = config.rootfs.diff_ids.iter().zip(config.layer_histories()).map(|(diff_id, history)| Layer {
        blob: Descriptor::new(media_type::LAYER, 0, diff_id.clone()),
        diff_id: diff_id.clone(),
        history,
    });
    let layers = layers.collect();
    Ok(EngineImage { id: id.trim_start_matches("sha256:").to_string(), image: Image { config, layers } })
}

/// What an engine says of running containers, without what it fills in by itself: whatever is empty or off, and the image's parent.
fn run_config(mut config: Map<String, Value>) -> Result<RunConfig> {
    config.retain(|name, value| name != "Image" && !is_empty(value));
    serde_json::from_value(Value::Object(config)).context(|| "cannot understand the image's configuration")
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) | Value::Number(_) => false,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
    }
}

impl Step {
    fn entry(self) -> History {
        let created = jiff::Timestamp::from_second(self.created).map(|time| time.to_string()).unwrap_or_default();
        History { created, created_by: self.created_by, comment: self.comment, ..History::default() }
    }
}
