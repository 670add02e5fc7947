//! Whether two images are the same, and if not, which layer, file and byte, or which value of the configuration parts them first.

use super::tar::{Parting, parting};
use crate::archive::decompressed;
use crate::error::{Context, Result};
use crate::image::{Digest, Image, Layer};
use crate::platform::diff::{ValueChange, values};
use crate::store::Store;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::File;

/// An image beside the one that was built once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The digest of the image.
    pub digest: Digest,
    /// The digest of the one that was built.
    pub rebuilt: Digest,
    /// The layers that differ, the lowest first.
    pub layers: Vec<LayerParting>,
    /// Values of the configuration that differ, but for digests of those layers.
    pub config: Vec<ValueChange>,
}

/// Two layers at the same height that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerParting {
    /// Their number, counted from the lowest, which is 0.
    pub index: usize,
    /// How the layer came to be.
    pub created_by: String,
    /// The digest of the image's tar; nothing where it has none so high.
    pub from: Option<Digest>,
    /// The digest of the tar that was built; nothing where there is none so high.
    pub to: Option<Digest>,
    /// What differs first in them; nothing where only one is there, or where only their compression differs, or what no reader of a tar sees.
    pub first: Option<Parting>,
}

impl Comparison {
    /// Whether the two are the same to the bit.
    pub fn is_same(&self) -> bool {
        self.digest == self.rebuilt
    }
}

/// Compares an image with the one that was built once more. `bring` fetches a layer of the first into the store.
///
/// # Errors
/// When a layer that differs cannot be read.
pub fn compare(
    (image, digest): (&Image, &Digest),
    (rebuilt, new_digest): (&Image, &Digest),
    store: &Store,
    bring: impl Fn(&Layer) -> Result<()>,
) -> Result<Comparison> {
    let mut layers = Vec::new();
    for index in 0..image.layers.len().max(rebuilt.layers.len()) {
        let (from, to) = (image.layers.get(index), rebuilt.layers.get(index));
        if from.map(|layer| &layer.blob.digest) == to.map(|layer| &layer.blob.digest) {
            continue;
        }
        let first = match (from, to) {
            (Some(from), Some(to)) if from.diff_id != to.diff_id => {
                bring(from)?;
                parting_of(from, to, store).context(|| format!("cannot compare the layers {} and {}", from.diff_id, to.diff_id))?
            }
            (Some(_) | None, Some(_) | None) => None,
        };
        let created_by = from.or(to).map(|layer| layer.history.created_by.clone()).unwrap_or_default();
        let diff_id = |layer: Option<&Layer>| layer.map(|layer| layer.diff_id.clone());
        layers.push(LayerParting { index, created_by, from: diff_id(from), to: diff_id(to), first });
    }
    let config = config_changes(image, rebuilt)?;
    Ok(Comparison { digest: digest.clone(), rebuilt: new_digest.clone(), layers, config })
}

fn parting_of(from: &Layer, to: &Layer, store: &Store) -> Result<Option<Parting>> {
    let open = |layer: &Layer| -> Result<_> {
        let blob = File::open(store.blob_path(&layer.blob.digest)).context(|| format!("cannot open the blob {}", layer.blob.digest))?;
        Ok(decompressed(blob)?)
    };
    parting(open(from)?, open(to)?)
}

/// What differs in the configurations; digests of layers follow from the layers themselves.
fn config_changes(from: &Image, to: &Image) -> Result<Vec<ValueChange>> {
    let value = |image: &Image| serde_json::to_value(&image.config).context(|| "cannot write the configuration");
    let ids = |image: &Image| image.layers.iter().map(|layer| layer.diff_id.to_string()).collect::<BTreeSet<_>>();
    let (old, new) = (ids(from), ids(to));
    let follows =
        |change: &ValueChange| match (change.from.as_ref().and_then(|from| from.as_str()), change.to.as_ref().and_then(|to| to.as_str())) {
            (Some(from), Some(to)) => old.contains(from) && new.contains(to),
            (Some(_) | None, Some(_) | None) => false,
        };
    let mut changes = values(&value(from)?, &value(to)?);
    changes.retain(|change| !follows(change));
    Ok(changes)
}
