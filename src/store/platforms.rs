//! Images for several platforms under one name: the name means an index, whose images are in the store too. An index of other people's may have
//! images that are not.

use super::{Store, Stored, index};
use crate::error::{Context, Result};
use crate::image::{Descriptor, Digest, Index, Platform, Reference, media_type, platforms, to_json};
use std::fs;

/// An index of the store.
#[derive(Clone, Debug)]
pub struct StoredIndex {
    /// What points to it.
    pub descriptor: Descriptor,
    /// Itself, byte for byte.
    pub document: Vec<u8>,
    /// All that it lists.
    pub entries: Vec<Descriptor>,
    /// The images of it that the store has, each with what the index says of it.
    pub images: Vec<(Descriptor, Stored)>,
}

impl Store {
    /// The image with this name; of an index, the one for this machine.
    ///
    /// # Errors
    /// When it is there but cannot be read, or not for this machine.
    pub fn find(&self, name: &Reference) -> Result<Option<Stored>> {
        self.find_for(name, &Platform::here())
    }

    /// The image with this name; of an index, the one for `platform`. An image that is no index is for whatever it is for.
    ///
    /// # Errors
    /// When it is there but cannot be read, or the index has none for that platform.
    pub fn find_for(&self, name: &Reference, platform: &Platform) -> Result<Option<Stored>> {
        let Some(found) = self.entry(name)? else { return Ok(None) };
        if !found.is_index() {
            return self.read(&found.digest).map(Some);
        }
        let entries = self.index_document(&found.digest)?.manifests;
        let child = platform.choose(&entries);
        let child = child.context(|| format!("the image `{name}` is for {}, not for {platform}", platforms(&entries)))?;
        if self.has_blob(&child.digest) { self.read(&child.digest).map(Some) } else { Ok(None) }
    }

    /// Whether a name means anything.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn has(&self, name: &Reference) -> Result<bool> {
        Ok(self.entry(name)?.is_some())
    }

    /// Gives what has a name another one too: an image, or an index with all of its images. Returns its digest; nothing where the name means
    /// nothing.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn retag(&self, name: &Reference, new: &[Reference]) -> Result<Option<Digest>> {
        let Some(found) = self.entry(name)? else { return Ok(None) };
        let bare = Descriptor::new(&found.media_type, found.size, found.digest.clone());
        new.iter().try_for_each(|name| self.tag(name, &bare))?;
        Ok(Some(found.digest))
    }

    /// The index with this name; nothing where the name means nothing or a single image.
    ///
    /// # Errors
    /// When it is there but cannot be read.
    pub fn find_index(&self, name: &Reference) -> Result<Option<StoredIndex>> {
        self.entry(name)?.filter(Descriptor::is_index).map(|found| self.read_index(&found)).transpose()
    }

    /// Makes an index of images that are in the store, without a name. The same images are the same index, in whatever order they are given.
    ///
    /// # Errors
    /// When an image cannot be read or the store cannot be written.
    pub fn put_index(&self, images: &[&Stored]) -> Result<StoredIndex> {
        let entry = |stored: &&Stored| -> Result<(Platform, Descriptor)> {
            let (config, descriptor) = (&stored.image.config, self.documents(stored)?.descriptor);
            Ok((Platform::of(config), Descriptor { platform: Some(Platform::entry(config)), ..descriptor }))
        };
        let mut entries = images.iter().map(entry).collect::<Result<Vec<_>>>()?;
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        let document = to_json(&Index { manifests: entries.into_iter().map(|(_, entry)| entry).collect(), ..Index::default() });
        self.read_index(&self.put(media_type::INDEX, &document)?)
    }

    /// What a name means in the store: the image of an index too, where that is pinned.
    pub(super) fn entry(&self, name: &Reference) -> Result<Option<Descriptor>> {
        let (full, all) = (name.full(), index::read(&self.root)?.manifests);
        let named = |manifest: &&Descriptor| index::name_of(manifest) == Some(&full);
        let Some(digest) = name.digest() else { return Ok(all.iter().find(named).cloned()) };
        // A name may pin a list of images, of which the store has one.
        if let Some(found) = all.iter().find(|manifest| manifest.digest == *digest || named(manifest)) {
            return Ok(Some(found.clone()));
        }
        for list in all.iter().filter(|manifest| manifest.is_index()) {
            let entries = self.index_document(&list.digest)?.manifests;
            if let Some(found) = entries.into_iter().find(|entry| entry.digest == *digest && self.has_blob(digest)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The index that a descriptor points to.
    pub(super) fn read_index(&self, descriptor: &Descriptor) -> Result<StoredIndex> {
        let document = fs::read(self.blob_path(&descriptor.digest)).context(|| format!("cannot read the index {}", descriptor.digest))?;
        let entries = self.index_document(&descriptor.digest)?.manifests;
        let present = entries.iter().filter(|entry| !entry.is_index() && self.has_blob(&entry.digest));
        let images = present.map(|entry| Ok((entry.clone(), self.read(&entry.digest)?))).collect::<Result<_>>()?;
        let descriptor = Descriptor::new(&descriptor.media_type, document.len() as u64, descriptor.digest.clone());
        Ok(StoredIndex { descriptor, document, entries, images })
    }

    fn index_document(&self, digest: &Digest) -> Result<Index> {
        self.document(digest)
    }
}
