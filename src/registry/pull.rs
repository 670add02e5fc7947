//! Brings an image into the store, several layers at once.

use super::{Lookup, Registries};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Layer, Platform, Reference};
use crate::output::{Output, Progress};
use crate::store::{BlobWriter, Store, Stored};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

/// How many layers arrive at once.
pub(super) const AT_ONCE: usize = 4;

/// An image to pull.
pub struct Wanted<'a> {
    /// Its name.
    pub name: &'a Reference,
    /// Which one, of a list of images.
    pub platform: Platform,
    /// Its name in the store.
    pub kept_as: &'a Reference,
}

/// Brings an image into the store, with the very bytes of its documents. Layers that are there are not fetched.
///
/// # Errors
/// When the registry does not have it, has it for other processors only, or sends something else; or when the store cannot be written.
pub fn pull(registries: &Registries, wanted: &Wanted, store: &Store, output: &Output) -> Result<Stored> {
    let Wanted { name, platform, kept_as } = wanted;
    let describe = || format!("cannot pull the image `{}`", name.full());
    let remote = match registries.find_for(name, platform)? {
        Lookup::Found(remote) => remote,
        Lookup::Missing => return Err(Error::new("the registry does not have it")).context(describe).hint("check the name and the tag"),
        Lookup::OtherPlatforms(found) => {
            let cause = Error::new(format!("the registry has it for {found}, not for {platform}"));
            return Err(cause).context(describe);
        }
    };
    fetch_layers(registries, &remote.name, &remote.image.layers, store, output).context(describe)?;
    store.put(&remote.manifest.media_type, &remote.manifest_bytes)?;
    store.put(crate::image::media_type::CONFIG, &remote.config_bytes)?;
    store.tag(kept_as, &remote.manifest)?;
    store.note_pull(kept_as)?;
    store.read(&remote.manifest.digest)
}

/// Brings the layers that the store lacks into it, several at once.
pub(super) fn fetch_layers(registries: &Registries, name: &Reference, layers: &[Layer], store: &Store, output: &Output) -> Result<()> {
    let mut seen = BTreeSet::new();
    let missing = layers.iter().filter(|layer| !store.has_blob(&layer.blob.digest) && seen.insert(&layer.blob.digest));
    let missing: Vec<&Layer> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    let total = missing.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.blob.size));
    let progress = output.progress(&format!("pulling {}", name.familiar()), Some(total));
    each(missing, AT_ONCE, |layer| fetch(registries, name, layer, store, Some(&progress)))
}

/// Brings one layer into the store.
pub(super) fn fetch(registries: &Registries, name: &Reference, layer: &Layer, store: &Store, progress: Option<&Progress>) -> Result<()> {
    let blob: RefCell<Option<BlobWriter>> = RefCell::new(None);
    let mut restart = || {
        *blob.borrow_mut() = Some(store.new_blob_of_registry()?);
        Ok(())
    };
    let mut receive = |piece: &[u8]| {
        if let Some(blob) = blob.borrow_mut().as_mut() {
            blob.write_all(piece).context(|| "cannot write to the store")?;
        }
        if let Some(progress) = progress {
            progress.add(piece.len() as u64);
        }
        Ok(())
    };
    registries.read_blob(name, &layer.blob, &mut restart, &mut receive)?;
    blob.into_inner().context(|| "nothing arrived")?.commit(&layer.blob.digest)
}

/// Does the work for each item, several at once; no new item is begun after a failure. The failure of the first item in their order is told.
pub(super) fn each<T: Sync + Send>(items: Vec<T>, at_once: usize, work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let threads = at_once.min(items.len());
    let queue = Mutex::new(items.into_iter().enumerate());
    let failed: Mutex<Option<(usize, Error)>> = Mutex::new(None);
    let next = || {
        let has_failed = failed.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if has_failed { None } else { queue.lock().unwrap_or_else(PoisonError::into_inner).next() }
    };
    let run = || {
        while let Some((index, item)) = next() {
            if let Err(error) = work(&item) {
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                if failed.as_ref().is_none_or(|(other, _)| index < *other) {
                    *failed = Some((index, error));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(run);
        }
        run();
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), |(_, error)| Err(error))
}
