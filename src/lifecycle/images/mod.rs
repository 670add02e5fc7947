//! Where the images of a build are when the phases run as programs of their own: in registries or in a folder of OCI layouts. An image is
//! looked at without its layers; a layer is fetched when it is read, and sent only where it is missing. Start with [`Images`].

mod layout;
mod registry;

use crate::error::{Error, Result};
use crate::image::{Image, Layer, Reference};
use crate::lifecycle::documents::report::ImageReport;
use crate::output::Output;
use crate::store::Store;
pub use layout::Layouts;
use registry::Saving;
pub use registry::{Registry, check_write};

/// A place that images are in.
pub enum Images {
    /// A folder with an OCI layout for each image (Platform spec, "Map an image reference to a path in the layout directory").
    Layouts(Layouts),
    /// Registries.
    Registry(Registry),
}

/// An image that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The name that it was looked for by.
    pub name: String,
    /// What identifies the very image (IMG-17).
    pub identifier: String,
    /// The image; its layers stay where they are.
    pub image: Image,
}

impl Images {
    /// Finds an image by its name or identifier. A missing one is no error (IMG-05).
    ///
    /// # Errors
    /// When the place cannot be reached, or the image cannot be understood.
    pub fn find(&self, name: &str) -> Result<Option<Found>> {
        match self {
            Self::Layouts(layouts) => layouts.find(name),
            Self::Registry(registry) => registry.find(name),
        }
    }

    /// Whether all layers of an image are there (ANA-05).
    pub fn is_complete(&self, found: &Found) -> bool {
        match self {
            Self::Layouts(layouts) => layouts.is_complete(found),
            Self::Registry(registry) => registry.is_complete(found),
        }
    }

    /// How messages call an image that was found.
    pub fn spoken<'a>(&self, found: &'a Found) -> &'a str {
        match self {
            Self::Layouts(_) => found.identifier.split_once('@').map_or(&found.identifier, |(path, _)| path),
            Self::Registry(_) => &found.identifier,
        }
    }

    /// Brings a layer of an image into the store.
    ///
    /// # Errors
    /// When the layer is not there, is damaged, or the store cannot be written.
    pub fn fetch(&self, found: &Found, layer: &Layer, store: &Store) -> Result<()> {
        if store.has_blob(&layer.blob.digest) {
            return Ok(());
        }
        match self {
            Self::Layouts(layouts) => layouts.fetch(found, layer, store),
            Self::Registry(registry) => registry.fetch(found, layer, store),
        }
    }

    /// Whether an image can be read, as far as that is asked beforehand (IMG-31).
    pub fn can_read(&self, name: &str) -> bool {
        match self {
            Self::Layouts(_) => true,
            Self::Registry(registry) => registry.can_read(name),
        }
    }

    /// Checks that images can be read and written, before work begins that would be lost (IMG-06, IMG-07).
    ///
    /// # Errors
    /// When one cannot.
    pub fn check_access(&self, read: &[&str], write: &[Reference]) -> Result<()> {
        match self {
            Self::Layouts(_) => Ok(()),
            Self::Registry(registry) => registry.check_access(read, write),
        }
    }

    /// Saves an image under all its names. Its new layers are in the store, the others in one of the `sources`.
    ///
    /// # Errors
    /// When a name cannot be written; the others are written nonetheless, and the message lists each that is not (EXP-31).
    pub fn save(&self, image: &Image, names: &[Reference], sources: &[&Found], store: &Store, output: &Output) -> Result<ImageReport> {
        let documents = image.documents();
        if let Some(name) = names.first() {
            output.line(&format!("Saving {name}..."));
        }
        let mut tags = Vec::new();
        let mut refused = Vec::new();
        let identifier = match (self, names.first()) {
            (Self::Layouts(layouts), Some(name)) => format!("{}@{}", layouts.path(&name.full())?.display(), documents.descriptor.digest),
            (Self::Registry(_), Some(_)) | (_, None) => documents.descriptor.digest.to_string(),
        };
        let saved: Vec<Result<()>> = match self {
            Self::Layouts(layouts) => names.iter().map(|name| layouts.save(image, name, sources, store)).collect(),
            Self::Registry(registry) => registry.save(&Saving { image, documents: &documents, names, sources, store, output }),
        };
        output.line(&format!("*** Images ({identifier}):"));
        for (name, saved) in names.iter().zip(saved) {
            match saved {
                Ok(()) => {
                    output.line(&format!("      {name}"));
                    tags.push(name.to_string());
                }
                Err(error) => {
                    output.line(&format!("      {name} - {error:?}"));
                    refused.push(format!("[{name} - {error:?}]"));
                }
            }
        }
        if !refused.is_empty() {
            return Err(Error::new(format!("failed to write image to the following tags: {}", refused.join(", "))).code(62));
        }
        output.detail(&format!("\n*** Digest: {}", documents.descriptor.digest));
        output.detail(&format!("\n*** Manifest Size: {}", documents.descriptor.size));
        let manifest_size = documents.descriptor.size;
        let report = ImageReport { tags, manifest_size, ..ImageReport::default() };
        match self {
            // EXP-33.
            Self::Layouts(_) => Ok(report),
            Self::Registry(_) => Ok(ImageReport { digest: documents.descriptor.digest.to_string(), ..report }),
        }
    }
}
