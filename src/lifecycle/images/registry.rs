//! Images in registries. Only what a registry lacks is sent, and of base images only their documents are read (IMG-27, REB-21).

use super::sparse::Raw;
use super::{Found, Saved};
use crate::error::{Context, Error, Result};
use crate::image::{Image, Layer, Reference};
use crate::lifecycle::documents::report::ImageReport;
use crate::lifecycle::exporter::Destination;
use crate::output::Output;
use crate::registry::{Lookup, Publish, Registries};
use crate::store::Store;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Images in registries.
pub struct Registry(Arc<Registries>);

impl Registry {
    /// The images that these registries have.
    pub fn new(registries: Arc<Registries>) -> Self {
        Self(registries)
    }

    /// Finds an image by its name. One for other processors only counts as missing (IMG-15).
    pub fn find(&self, name: &str) -> Result<Option<Found>> {
        match self.0.find(&Reference::parse(name)?)? {
            Lookup::Found(remote) => Ok(Some(Found { name: name.to_string(), identifier: remote.identifier(), image: remote.image })),
            Lookup::Missing | Lookup::OtherPlatforms(_) => Ok(None),
        }
    }

    /// The documents of an image, byte for byte.
    pub fn raw(&self, found: &Found) -> Result<Raw> {
        match self.0.find(&Reference::parse(&found.identifier)?)? {
            Lookup::Found(remote) => Ok(Raw { manifest: remote.manifest_bytes, config: remote.config_bytes }),
            Lookup::Missing | Lookup::OtherPlatforms(_) => Err(Error::new(format!("`{}` is not there any more", found.identifier))),
        }
    }

    /// Whether the registry has the blobs of all layers.
    pub fn is_complete(&self, found: &Found) -> bool {
        let name = Reference::parse(&found.identifier);
        let digests = || found.image.layers.iter().map(|layer| &layer.blob.digest).collect::<BTreeSet<_>>();
        name.and_then(|name| self.0.has_blobs(&name, digests().into_iter().collect())).unwrap_or(false)
    }

    /// Brings a layer into the store.
    pub fn fetch(&self, found: &Found, layer: &Layer, store: &Store) -> Result<()> {
        self.0.fetch_layer(&Reference::parse(&found.identifier)?, layer, store)
    }

    /// Whether an image can be read.
    pub fn can_read(&self, name: &str) -> bool {
        Reference::parse(name).is_ok_and(|name| self.0.check_read(&name).is_ok())
    }

    /// IMG-06, IMG-07.
    pub fn check_access(&self, read: &[&str], write: &[Reference]) -> Result<()> {
        for name in read {
            let checked = Reference::parse(name).and_then(|name| self.0.check_read(&name));
            let checked = checked.context(|| format!("failed to ensure registry read access to {name}"));
            checked.context(|| "validating registry read access")?;
        }
        for name in write {
            check_write(&self.0, name)?;
        }
        Ok(())
    }

    /// Where the layers of a new image can go before it has any name.
    pub fn destination<'a>(&'a self, names: &'a [Reference]) -> Option<Destination<'a>> {
        names.first().map(|name| Destination { registries: &self.0, name })
    }

    /// Sends an image under all its names; says of each what became of it.
    pub fn save(&self, image: &Image, names: &[Reference], sources: &[&Found], store: &Store, output: &Output) -> Result<Saved> {
        let documents = image.documents();
        let progress = names.first().map(|name| output.progress(&format!("sending {name}"), Some(image.compressed_size())));
        let sources: Vec<(Reference, &Image)> =
            sources.iter().filter_map(|found| Some((Reference::parse(&found.identifier).ok()?, &found.image))).collect();
        let saved = self.0.publish(&Publish { image, names, sources: &sources, store, progress: progress.as_ref() });
        let digest = documents.descriptor.digest.to_string();
        let report = ImageReport { digest: digest.clone(), manifest_size: documents.descriptor.size, ..ImageReport::default() };
        Ok(Saved { identifier: digest, names: saved, report })
    }
}

/// Checks that an image can be written, before work begins that would be lost (IMG-06, IMG-07).
///
/// # Errors
/// When it cannot.
pub fn check_write(registries: &Registries, name: &Reference) -> Result<()> {
    let checked = registries.check_write(name).context(|| format!("failed to ensure registry read/write access to {name}"));
    checked.context(|| "validating registry write access")
}
