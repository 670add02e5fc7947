//! Brings images from an engine into the store. An engine gives no single layer away, so the whole image passes through a file of the store's;
//! its documents stay as the engine has them.

use super::Engine;
use crate::error::{Context, Error, Result};
use crate::image::{Digest, Image, Manifest, Platform, Reference};
use crate::output::Output;
use crate::store::{Store, Stored, read_opened_archive};
use std::io::{Read, Seek, Write};

/// An image that an engine has, and now the store too.
pub struct Brought {
    /// What the engine calls it.
    pub id: String,
    /// It.
    pub stored: Stored,
}

impl Engine {
    /// Brings an image with all its layers into the store, without a name; nothing where the engine does not have it. An image that is in
    /// the store already is not fetched again.
    ///
    /// # Errors
    /// When the engine cannot be asked, or the store cannot be written.
    pub fn bring(&self, name: &Reference, platform: &Platform, store: &Store, output: &Output) -> Result<Option<Brought>> {
        let Some(found) = self.named(name)? else { return Ok(None) };
        if let Some(stored) = known(&found.id, store)? {
            return Ok(Some(Brought { id: found.id, stored }));
        }
        let describe = || format!("cannot fetch the image `{name}` from the engine");
        let mut file = tempfile::tempfile_in(store.root().join("tmp")).context(describe)?;
        let progress = output.progress(&format!("fetching {} from the engine", name.familiar()), None);
        self.save(&found.id, &mut |archive| {
            let mut piece = vec![0; 1 << 18];
            loop {
                match archive.read(&mut piece).context(|| "the engine broke off")? {
                    0 => return Ok(()),
                    count => {
                        file.write_all(&piece[..count]).context(|| "cannot write to the store")?;
                        progress.add(count as u64);
                    }
                }
            }
        })?;
        file.rewind().context(describe)?;
        let stored = read_opened_archive(store, file, None, platform).context(describe)?.stored;
        let diff_ids = |image: &Image| image.layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>();
        if diff_ids(&stored.image) == diff_ids(&found.image) {
            Ok(Some(Brought { id: found.id, stored }))
        } else {
            Err(Error::new("the engine sent other layers than it says that it has")).context(describe)
        }
    }
}

/// The image with this ID, if some name in the store has it: the ID is the digest of its configuration or of its manifest.
fn known(id: &str, store: &Store) -> Result<Option<Stored>> {
    let complete = |stored: &Stored| stored.image.layers.iter().all(|layer| store.has_blob(&layer.blob.digest));
    for stored in store.list()?.into_iter().flat_map(|named| named.images) {
        if (stored.digest.hex() == id || config(&stored.digest, store).is_some_and(|config| config.hex() == id)) && complete(&stored) {
            return Ok(Some(stored));
        }
    }
    Ok(None)
}

fn config(manifest: &Digest, store: &Store) -> Option<Digest> {
    let mut bytes = Vec::new();
    store.blob(manifest).ok()?.read_to_end(&mut bytes).ok()?;
    serde_json::from_slice::<Manifest>(&bytes).ok().map(|manifest| manifest.config.digest)
}
