//! Brings images from an engine into the store, for builders that only an engine has.

use super::Engine;
use crate::archive::Form;
use crate::error::{Context, Result};
use crate::image::{Digest, Reference};
use crate::output::Output;
use crate::store::{Store, Stored};

/// Brings an image with all its layers into the store, under its name; nothing where the engine does not have it. An image that is in the
/// store already is not fetched again.
///
/// # Errors
/// When the engine cannot be asked, or the store cannot be written.
pub fn pull(engine: &Engine, name: &Reference, store: &Store, output: &Output) -> Result<Option<Stored>> {
    let Some(found) = engine.image(&name.full())? else { return Ok(None) };
    if let Some(stored) = store.find(name)?
        && stored.image.documents().config == found.image.documents().config
        && stored.image.layers.iter().all(|layer| store.has_blob(&layer.blob.digest))
    {
        return Ok(Some(stored));
    }
    let wanted: Vec<Digest> = found.image.layers.iter().map(|layer| layer.diff_id.clone()).collect();
    let progress = output.progress(&format!("fetching {name} from the engine"), None);
    let fetched = engine.fetch(&found.id, &wanted, Form::Gzip, store, &|bytes| progress.add(bytes))?;
    let mut image = found.image;
    for layer in &mut image.layers {
        let blob = fetched.iter().find(|fetched| fetched.diff_id == layer.diff_id).map(|fetched| fetched.blob.clone());
        layer.blob = blob.context(|| format!("the layer {} was not fetched", layer.diff_id))?;
    }
    let descriptor = store.put_image(&image)?;
    store.tag(name, &descriptor)?;
    Ok(Some(Stored { image, digest: descriptor.digest }))
}
