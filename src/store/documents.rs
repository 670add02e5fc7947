//! The documents of stored images, byte for byte as they came.

use super::{Store, Stored};
use crate::error::{Context, Result};
use crate::image::{Descriptor, Documents, Manifest, Reference, media_type};
use std::io::Read;

impl Store {
    /// The documents of an image.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn documents(&self, stored: &Stored) -> Result<Documents> {
        let read = |digest| -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            self.blob(digest)?.read_to_end(&mut bytes).context(|| format!("cannot read the document {digest}"))?;
            Ok(bytes)
        };
        let manifest = read(&stored.digest)?;
        let parsed: Manifest = serde_json::from_slice(&manifest).context(|| format!("the manifest {} is damaged", stored.digest))?;
        let media_type = if parsed.media_type.is_empty() { media_type::MANIFEST } else { &parsed.media_type };
        let descriptor = Descriptor::of(media_type, &manifest);
        Ok(Documents { config: read(&parsed.config.digest)?, manifest, descriptor })
    }

    /// Stores the documents of an image; its layers must be there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put_documents(&self, documents: &Documents) -> Result<Stored> {
        self.put(media_type::CONFIG, &documents.config)?;
        self.put(&documents.descriptor.media_type, &documents.manifest)?;
        self.read(&documents.descriptor.digest)
    }

    /// Gives a stored image a name, which another one then has no more.
    ///
    /// # Errors
    /// When the image cannot be read, or the index cannot be written.
    pub fn name(&self, name: &Reference, stored: &Stored) -> Result<()> {
        self.tag(name, &self.documents(stored)?.descriptor)
    }
}
