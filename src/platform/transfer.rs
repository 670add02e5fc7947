//! Moves images from place to place. Documents stay as they are, byte for byte, so an image has one digest wherever it is; a blob is moved only
//! where it is missing. Start with [`Images::open`].

use super::images::Images;
use super::place::Place;
use crate::daemon::{Delivery, Engine};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Documents, Image, Layer, Reference};
use crate::output::human_bytes;
use crate::registry::{Blob, Lookup, Push, Source};
use crate::store::{self, Stored};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// An image whose documents are at hand. Its layers are in the store, or come there when they are wanted.
pub struct Opened {
    image: Image,
    documents: Documents,
    /// Its name where it is.
    name: Option<Reference>,
    /// The registry that has the layers which the store has not.
    registry: Option<Reference>,
}

/// An image that is in a new place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// The place.
    pub destination: String,
    /// The digest of its manifest.
    pub digest: Digest,
    /// What an engine calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
}

impl Opened {
    /// An image of the store.
    ///
    /// # Errors
    /// When its documents cannot be read.
    pub fn stored(stored: &Stored, name: Option<Reference>, store: &store::Store) -> Result<Self> {
        Ok(Self { image: stored.image.clone(), documents: store.documents(stored)?, name, registry: None })
    }

    /// The image.
    pub fn image(&self) -> &Image {
        &self.image
    }

    /// The digest of its manifest.
    pub fn digest(&self) -> &Digest {
        &self.documents.descriptor.digest
    }

    /// The registry that it was opened in.
    pub fn registry(&self) -> Option<&Reference> {
        self.registry.as_ref()
    }

    /// Its name where it is.
    pub fn name(&self) -> &[Reference] {
        self.name.as_slice()
    }
}

impl Images<'_> {
    /// Looks an image up, so that it can be written elsewhere.
    ///
    /// # Errors
    /// When it is not there, or damaged.
    pub fn open(&self, place: &Place) -> Result<Opened> {
        let opened = |stored: &Stored, name: Option<&Reference>| Opened::stored(stored, name.cloned(), self.store);
        match place {
            Place::Layout { .. } => opened(&self.bring(place)?.stored, None),
            Place::Archive { file, name } => {
                let found = store::read_archive(self.store, file, name.as_ref(), super::images::here())?;
                opened(&found.stored, name.as_ref().or(found.name.as_ref()))
            }
            Place::Engine(name) => {
                let name = name.as_ref().context(|| "`docker:` names no image").hint("write `docker:NAME`")?;
                opened(&self.engine()?.fetched(name, self)?, Some(name))
            }
            Place::Registry(name) => self.remote(name),
            Place::Store(name) => opened(&self.of_store(name)?, Some(name)),
            Place::Name(name) => match self.store.find(name)? {
                Some(stored) => opened(&stored, Some(name)),
                None => self.remote(name).context(|| format!("`{name}` is not in the store")),
            },
        }
    }

    /// Writes an image to a place; a name without a registry's host goes to the store, any other to its registry.
    ///
    /// # Errors
    /// When it cannot be written; what was there before is there still.
    pub fn write(&self, opened: &Opened, place: &Place, names: &[Reference]) -> Result<Written> {
        let describe = || format!("cannot write the image to `{place}`");
        let own = opened.name.as_ref();
        let image_id = match place {
            Place::Layout { folder, tag } => {
                let tag = tag.clone().or_else(|| Some(own?.tag()?.to_string())).unwrap_or_else(|| "latest".into());
                self.write_layout(opened, folder, &tag).context(describe)?
            }
            Place::Archive { file, name } => {
                let names: Vec<Reference> = if let Some(name) = name { vec![name.clone()] } else { names.to_vec() };
                self.fetch(opened, &opened.image.layers).context(describe)?;
                let stored = self.store.put_documents(&opened.documents)?;
                store::write_docker_archive(self.store, &stored, file, &names)?;
                None
            }
            Place::Engine(name) => {
                let names = name.as_ref().map_or(names, std::slice::from_ref);
                Some(self.write_engine(opened, names).context(describe)?)
            }
            Place::Registry(name) => self.push(opened, name).context(describe)?,
            Place::Name(name) if name.has_host() => self.push(opened, name).context(describe)?,
            Place::Store(name) | Place::Name(name) => {
                self.fetch(opened, &opened.image.layers).context(describe)?;
                let stored = self.store.put_documents(&opened.documents)?;
                self.store.name(name, &stored)?;
                if opened.registry.as_ref() == Some(name) {
                    self.store.note_pull(name)?;
                }
                None
            }
        };
        Ok(Written { destination: place.to_string(), digest: opened.documents.descriptor.digest.clone(), image_id })
    }

    fn engine(&self) -> Result<Engine> {
        Engine::connect(self.engine)
    }

    fn remote(&self, name: &Reference) -> Result<Opened> {
        let remote = match self.registries.find(name)? {
            Lookup::Found(remote) => remote,
            Lookup::Missing => {
                return Err(Error::new(format!("the registry does not have `{}`", name.full())).hint("check the name and the tag"));
            }
            Lookup::OtherPlatforms(found) => {
                return Err(Error::new(format!("the registry has `{}` for {} only", name.full(), found.join(", "))));
            }
        };
        let documents = Documents { config: remote.config_bytes, manifest: remote.manifest_bytes, descriptor: remote.manifest };
        Ok(Opened { image: remote.image, documents, name: Some(name.clone()), registry: Some(name.clone()) })
    }

    /// Brings layers into the store that are only in the image's registry.
    fn fetch(&self, opened: &Opened, layers: &[Layer]) -> Result<()> {
        match &opened.registry {
            Some(registry) => self.registries.fetch_layers(registry, layers, self.store, self.output),
            None => layers.iter().map(|layer| &layer.blob.digest).try_for_each(|digest| match self.store.has_blob(digest) {
                true => Ok(()),
                false => Err(Error::new(format!("the store lacks the layer {digest}"))),
            }),
        }
    }

    fn write_layout(&self, opened: &Opened, folder: &Path, tag: &str) -> Result<Option<String>> {
        let lacking: Vec<Layer> = opened.image.layers.iter().filter(|layer| !store::layout_has(folder, &layer.blob)).cloned().collect();
        self.fetch(opened, &lacking)?;
        let stored = self.store.put_documents(&opened.documents)?;
        store::write_layout(self.store, &stored, folder, tag)?;
        Ok(None)
    }

    fn write_engine(&self, opened: &Opened, names: &[Reference]) -> Result<String> {
        if names.is_empty() {
            return Err(Error::new("the image has no name")).hint("write `docker:NAME`");
        }
        let files = &mut |layers: &[Layer]| -> Result<Vec<PathBuf>> {
            self.fetch(opened, layers)?;
            Ok(layers.iter().map(|layer| self.store.blob_path(&layer.blob.digest)).collect())
        };
        let (image, documents) = (&opened.image, &opened.documents);
        let made = self.engine()?.deliver(Delivery { image, documents, names, store: self.store, files }, self.output)?;
        Ok(made.id)
    }

    fn push(&self, opened: &Opened, name: &Reference) -> Result<Option<String>> {
        if name.digest().is_some_and(|digest| *digest != opened.documents.descriptor.digest) {
            return Err(Error::new(format!("the image has the digest {}", opened.documents.descriptor.digest)));
        }
        let sources = || opened.registry.iter().chain(&opened.name).filter(|source| source.has_host()).cloned().map(Source).collect();
        let blobs = opened.image.layers.iter().map(|layer| Blob { layer: layer.clone(), sources: sources() }).collect();
        let progress = self.output.progress(&format!("sending {}", name.familiar()), Some(opened.image.compressed_size()));
        let push = Push { documents: &opened.documents, blobs, store: self.store, progress: Some(&progress) };
        self.registries.push(&push, name)?;
        Ok(None)
    }
}

impl Engine {
    fn fetched(&self, name: &Reference, images: &Images) -> Result<Stored> {
        let found = self.bring(name, super::images::here(), images.store, images.output)?;
        let found = found.context(|| format!("the engine has no image `{name}`")).hint("`docker images` lists what it has")?;
        Ok(found.stored)
    }
}

impl Written {
    /// What a person reads of it.
    pub fn line(&self, opened: &Opened) -> String {
        let size = human_bytes(opened.image.compressed_size());
        let id = self.image_id.as_ref().map(|id| format!(", ID {}", &id[..id.len().min(12)])).unwrap_or_default();
        format!("wrote {} to {} ({size}{id})", self.digest, self.destination)
    }
}
