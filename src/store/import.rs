//! Images from OCI image layouts of other people's: every blob is hashed on its way into the store.

use super::members::{LONGEST_DOCUMENT, Members};
use super::{Store, Stored, StoredIndex, index};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Descriptor, Digest, Hashing, Index, Manifest, Platform, platforms};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

impl Store {
    /// Stores what `source` holds, hashed on its way: it must be the `wanted` blob.
    ///
    /// # Errors
    /// When it is another one, `source` cannot be read, or the store cannot be written.
    pub fn import(&self, source: &mut dyn Read, wanted: &Descriptor) -> Result<()> {
        let mut blob = Hashing::new(self.new_blob()?);
        let mut buffer = vec![0; 1 << 18];
        loop {
            let count = source.read(&mut buffer).context(|| format!("cannot read the blob {}", wanted.digest))?;
            if count == 0 {
                break;
            }
            if blob.size() + count as u64 > wanted.size {
                return Err(Error::new(format!("the blob {} is damaged: it has more than {} bytes", wanted.digest, wanted.size)));
            }
            blob.write_all(&buffer[..count]).context(|| "cannot write to the store")?;
        }
        let (found, blob) = blob.finish();
        check(wanted, &found)?;
        blob.commit(&wanted.digest)
    }
}

/// What an index may nest: a layout's index names an image's index, which names its manifests.
const DEEPEST: usize = 3;

/// Where the blobs of a layout are.
pub(super) enum Shelf<'a> {
    /// In a folder.
    Folder(&'a Path),
    /// In an archive.
    Archive(&'a Members),
}

/// Brings an image out of the layout in `folder` into the store: the one named `tag`, or the only one. Of an image for several machines
/// it is the one for `platform`.
///
/// # Errors
/// When the folder is no layout, has no such image, or a blob is missing or damaged.
pub fn read_layout(store: &Store, folder: &Path, tag: Option<&str>, platform: &Platform) -> Result<Stored> {
    let read = || {
        let shelf = Shelf::Folder(folder);
        let manifest = shelf.for_platform(layout_entry(folder, tag)?, platform)?;
        read_shelf(store, &shelf, &manifest)
    };
    read().context(|| format!("cannot read the OCI layout `{}`", folder.display()))
}

/// Brings all images of an index in the layout in `folder` into the store, without a name; nothing where the name means a single image.
///
/// # Errors
/// As [`read_layout`], and when the index lists indexes.
pub fn read_layout_index(store: &Store, folder: &Path, tag: Option<&str>) -> Result<Option<StoredIndex>> {
    let read = || {
        let (shelf, entry) = (Shelf::Folder(folder), layout_entry(folder, tag)?);
        if !entry.is_index() {
            return Ok(None);
        }
        let bytes = shelf.document(&entry)?;
        let index: Index = serde_json::from_slice(&bytes).context(|| format!("the index {} is damaged", entry.digest))?;
        if index.manifests.iter().any(Descriptor::is_index) {
            return Err(Error::new("it is a list of lists of images")).hint("name one image with `--platform`");
        }
        index.manifests.iter().try_for_each(|manifest| read_shelf(store, &shelf, manifest).map(drop))?;
        store.put(&entry.media_type, &bytes)?;
        store.read_index(&entry).map(Some)
    };
    read().context(|| format!("cannot read the OCI layout `{}`", folder.display()))
}

/// What a layout has under a name, or the only thing that it has.
fn layout_entry(folder: &Path, tag: Option<&str>) -> Result<Descriptor> {
    if !folder.join("index.json").is_file() {
        return Err(Error::new("there is no `index.json`"));
    }
    let index = index::read(folder)?;
    // What refers to an image has no name and is none.
    let named = |entry: &&Descriptor| match tag {
        Some(tag) => index::name_of(entry).is_some_and(|name| name == tag),
        None => entry.artifact_type.is_empty(),
    };
    let mut found = index.manifests.iter().filter(named);
    match (found.next(), found.next(), tag) {
        (Some(entry), None, _) | (Some(entry), Some(_), Some(_)) => Ok(entry.clone()),
        (Some(_), Some(_), None) => {
            let names: Vec<&str> = index.manifests.iter().filter_map(index::name_of).map(String::as_str).collect();
            Err(Error::new("it has several images").hint(format!("name one as `oci:DIR:TAG`: {}", names.join(", "))))
        }
        (None, _, Some(tag)) => Err(Error::new(format!("it has no image `{tag}`"))),
        (None, _, None) => Err(Error::new("it has no image")),
    }
}

/// Brings the image of a manifest into the store, with the very bytes of its documents.
pub(super) fn read_shelf(store: &Store, shelf: &Shelf, manifest: &Descriptor) -> Result<Stored> {
    bring_blobs(store, shelf, manifest)?;
    store.read(&manifest.digest)
}

/// Brings a manifest and all that it points to into the store, with the very bytes.
pub(super) fn bring_blobs(store: &Store, shelf: &Shelf, manifest: &Descriptor) -> Result<(Vec<u8>, Manifest)> {
    let bytes = shelf.document(manifest)?;
    let parsed: Manifest = serde_json::from_slice(&bytes).context(|| format!("the manifest {} is damaged", manifest.digest))?;
    store.put(&parsed.config.media_type, &shelf.document(&parsed.config)?)?;
    for layer in &parsed.layers {
        if !store.has_blob(&layer.digest) {
            store.import(&mut *shelf.open(&layer.digest)?, layer)?;
        }
    }
    store.put(&manifest.media_type, &bytes)?;
    Ok((bytes, parsed))
}

impl Shelf<'_> {
    /// The manifest for a platform, of an entry that may be a list of images.
    pub fn for_platform(&self, mut entry: Descriptor, platform: &Platform) -> Result<Descriptor> {
        for _ in 0..DEEPEST {
            if !entry.is_index() {
                return Ok(entry);
            }
            let index: Index =
                serde_json::from_slice(&self.document(&entry)?).context(|| format!("the index {} is damaged", entry.digest))?;
            let found = platform.choose(&index.manifests).cloned();
            entry = found.context(|| format!("the image is for {}, not for {platform}", platforms(&index.manifests)))?;
        }
        Err(Error::new("its indexes are nested too deeply"))
    }

    /// Whether a layer of a manifest is compressed.
    pub fn has_compressed_layer(&self, manifest: &Descriptor) -> Result<bool> {
        let parsed: Manifest = serde_json::from_slice(&self.document(manifest)?).context(|| "its manifest is damaged")?;
        Ok(parsed.layers.iter().any(|layer| !layer.media_type.ends_with("tar")))
    }

    fn open(&self, digest: &Digest) -> Result<Box<dyn Read + '_>> {
        let name = Path::new("blobs/sha256").join(digest.hex());
        let missing = || format!("the blob {digest} is missing");
        match self {
            Self::Folder(folder) => Ok(Box::new(File::open(folder.join(name)).context(missing)?)),
            Self::Archive(members) => Ok(Box::new(members.get(&name.to_string_lossy()).context(missing)?)),
        }
    }

    /// A document, checked.
    pub fn document(&self, wanted: &Descriptor) -> Result<Vec<u8>> {
        self.whole(wanted, LONGEST_DOCUMENT)
    }

    /// A blob of no more than `longest` bytes.
    pub fn whole(&self, wanted: &Descriptor, longest: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let opened = self.open(&wanted.digest)?;
        opened.take(longest + 1).read_to_end(&mut bytes).context(|| format!("cannot read {}", wanted.digest))?;
        if bytes.len() as u64 > longest {
            return Err(Error::new(format!("the document {} is too long", wanted.digest)));
        }
        check(wanted, &Digest::of(&bytes))?;
        Ok(bytes)
    }
}

fn check(wanted: &Descriptor, found: &Digest) -> Result<()> {
    if *found == wanted.digest {
        Ok(())
    } else {
        Err(Error::new(format!("the blob {} is damaged: its content has {found}", wanted.digest)))
    }
}
