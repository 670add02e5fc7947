//! Puts an image that was made of parts (a package, a builder) into the store, and wherever else it is wanted.

use super::images::Images;
use super::place::Place;
use super::publish;
use super::transfer::{Opened, Written};
use crate::error::Result;
use crate::image::{Digest, Image, Reference};

/// Where an image goes besides the store.
pub struct Delivery {
    /// Its names, the first one first.
    pub names: Vec<Reference>,
    /// Whether the registries of its names get it.
    pub publish: bool,
    /// Other places.
    pub outputs: Vec<Place>,
}

/// Where an image is now.
pub struct Delivered {
    /// Digest of its manifest.
    pub digest: Digest,
    /// Bytes of its layers as they are sent.
    pub size: u64,
    /// The names that registries have it under.
    pub published: Vec<String>,
    /// The other places.
    pub written: Vec<Written>,
}

/// Delivers an image whose layers are in the store. `sources` are images that share layers with it, where they are in registries.
///
/// # Errors
/// When one of the places cannot be written.
pub fn deliver(image: &Image, delivery: &Delivery, sources: &[(Reference, &Image)], images: &Images) -> Result<Delivered> {
    let stored = images.store.read(&images.store.put_image(image)?.digest)?;
    for name in &delivery.names {
        images.store.name(name, &stored)?;
    }
    let opened = Opened::stored(&stored, delivery.names.first().cloned(), images.store)?;
    let written = delivery.outputs.iter().map(|place| images.write(&opened, place, &delivery.names)).collect::<Result<_>>()?;
    let published = if delivery.publish { publish::publish(image, &delivery.names, sources, images, 1)? } else { Vec::new() };
    Ok(Delivered { digest: stored.digest, size: image.compressed_size(), published, written })
}
