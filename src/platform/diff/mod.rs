//! What differs between two images: layers, packages, settings, labels, files and sizes. Start with [`diff`].

mod document;
mod files;
mod packages;

pub use document::{ValueChange, changes as values};
pub use files::{FileChange, FileState, Kind};
pub use packages::PackageChange;

use super::images::Images;
use super::place::Place;
use super::transfer::{Extent, Opened};
use crate::error::{Context, Result};
use crate::image::{Digest, Image, Platform};
use sbom::Inventory;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What differs between two images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The first image.
    pub from: Side,
    /// The second one.
    pub to: Side,
    /// Their layers.
    pub layers: Layers,
    /// What their configurations say in different ways: settings and labels. Layers and their history are not repeated here.
    pub config: Vec<ValueChange>,
    /// The packages whose versions differ, of the operating system and of languages.
    pub packages: Vec<PackageChange>,
    /// The files that differ.
    pub files: Vec<FileChange>,
}

/// One of the two images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// Where it is.
    pub image: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// What it runs on.
    pub platform: Platform,
    /// When it says that it was made.
    pub created: String,
    /// Bytes of its layers as they are sent.
    pub size: u64,
}

/// The layers of two images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layers {
    /// How many both have.
    pub shared: usize,
    /// Those that only the first has, the lowest first.
    pub removed: Vec<LayerOfOne>,
    /// Those that only the second has, the lowest first.
    pub added: Vec<LayerOfOne>,
}

/// A layer that only one of the images has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerOfOne {
    /// Its number, counted from the lowest, which is 0.
    pub index: usize,
    /// Digest of its tar.
    pub diff_id: Digest,
    /// Bytes of its blob.
    pub size: u64,
    /// How it came to be.
    pub created_by: String,
}

impl Difference {
    /// Whether the images are different ones.
    pub fn is_any(&self) -> bool {
        self.from.digest != self.to.digest
    }
}

/// Compares two images. Layers are fetched only where their files may differ.
///
/// # Errors
/// When one of the images is not there, or cannot be read.
pub fn diff(from: &Place, to: &Place, images: &Images) -> Result<Difference> {
    let open = |place: &Place| images.open(place, Extent::One).context(|| format!("cannot open `{place}`"));
    let (a, b) = (open(from)?, open(to)?);
    let (image, other) = (a.image()?, b.image()?);
    let layers = Layers::between(image, other);
    let (mut files, mut packages) = (Vec::new(), Vec::new());
    let order = |image: &Image| image.layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>();
    if order(image) != order(other) {
        images.bring_layers(&a)?;
        images.bring_layers(&b)?;
        files = files::changes(image, other, images.store)?;
        packages = packages::changes(&inventory(&a, images)?, &inventory(&b, images)?);
    }
    Ok(Difference {
        config: document::changes(&settings(image)?, &settings(other)?),
        from: Side::of(from, &a)?,
        to: Side::of(to, &b)?,
        layers,
        packages,
        files,
    })
}

/// The packages of an image.
fn inventory(opened: &Opened, images: &Images) -> Result<Inventory> {
    let about = opened.about("").next().context(|| "the index has no images")?;
    Ok(images.sbom(&about).context(|| "cannot list the packages")?.inventory)
}

/// The configuration without what tells of layers, with variables by their names.
fn settings(image: &Image) -> Result<Value> {
    let mut config = serde_json::to_value(&image.config).context(|| "cannot write the configuration")?;
    if let Some(config) = config.as_object_mut() {
        config.remove("rootfs");
        config.remove("history");
    }
    if let Some(env) = config.pointer_mut("/config/Env") {
        let variable = |text: &Value| text.as_str()?.split_once('=').map(|(name, value)| (name.to_string(), Value::from(value)));
        let by_name: Option<Map<String, Value>> = env.as_array().and_then(|all| all.iter().map(variable).collect());
        if let Some(by_name) = by_name {
            *env = Value::Object(by_name);
        }
    }
    Ok(config)
}

impl Side {
    fn of(place: &Place, opened: &Opened) -> Result<Self> {
        let (image, digest) = opened.images().next().context(|| "the index has no images")?;
        Ok(Self {
            image: place.to_string(),
            digest: digest.clone(),
            platform: Platform::of(&image.config),
            created: image.config.created.clone(),
            size: image.compressed_size(),
        })
    }
}

impl Layers {
    fn between(from: &Image, to: &Image) -> Self {
        let ids = |image: &Image| image.layers.iter().map(|layer| layer.diff_id.clone()).collect::<BTreeSet<_>>();
        let only = |image: &Image, other: BTreeSet<Digest>| -> Vec<LayerOfOne> {
            let own = image.layers.iter().enumerate().filter(|(_, layer)| !other.contains(&layer.diff_id));
            own.map(|(index, layer)| LayerOfOne {
                index,
                diff_id: layer.diff_id.clone(),
                size: layer.blob.size,
                created_by: layer.history.created_by.clone(),
            })
            .collect()
        };
        let (removed, added) = (only(from, ids(to)), only(to, ids(from)));
        Self { shared: to.layers.len() - added.len(), removed, added }
    }
}
