//! Brings an image of the store into an engine, under all its names. What the engine has is not sent: of Docker's own store layers are known
//! by those of other images, of containerd's by the manifests that the store here has too.

use super::archive::{Present, Shipment, shared_layers};
use super::{Engine, EngineImage, Kind};
use crate::error::{Context, Result};
use crate::image::{Digest, Documents, Image, Layer, Manifest, Reference};
use crate::output::Output;
use crate::store::Store;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// So many images of an engine are looked at for layers.
const MOST_IMAGES: usize = 64;

/// An image of the store that goes to an engine.
pub struct Delivery<'a> {
    /// The image.
    pub image: &'a Image,
    /// Its documents.
    pub documents: &'a Documents,
    /// Its names.
    pub names: &'a [Reference],
    /// The store.
    pub store: &'a Store,
    /// Finds the blobs of layers.
    pub files: &'a mut dyn FnMut(&[Layer]) -> Result<Vec<PathBuf>>,
}

impl Engine {
    /// Brings an image into the engine and returns what it is there.
    ///
    /// # Errors
    /// When a layer cannot be found, or the engine refuses the image or a name.
    pub fn deliver(&self, delivery: Delivery, output: &Output) -> Result<EngineImage> {
        let Delivery { image, documents, names, store, files } = delivery;
        let (first, others) = names.split_first().context(|| "the image has no name")?;
        let kind = self.kind()?;
        let id = match kind {
            Kind::Docker | Kind::Podman => Digest::of(&documents.config),
            Kind::Containerd => documents.descriptor.digest.clone(),
        };
        let previous = self.named(first)?;
        let made = match (previous, self.image(id.as_str())?) {
            (Some(previous), _) if previous.id == id.hex() => previous,
            (_, Some(found)) if found.id == id.hex() => {
                self.tag(&found.id, first)?;
                found
            }
            (previous, _) => {
                let present = self.present(kind, image, previous.as_ref(), store)?;
                let files = &mut |wanted: &[Layer]| {
                    output.detail(&format!("the engine gets {} of {} layers", wanted.len(), image.layers.len()));
                    files(wanted)
                };
                self.send(Shipment { image, documents, name: first, present, files }, output)?
            }
        };
        others.iter().try_for_each(|name| self.tag(&made.id, name))?;
        Ok(made)
    }

    fn present(&self, kind: Kind, image: &Image, previous: Option<&EngineImage>, store: &Store) -> Result<Present> {
        match kind {
            Kind::Podman => Ok(Present::Nothing),
            Kind::Docker => self.lowest(image, previous).map(Present::Lowest),
            Kind::Containerd => {
                let mut blobs = BTreeSet::new();
                for id in self.ids()?.into_iter().chain(previous.map(|previous| format!("sha256:{}", previous.id))) {
                    blobs.extend(blobs_of(&id, store));
                }
                Ok(Present::Blobs(blobs))
            }
        }
    }

    /// How many of an image's lowest layers there are in some image of the engine.
    fn lowest(&self, image: &Image, previous: Option<&EngineImage>) -> Result<usize> {
        let mut most = previous.map_or(0, |previous| shared_layers(image, &previous.image));
        // All but the highest is all that an app has in common with its last build.
        if most + 1 >= image.layers.len() {
            return Ok(most);
        }
        for id in self.ids()?.into_iter().take(MOST_IMAGES) {
            // An image may go while others are looked at.
            if let Some(other) = self.image(&id)? {
                most = most.max(shared_layers(image, &other.image));
            }
        }
        Ok(most)
    }
}

/// The layers of the image with this ID, if its manifest is in the store: the engine has them all.
fn blobs_of(id: &str, store: &Store) -> Vec<Digest> {
    let manifest = Digest::parse(id).ok().filter(|digest| store.has_blob(digest));
    let bytes = manifest.and_then(|digest| std::fs::read(store.blob_path(&digest)).ok());
    let manifest: Option<Manifest> = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    manifest.into_iter().flat_map(|manifest| manifest.layers).map(|layer| layer.digest).collect()
}
