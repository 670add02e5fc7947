//! Reads what `docker save` writes. Its forms differ from engine to engine, so a layer is recognised by what it is, not by its name.

use super::Engine;
use crate::archive::{Form, MemberKind, TarReader, decompressed};
use crate::error::{Context, Error, Result};
use crate::image::{Digest, History, Layer};
use crate::store::Store;
use std::io;

impl Engine {
    /// Brings layers of an image into the store, in this form. The whole image passes through: an engine gives no single layer away.
    /// `received` hears of bytes.
    ///
    /// # Errors
    /// When the engine does not have the image or one of its layers, or the store cannot be written.
    pub fn fetch(&self, image: &str, wanted: &[Digest], form: Form, store: &Store, received: &dyn Fn(u64)) -> Result<Vec<Layer>> {
        let mut layers: Vec<Layer> = Vec::new();
        self.save(image, &mut |archive| {
            let mut archive = TarReader::new(archive);
            while let Some(member) = archive.next().context(|| "cannot read the engine's archive")? {
                if member.kind != MemberKind::File {
                    continue;
                }
                let layer = store.new_layer(form, |writer| {
                    io::copy(&mut decompressed(&mut archive)?, writer).map(drop).context(|| "cannot copy a layer into the store")
                })?;
                if wanted.contains(layer.diff_id()) {
                    layers.push(layer.commit(History::default())?);
                }
                received(member.size);
            }
            Ok(())
        })?;
        match wanted.iter().find(|wanted| layers.iter().all(|layer| layer.diff_id != **wanted)) {
            Some(missing) => Err(Error::new(format!("the engine's copy of the image `{image}` lacks the layer {missing}"))),
            None => Ok(layers),
        }
    }
}
