//! The image that the new one replaces.

use super::Request;
use crate::error::{Context, Error, Result};
use crate::image::{Layer, Platform, Reference};
use crate::lifecycle::documents::LIFECYCLE_METADATA_LABEL;
use crate::lifecycle::documents::layers_metadata::LayersMetadata;
use crate::output::Output;
use crate::platform::place::Place;
use crate::registry::{Lookup, Remote};
use crate::store::{Store, Stored};

/// The image that the new one replaces.
pub(super) struct Previous {
    /// Its name.
    pub name: Reference,
    /// It; of one in a registry, layers may not be in the store.
    pub stored: Stored,
    /// Whether its layers are in its registry.
    is_remote: bool,
}

impl Previous {
    /// Finds it in the store, else, where the image is published or another image was named for this, in its registry. Where no image is named
    /// for this, one that has any of the new image's names will do.
    ///
    /// # Errors
    /// When an image that was named for this cannot be read.
    pub fn find(request: &Request, platform: &Platform, store: &Store, output: &Output) -> Result<Option<Self>> {
        if let Some(place) = &request.previous_image {
            let (Place::Name(name) | Place::Registry(name) | Place::Store(name)) = place else {
                let brought = request.images(platform, store, output).bring(place).context(|| "cannot open the previous image")?;
                return Ok(Some(Self { name: request.image.clone(), stored: brought.stored, is_remote: false }));
            };
            let found = Self::named(request, platform, name, store)?;
            if found.is_none() {
                output.warn(&format!("there is no previous image `{name}`, neither in the store nor in its registry"));
            }
            return Ok(found);
        }
        for name in request.names() {
            let found = match request.publish {
                true => Self::named(request, platform, &name, store),
                false => Ok(Self::in_store(&name, platform, store)),
            };
            match found {
                Ok(None) => {}
                Ok(found) => return Ok(found),
                Err(error) => output.warn(&format!("the build starts without the previous image: {error:?}")),
            }
        }
        Ok(None)
    }

    /// One for another platform has nothing that could be used.
    fn in_store(name: &Reference, platform: &Platform, store: &Store) -> Option<Self> {
        let stored = store.find_for(name, platform).unwrap_or_default().filter(|stored| Platform::of(&stored.image.config) == *platform)?;
        Some(Self { name: name.clone(), stored, is_remote: false })
    }

    fn named(request: &Request, platform: &Platform, name: &Reference, store: &Store) -> Result<Option<Self>> {
        if let Some(found) = Self::in_store(name, platform, store) {
            return Ok(Some(found));
        }
        match request.registries.find_for(name, platform)? {
            Lookup::Found(remote) if Platform::of(&remote.image.config) == *platform => Self::of_remote(request, *remote, store).map(Some),
            Lookup::Found(_) | Lookup::Missing | Lookup::OtherPlatforms(_) => Ok(None),
        }
    }

    fn of_remote(request: &Request, remote: Remote, store: &Store) -> Result<Self> {
        let metadata = remote.image.label(LIFECYCLE_METADATA_LABEL).and_then(|label| LayersMetadata::from_label(label).ok());
        let sbom = metadata.and_then(|metadata| metadata.sbom).map(|sbom| sbom.sha);
        // The SBOM files of layers that are restored are restored too.
        if let Some(layer) = sbom.and_then(|sha| remote.image.layers.iter().find(|layer| layer.diff_id.as_str() == sha)) {
            request.registries.fetch_layer(&remote.name, layer, store)?;
        }
        let stored = Stored { image: remote.image, digest: remote.manifest.digest };
        Ok(Self { name: remote.name, stored, is_remote: true })
    }

    /// Brings a layer into the store.
    ///
    /// # Errors
    /// When it is nowhere.
    pub fn fetch(&self, layer: &Layer, request: &Request, store: &Store) -> Result<()> {
        match self.is_remote {
            true => request.registries.fetch_layer(&self.name, layer, store),
            false => Err(Error::new("the store does not have it")),
        }
    }
}
