//! Sends large layers while they are made, where the image goes to a registry: they need no place on this machine.

use crate::archive::Written;
use crate::error::{Context, Result};
use crate::image::Reference;
use crate::registry::{NewBlob, Registries};
use crate::store::Store;
use std::io::{self, Write};

/// Blobs of fewer bytes are stored first: whether the registry has one already can be asked only when its digest is known.
const SMALL: usize = 4 << 20;

/// Where the image goes.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    /// The registries.
    pub registries: &'a Registries,
    /// The image's first name.
    pub name: &'a Reference,
}

impl<'a> Destination<'a> {
    /// Whether the repository has nothing yet, so that no layer can be there already. If that cannot be known, it is better to ask for each.
    pub fn is_new(&self) -> bool {
        self.registries.tags(self.name).is_ok_and(|tags| tags.is_empty())
    }

    /// Begins a blob.
    pub fn begin(self) -> Outgoing<'a> {
        Outgoing { destination: self, first: Vec::new(), blob: None }
    }
}

/// A blob that goes to the destination once it is large.
pub struct Outgoing<'a> {
    destination: Destination<'a>,
    first: Vec<u8>,
    blob: Option<NewBlob>,
}

impl Outgoing<'_> {
    /// Ends the blob. A small one is in the store then, a large one at the destination.
    ///
    /// # Errors
    /// When the registry or the store refuses it.
    pub fn finish(self, written: &Written, store: &Store) -> Result<()> {
        if let Some(blob) = self.blob {
            return blob.finish(&written.digest);
        }
        let mut blob = store.new_blob()?;
        blob.write_all(&self.first).context(|| "cannot write a layer to the store")?;
        blob.commit(&written.digest)
    }
}

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(blob) = &mut self.blob {
            return blob.write(bytes);
        }
        self.first.extend_from_slice(bytes);
        if self.first.len() >= SMALL {
            let Destination { registries, name } = self.destination;
            let mut blob = registries.new_blob(name).map_err(|error| io::Error::other(format!("{error:?}")))?;
            blob.write_all(&std::mem::take(&mut self.first))?;
            self.blob = Some(blob);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
