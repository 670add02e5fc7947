//! Images from archives as `docker save`, `podman save` and skopeo write them, and as this program does. One that is an OCI layout too keeps
//! its documents byte for byte; of others the configuration stays, and with it the image's ID in an engine.

use super::import::{Shelf, read_shelf};
use super::members::Members;
use super::{Store, Stored};
use crate::archive::{Form, decompressed};
use crate::error::{Context, Error, Result};
use crate::image::{Config, Descriptor, Digest, History, Index, Manifest, Platform, Reference, layout, media_type, to_json};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::path::Path;

/// The annotation that names an image of a containerd archive.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// What `manifest.json` says of an image.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// An image that an archive had.
pub struct FromArchive {
    /// The image.
    pub stored: Stored,
    /// The first of the names that the archive gives to it.
    pub name: Option<Reference>,
}

/// Brings an image out of the archive in `file` into the store: the one named `name`, or the only one. Of an image for several machines it
/// is the one for `platform`. Layers that an image in the store has are not stored again.
///
/// # Errors
/// When the file is no archive, has no such image, or something is missing or damaged.
pub fn read_archive(store: &Store, file: &Path, name: Option<&Reference>, platform: &Platform) -> Result<FromArchive> {
    let describe = || format!("cannot read the archive `{}`", file.display());
    let opened = File::open(file).context(describe)?;
    read_opened_archive(store, opened, name, platform).context(describe)
}

/// The same with a file that is open.
///
/// # Errors
/// When the file is no archive, has no such image, or something is missing or damaged.
pub fn read_opened_archive(store: &Store, file: File, name: Option<&Reference>, platform: &Platform) -> Result<FromArchive> {
    Archive::open(store, file)?.read(store, name, platform)
}

/// An image of an archive, with names.
pub struct Other {
    /// The image.
    pub stored: Stored,
    /// Its names, fewer than in the archive.
    pub names: Vec<Reference>,
}

/// Brings those images of the archive in `file` into the store that stay when another image gets the names `taken`; none where there is no file.
///
/// # Errors
/// When the file is no archive, or something is missing or damaged.
pub fn read_other_images(store: &Store, file: &Path, taken: &[Reference], platform: &Platform) -> Result<Vec<Other>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let read = || {
        let archive = Archive::open(store, File::open(file)?)?;
        let groups = archive.groups();
        let is_only = groups.len() == 1;
        let mut others = Vec::new();
        for mut names in groups {
            // A single image without a name is the one that is replaced.
            let Some(first) = names.first().cloned() else {
                let hint = "give each a name, with `docker tag` before they are saved";
                return if is_only { Ok(others) } else { Err(Error::new("an image in it has no name").hint(hint)) };
            };
            names.retain(|name| taken.iter().all(|taken| taken.full() != name.full()));
            if !names.is_empty() {
                others.push(Other { stored: archive.read(store, Some(&first), platform)?.stored, names });
            }
        }
        Ok(others)
    };
    read().context(|| format!("cannot keep the other images of the archive `{}`", file.display()))
}

/// An archive that is open.
struct Archive {
    members: Members,
    entries: Option<Vec<Entry>>,
    index: Option<Index>,
}

impl Archive {
    fn open(store: &Store, file: File) -> Result<Self> {
        let members = Members::open(file, &store.root().join("tmp"))?;
        let entries = members.document("manifest.json")?;
        let entries = entries.map(|bytes| serde_json::from_slice(&bytes).context(|| "its `manifest.json` is damaged")).transpose()?;
        let index = members.document("index.json")?;
        let index = index.map(|bytes| serde_json::from_slice(&bytes).context(|| "its `index.json` is damaged")).transpose()?;
        Ok(Self { members, entries, index })
    }

    fn read(&self, store: &Store, name: Option<&Reference>, platform: &Platform) -> Result<FromArchive> {
        if let Some(index) = &self.index {
            let found = choose(&index.manifests, name, names_of, |entry| entry.digest.as_str())?;
            let shelf = Shelf::Archive(&self.members);
            let manifest = shelf.for_platform(found.clone(), platform)?;
            // Engines before containerd write layers as they have them: not compressed.
            if self.entries.is_none() || shelf.has_compressed_layer(&manifest)? {
                let names = names_of(found);
                return Ok(FromArchive { stored: read_shelf(store, &shelf, &manifest)?, name: names.into_iter().next() });
            }
        }
        let entries = self.entries.as_ref().context(|| "it has neither `manifest.json` nor `index.json`")?;
        let entry = choose(entries, name, Entry::names, |entry| entry.config.as_str())?;
        let stored = read_entry(store, &self.members, entry)?;
        Ok(FromArchive { stored, name: entry.names().into_iter().next() })
    }

    /// The names of each image.
    fn groups(&self) -> Vec<Vec<Reference>> {
        let mut groups: BTreeMap<&str, Vec<Reference>> = BTreeMap::new();
        match (&self.entries, &self.index) {
            (Some(entries), _) => entries.iter().for_each(|entry| groups.entry(&entry.config).or_default().extend(entry.names())),
            (None, Some(index)) => {
                index.manifests.iter().for_each(|entry| groups.entry(entry.digest.as_str()).or_default().extend(names_of(entry)));
            }
            (None, None) => {}
        }
        groups.into_values().collect()
    }
}

impl Entry {
    fn names(&self) -> Vec<Reference> {
        parsed(self.repo_tags.iter().flatten())
    }
}

fn names_of(entry: &Descriptor) -> Vec<Reference> {
    let names = [CONTAINERD_NAME, layout::NAME].map(|key| entry.annotations.get(key));
    // A layout's own name may be no more than a tag.
    parsed(names.into_iter().flatten().filter(|name| name.contains([':', '/'])))
}

fn parsed<'a>(names: impl Iterator<Item = &'a String>) -> Vec<Reference> {
    names.filter_map(|name| Reference::parse(name).ok()).collect()
}

/// The entry with this name, or the only one; `key` says whether two are the same image.
fn choose<'a, T>(
    entries: &'a [T],
    name: Option<&Reference>,
    names: impl Fn(&T) -> Vec<Reference>,
    key: impl Fn(&T) -> &str,
) -> Result<&'a T> {
    let fits = |entry: &&T| name.is_none_or(|name| names(entry).iter().any(|other| other.full() == name.full()));
    let found: Vec<&T> = entries.iter().filter(fits).collect();
    match (found.first(), name) {
        (Some(first), _) if found.iter().all(|entry| key(entry) == key(first)) => Ok(first),
        (Some(_), _) => {
            let all: Vec<String> = entries.iter().flat_map(names).map(|name| name.familiar()).collect();
            Err(Error::new("it has several images").hint(format!("name one as `docker-archive:FILE:NAME`: {}", all.join(", "))))
        }
        (None, Some(name)) => Err(Error::new(format!("it has no image `{name}`"))),
        (None, None) => Err(Error::new("it has no image")),
    }
}

/// Brings an image in Docker's own form into the store.
fn read_entry(store: &Store, members: &Members, entry: &Entry) -> Result<Stored> {
    let bytes = members.document(&entry.config)?.context(|| format!("its configuration `{}` is missing", entry.config))?;
    let config: Config = serde_json::from_slice(&bytes).context(|| "its configuration is damaged")?;
    let files = entry.layers.as_deref().unwrap_or_default();
    if files.len() != config.rootfs.diff_ids.len() {
        return Err(Error::new(format!("it has {} layers, its configuration {}", files.len(), config.rootfs.diff_ids.len())));
    }
    let mut known = store.known_layers()?;
    let mut layers = Vec::new();
    for (file, diff_id) in files.iter().zip(&config.rootfs.diff_ids) {
        let blob = match known.get(diff_id) {
            Some(blob) => blob.clone(),
            None => read_layer(store, members, file, diff_id).context(|| format!("cannot read its layer `{file}`"))?,
        };
        known.insert(diff_id.clone(), blob.clone());
        layers.push(blob);
    }
    let config = store.put(media_type::CONFIG, &bytes)?;
    let manifest = Manifest { config, layers, ..Manifest::default() };
    let descriptor = store.put(media_type::MANIFEST, &to_json(&manifest))?;
    store.read(&descriptor.digest)
}

fn read_layer(store: &Store, members: &Members, file: &str, diff_id: &Digest) -> Result<Descriptor> {
    let part = members.get(file).context(|| "it is missing")?;
    let layer = store
        .new_layer(Form::Gzip, |writer| io::copy(&mut decompressed(part)?, writer).map(drop).context(|| "cannot copy it into the store"))?;
    if layer.diff_id() != diff_id {
        return Err(Error::new(format!("it is damaged: its content has {} instead of {diff_id}", layer.diff_id())));
    }
    Ok(layer.commit(History::default())?.blob)
}

impl Store {
    /// The blobs of compressed layers that are in the store, by the digests of what they hold.
    ///
    /// # Errors
    /// When the index or an image cannot be read.
    pub fn known_layers(&self) -> Result<HashMap<Digest, Descriptor>> {
        let images = self.list()?.into_iter().flat_map(|named| named.images).map(|stored| stored.image);
        let layers = images.flat_map(|image| image.layers).filter(|layer| layer.blob.media_type == media_type::LAYER_GZIP);
        Ok(layers.filter(|layer| self.has_blob(&layer.blob.digest)).map(|layer| (layer.diff_id, layer.blob)).collect())
    }
}
