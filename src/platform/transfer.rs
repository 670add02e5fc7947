//! Moves images from place to place. Documents stay as they are, byte for byte, so an image has one digest wherever it is; a blob is moved only
//! where it is missing. Several images for several platforms move with their index. Start with [`Images::open`].

use super::images::Images;
use super::place::Place;
use crate::daemon::{Delivery, Engine};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Descriptor, Digest, Documents, Image, Layer, Platform, Reference};
use crate::output::human_bytes;
use crate::registry::{Blob, Lookup, Push, Remote, Source};
use crate::store::{self, Store, Stored, StoredIndex};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// An image whose documents are at hand, or several with their index. Layers are in the store, or come there when they are wanted.
pub struct Opened {
    images: Vec<One>,
    /// What a name means that is given to it: the image, or the index.
    root: Descriptor,
    /// The index, byte for byte.
    index: Option<Vec<u8>>,
    /// Its name where it is.
    name: Option<Reference>,
    /// The registry that has the layers which the store has not.
    registry: Option<Reference>,
}

/// A single image.
struct One {
    image: Image,
    documents: Documents,
}

/// Which images of an index are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All, with the index itself.
    All,
    /// The one for the platform that is asked for; an image that is no index, as it is.
    One,
    /// The one for the platform that is asked for, and no other.
    Exactly,
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
    pub fn stored(stored: &Stored, name: Option<Reference>, store: &Store) -> Result<Self> {
        let one = One::stored(stored, store)?;
        Ok(Self { root: one.documents.descriptor.clone(), images: vec![one], index: None, name, registry: None })
    }

    /// All images of an index of the store.
    ///
    /// # Errors
    /// When their documents cannot be read, or one is not there.
    pub fn index(index: StoredIndex, name: Option<Reference>, store: &Store) -> Result<Self> {
        if index.images.len() != index.entries.len() {
            return Err(Error::new("the store does not have all images of that index")).hint("name one of them with `--platform`");
        }
        let images = index.images.iter().map(|(_, stored)| One::stored(stored, store)).collect::<Result<_>>()?;
        Ok(Self { images, root: index.descriptor, index: Some(index.document), name, registry: None })
    }

    /// The images, each with the digest of its manifest.
    pub fn images(&self) -> impl Iterator<Item = (&Image, &Digest)> {
        self.images.iter().map(|one| (&one.image, &one.documents.descriptor.digest))
    }

    /// The images with their documents.
    pub fn documented(&self) -> impl Iterator<Item = (&Image, &Documents)> {
        self.images.iter().map(|one| (&one.image, &one.documents))
    }

    /// The first of the images, which is the only one where it is no index.
    ///
    /// # Errors
    /// When an index lists none.
    pub fn image(&self) -> Result<&Image> {
        self.images.first().map(|one| &one.image).context(|| "the index has no images")
    }

    /// Whether it is an index.
    pub fn is_index(&self) -> bool {
        self.index.is_some()
    }

    /// The digest of its manifest, or of the index.
    pub fn digest(&self) -> &Digest {
        &self.root.digest
    }

    /// What others may refer to: the image, or the index and then each of its images.
    pub fn subjects(&self) -> Vec<Descriptor> {
        let members = self.images.iter().map(|one| &one.documents.descriptor).filter(|one| one.digest != self.root.digest);
        std::iter::once(&self.root).chain(members).cloned().collect()
    }

    /// The registry that it was opened in.
    pub fn registry(&self) -> Option<&Reference> {
        self.registry.as_ref()
    }

    /// Its name where it is.
    pub fn name(&self) -> &[Reference] {
        self.name.as_slice()
    }

    fn size(&self) -> u64 {
        self.images.iter().map(|one| one.image.compressed_size()).sum()
    }

    /// The image for a place that takes a single one.
    fn single(&self, platform: &Platform) -> Result<&One> {
        let fits = |one: &&One| self.index.is_none() || platform.accepts(&Platform::of(&one.image.config));
        let all: Vec<String> = self.images.iter().map(|one| Platform::of(&one.image.config).to_string()).collect();
        let wrong = || format!("it takes a single image, and those that there are, for {}, are not for {platform}", all.join(", "));
        self.images.iter().find(fits).context(wrong).hint("write to `oci:DIR` or a registry, which take them all")
    }
}

impl One {
    fn stored(stored: &Stored, store: &Store) -> Result<Self> {
        Ok(Self { image: stored.image.clone(), documents: store.documents(stored)? })
    }

    fn remote(remote: Remote) -> Self {
        let documents = Documents { config: remote.config_bytes, manifest: remote.manifest_bytes, descriptor: remote.manifest };
        Self { image: remote.image, documents }
    }
}

impl Images<'_> {
    /// Looks an image up, so that it can be written elsewhere; of an index what `extent` says. Of an archive and an engine it is a single one.
    ///
    /// # Errors
    /// When it is not there, or damaged.
    pub fn open(&self, place: &Place, extent: Extent) -> Result<Opened> {
        let opened = self.open_any(place, extent)?;
        let other = opened.images.iter().map(|one| Platform::of(&one.image.config)).find(|platform| !self.platform.accepts(platform));
        match other.filter(|_| extent == Extent::Exactly) {
            Some(other) => Err(Error::new(format!("the image `{place}` is for {other}, not for {}", self.platform))),
            None => Ok(opened),
        }
    }

    fn open_any(&self, place: &Place, extent: Extent) -> Result<Opened> {
        let opened = |stored: &Stored, name: Option<&Reference>| Opened::stored(stored, name.cloned(), self.store);
        match place {
            Place::Layout { folder, tag } => {
                match store::read_layout_index(self.store, folder, tag.as_deref())?.filter(|_| extent == Extent::All) {
                    Some(index) => Opened::index(index, None, self.store),
                    None => opened(&self.bring(place)?.stored, None),
                }
            }
            Place::Archive { file, name } => {
                let found = store::read_archive(self.store, file, name.as_ref(), self.platform)?;
                opened(&found.stored, name.as_ref().or(found.name.as_ref()))
            }
            Place::Engine(name) => {
                let name = name.as_ref().context(|| "`docker:` names no image").hint("write `docker:NAME`")?;
                opened(&self.engine()?.fetched(name, self)?, Some(name))
            }
            Place::Registry(name) => self.remote(name, extent),
            Place::Store(name) => match self.store.find_index(name)?.filter(|_| extent == Extent::All) {
                Some(index) => Opened::index(index, Some(name.clone()), self.store),
                None => opened(&self.of_store(name)?, Some(name)),
            },
            Place::Name(name) => match self.store.has(name)? {
                true => self.open(&Place::Store(name.clone()), extent),
                false => self.remote(name, extent).context(|| format!("`{name}` is not in the store")),
            },
        }
    }

    /// Writes an image, or several with their index, to a place; a name without a registry's host goes to the store, any other to its registry.
    /// An archive and an engine get the image for this machine.
    ///
    /// # Errors
    /// When it cannot be written; what was there before is there still.
    pub fn write(&self, opened: &Opened, place: &Place, names: &[Reference]) -> Result<Written> {
        let describe = || format!("cannot write the image to `{place}`");
        let own = opened.name.as_ref();
        let (mut digest, mut image_id) = (opened.digest().clone(), None);
        match place {
            Place::Layout { folder, tag } => {
                let tag = tag.clone().or_else(|| Some(own?.tag()?.to_string())).unwrap_or_else(|| "latest".into());
                self.write_layout(opened, folder, &tag).context(describe)?;
            }
            Place::Archive { file, name } => {
                let names: Vec<Reference> = if let Some(name) = name { vec![name.clone()] } else { names.to_vec() };
                let one = opened.single(self.platform).context(describe)?;
                let stored = self.put(opened, one).context(describe)?;
                store::write_docker_archive(self.store, &[(&stored, &names)], file)?;
                digest = stored.digest;
            }
            Place::Engine(name) => {
                let names = name.as_ref().map_or(names, std::slice::from_ref);
                let one = opened.single(self.platform).context(describe)?;
                image_id = Some(self.write_engine(opened, one, names).context(describe)?);
                digest = one.documents.descriptor.digest.clone();
            }
            Place::Registry(name) => self.push(opened, name).context(describe)?,
            Place::Name(name) if name.has_host() => self.push(opened, name).context(describe)?,
            Place::Store(name) | Place::Name(name) => self.keep(opened, name).context(describe)?,
        }
        Ok(Written { destination: place.to_string(), digest, image_id })
    }

    /// Gives the name to what was opened, in the store.
    fn keep(&self, opened: &Opened, name: &Reference) -> Result<()> {
        opened.images.iter().try_for_each(|one| self.put(opened, one).map(drop))?;
        self.put_index(opened)?;
        self.store.tag(name, &opened.root)?;
        if opened.registry.as_ref() == Some(name) { self.store.note_pull(name) } else { Ok(()) }
    }

    /// Brings the layers of what was opened into the store.
    ///
    /// # Errors
    /// When one cannot be had.
    pub fn bring_layers(&self, opened: &Opened) -> Result<()> {
        opened.images.iter().try_for_each(|one| self.fetch(opened, &one.image.layers))
    }

    /// Brings one layer of what was opened into the store.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn bring_layer(&self, opened: &Opened, layer: &Layer) -> Result<()> {
        self.fetch(opened, std::slice::from_ref(layer))
    }

    fn put_index(&self, opened: &Opened) -> Result<()> {
        opened.index.iter().try_for_each(|index| self.store.put(&opened.root.media_type, index).map(drop))
    }

    /// Puts an image with its layers into the store, without a name.
    fn put(&self, opened: &Opened, one: &One) -> Result<Stored> {
        self.fetch(opened, &one.image.layers)?;
        self.store.put_documents(&one.documents)
    }

    fn engine(&self) -> Result<Engine> {
        Engine::connect(self.engine)
    }

    fn remote(&self, name: &Reference, extent: Extent) -> Result<Opened> {
        let (own, registry) = (Some(name.clone()), Some(name.clone()));
        if let (Extent::All, Some(index)) = (extent, self.registries.index(name)?) {
            let images = index.images.into_iter().map(One::remote).collect();
            return Ok(Opened { images, root: index.descriptor, index: Some(index.document), name: own, registry });
        }
        match self.registries.find_for(name, self.platform)? {
            Lookup::Found(remote) => {
                let one = One::remote(*remote);
                Ok(Opened { root: one.documents.descriptor.clone(), images: vec![one], index: None, name: own, registry })
            }
            Lookup::Missing => Err(Error::new(format!("the registry does not have `{}`", name.full())).hint("check the name and the tag")),
            Lookup::OtherPlatforms(found) => {
                Err(Error::new(format!("the registry has `{}` for {found}, not for {}", name.full(), self.platform)))
            }
        }
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

    fn write_layout(&self, opened: &Opened, folder: &Path, tag: &str) -> Result<()> {
        let mut images = Vec::new();
        for one in &opened.images {
            let lacking: Vec<Layer> = one.image.layers.iter().filter(|layer| !store::layout_has(folder, &layer.blob)).cloned().collect();
            self.fetch(opened, &lacking)?;
            images.push(self.store.put_documents(&one.documents)?);
        }
        self.put_index(opened)?;
        store::write_layout(self.store, &images, &opened.root, folder, tag)
    }

    fn write_engine(&self, opened: &Opened, one: &One, names: &[Reference]) -> Result<String> {
        if names.is_empty() {
            return Err(Error::new("the image has no name")).hint("write `docker:NAME`");
        }
        let files = &mut |layers: &[Layer]| -> Result<Vec<PathBuf>> {
            self.fetch(opened, layers)?;
            Ok(layers.iter().map(|layer| self.store.blob_path(&layer.blob.digest)).collect())
        };
        let (image, documents) = (&one.image, &one.documents);
        let made = self.engine()?.deliver(Delivery { image, documents, names, store: self.store, files }, self.output)?;
        Ok(made.id)
    }

    /// Sends images by their digests where they have an index, and the index last: the name never means a part of it.
    fn push(&self, opened: &Opened, name: &Reference) -> Result<()> {
        let digest = opened.digest();
        if name.digest().is_some_and(|pinned| pinned != digest) {
            return Err(Error::new(format!("the image has the digest {digest}")));
        }
        let sources = || opened.registry.iter().chain(&opened.name).filter(|source| source.has_host()).cloned().map(Source).collect();
        let progress = self.output.progress(&format!("sending {}", name.familiar()), Some(opened.size()));
        for One { image, documents } in &opened.images {
            let blobs = image.layers.iter().map(|layer| Blob { layer: layer.clone(), sources: sources() }).collect();
            let push = Push { documents, blobs, store: self.store, progress: Some(&progress) };
            let pinned = opened.index.as_ref().map(|_| name.pinned(&documents.descriptor.digest));
            self.registries.push(&push, pinned.as_ref().unwrap_or(name))?;
        }
        match &opened.index {
            Some(index) => self.registries.push_list(index, &opened.root.media_type, name),
            None => Ok(()),
        }
    }
}

impl Engine {
    fn fetched(&self, name: &Reference, images: &Images) -> Result<Stored> {
        let found = self.bring(name, images.platform, images.store, images.output)?;
        let found = found.context(|| format!("the engine has no image `{name}`")).hint("`docker images` lists what it has")?;
        Ok(found.stored)
    }
}

impl Written {
    /// What a person reads of it.
    pub fn line(&self, opened: &Opened) -> String {
        let size = human_bytes(opened.size());
        let id = self.image_id.as_ref().map(|id| format!(", ID {}", &id[..id.len().min(12)])).unwrap_or_default();
        format!("wrote {} to {} ({size}{id})", self.digest, self.destination)
    }
}
