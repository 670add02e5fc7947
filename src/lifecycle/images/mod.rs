//! Where the images of a build are when the phases run as programs of their own: in registries, in an engine or in a folder of OCI layouts. An image is
//! looked at without its layers; a layer is fetched when it is read, and sent only where it is missing. Start with [`Images`].

mod daemon;
mod layout;
mod registry;
pub mod sparse;

use crate::error::{Error, Result};
use crate::image::{Image, Layer, Reference};
use crate::lifecycle::documents::report::ImageReport;
use crate::lifecycle::exporter::{Blobs, Destination};
use crate::lifecycle::log::timed;
use crate::output::Output;
use crate::store::Store;
pub use daemon::Daemon;
pub use layout::Layouts;
pub use registry::{Registry, check_write};

/// A place that images are in.
pub enum Images {
    /// A folder with an OCI layout for each image (Platform spec, "Map an image reference to a path in the layout directory").
    Layouts(Layouts),
    /// Registries.
    Registry(Registry),
    /// A Docker or Podman engine.
    Daemon(Daemon),
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
            Self::Daemon(daemon) => daemon.find(name),
        }
    }

    /// Finds an image by its name, whatever the place makes of names.
    ///
    /// # Errors
    /// As [`Images::find`].
    pub fn named(&self, name: &Reference) -> Result<Option<Found>> {
        match self {
            Self::Layouts(_) | Self::Registry(_) => self.find(&name.full()),
            Self::Daemon(daemon) => daemon.named(name),
        }
    }

    /// Whether all layers of an image are there (ANA-05).
    pub fn is_complete(&self, found: &Found) -> bool {
        match self {
            Self::Layouts(layouts) => layouts.is_complete(found),
            Self::Registry(registry) => registry.is_complete(found),
            // An engine lists no image that lacks a layer.
            Self::Daemon(_) => true,
        }
    }

    /// How messages call an image that was found.
    pub fn spoken<'a>(&self, found: &'a Found) -> &'a str {
        match self {
            Self::Layouts(_) => found.identifier.split_once('@').map_or(&found.identifier, |(path, _)| path),
            Self::Registry(_) => &found.identifier,
            Self::Daemon(_) => &found.name,
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
            Self::Daemon(daemon) => daemon.fetch(found, layer, store),
        }
    }

    /// Whether an image can be read, as far as that is asked beforehand (IMG-31).
    pub fn can_read(&self, name: &str) -> bool {
        match self {
            Self::Layouts(_) | Self::Daemon(_) => true,
            Self::Registry(registry) => registry.can_read(name),
        }
    }

    /// Checks that images can be read and written, before work begins that would be lost (IMG-06, IMG-07).
    ///
    /// # Errors
    /// When one cannot.
    pub fn check_access(&self, read: &[&str], write: &[Reference]) -> Result<()> {
        match self {
            Self::Layouts(_) | Self::Daemon(_) => Ok(()),
            Self::Registry(registry) => registry.check_access(read, write),
        }
    }

    /// Where the blobs of images are for a new image that goes to the same place.
    pub fn blobs(&self) -> Blobs {
        match self {
            Self::Layouts(_) | Self::Registry(_) => Blobs::WithImage,
            Self::Daemon(_) => Blobs::InEngine,
        }
    }

    /// Where the large layers of a new image with these names are sent while they are made, if that can be.
    pub fn destination<'a>(&'a self, names: &'a [Reference]) -> Option<Destination<'a>> {
        match self {
            Self::Layouts(_) | Self::Daemon(_) => None,
            Self::Registry(registry) => registry.destination(names),
        }
    }

    /// Does long work in which nobody asks for an image, and can do so afterwards (CRE-06).
    pub fn kept_open<T>(&self, work: impl FnOnce() -> T) -> T {
        match self {
            Self::Layouts(_) | Self::Registry(_) => work(),
            Self::Daemon(daemon) => daemon.kept_open(work),
        }
    }

    /// Saves an image under all its names. Its new layers are in the store, the others in one of the `sources`, the run image first.
    ///
    /// # Errors
    /// When a name cannot be written; the others are written nonetheless, and the message lists each that is not (EXP-31).
    pub fn save(&self, image: &Image, names: &[Reference], sources: &[&Found], store: &Store, output: &Output) -> Result<ImageReport> {
        let what = format!("Saving {}...", names.first().map(ToString::to_string).unwrap_or_default());
        timed(&what, output, || {
            output.line(&what);
            match self {
                Self::Layouts(layouts) => layouts.save_all(image, names, sources, store, output),
                Self::Registry(registry) => registry.save(image, names, sources, store, output),
                Self::Daemon(daemon) => daemon.save(image, names, sources, store, output),
            }?
            .report(output)
        })
    }
}

/// What became of saving an image.
pub struct Saved {
    /// What identifies the image in messages.
    identifier: String,
    /// Each name, and whether the image has it now.
    names: Vec<(Reference, Result<()>)>,
    /// What else `report.toml` says of the image in this place (EXP-33).
    report: ImageReport,
}

impl Saved {
    /// Tells the names in the lines that tools read (EXP-32).
    fn report(self, output: &Output) -> Result<ImageReport> {
        let mut report = self.report;
        let mut refused = Vec::new();
        output.line(&format!("*** Images ({}):", self.identifier));
        for (name, saved) in self.names {
            let name = name.to_string();
            match saved {
                Ok(()) => {
                    output.line(&format!("      {name}"));
                    report.tags.push(name);
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
        for (what, value) in [("Image ID", &report.image_id), ("Digest", &report.digest)] {
            if !value.is_empty() {
                output.detail(&format!("\n*** {what}: {value}"));
            }
        }
        if report.manifest_size != 0 {
            output.detail(&format!("\n*** Manifest Size: {}", report.manifest_size));
        }
        Ok(report)
    }
}
