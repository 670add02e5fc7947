//! Puts what refers to an image beside it: all of it with few requests, and nothing that is there already.

use super::Registries;
use super::pull::each;
use super::sending::{Content, send};
use crate::error::{Context, Result};
use crate::image::{Artifact, Descriptor, Digest, Documents, Reference};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// How many blobs are sent at once.
const AT_ONCE: usize = 4;

impl Registries {
    /// Puts artifacts into the repository of a name, which refer to an image there; those that refer to it already are left. Returns how many
    /// were sent.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn attach(&self, artifacts: &[Artifact], subject: &Descriptor, name: &Reference) -> Result<usize> {
        if artifacts.is_empty() {
            return Ok(0);
        }
        let known: BTreeSet<Digest> = self.referrers(name, &subject.digest, None)?.into_iter().map(|referrer| referrer.digest).collect();
        let documents = artifacts.iter().map(|artifact| (artifact, artifact.documents(subject)));
        let new: Vec<(&Artifact, Documents)> = documents.filter(|(_, documents)| !known.contains(&documents.descriptor.digest)).collect();
        self.send_files(&new, name)?;
        let unlisted = Mutex::new(BTreeSet::new());
        each(new.iter().map(|(_, documents)| documents).collect(), AT_ONCE, |Documents { manifest, descriptor, .. }| {
            let digest = &descriptor.digest;
            if !self.put_document(manifest, descriptor, &name.pinned(digest))? {
                unlisted.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.clone());
            }
            Ok(())
        })?;
        let unlisted = unlisted.into_inner().unwrap_or_else(PoisonError::into_inner);
        let documents = new.iter().map(|(_, documents)| (documents.manifest.as_slice(), &documents.descriptor));
        let unlisted: Vec<(&[u8], &Descriptor)> = documents.filter(|(_, descriptor)| unlisted.contains(&descriptor.digest)).collect();
        self.list_referrers(&unlisted, name).map(|()| new.len())
    }

    /// Sends documents and small blobs of theirs, and names them.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn push_small(&self, documents: &Documents, blobs: &[&[u8]], name: &Reference) -> Result<()> {
        self.send_bytes(blobs.iter().copied().chain([documents.config.as_slice()]), name)?;
        self.push_manifest(documents, name)
    }

    fn send_files(&self, new: &[(&Artifact, Documents)], name: &Reference) -> Result<()> {
        let files = new.iter().flat_map(|(artifact, _)| artifact.files.iter().map(|file| file.content.as_slice()));
        self.send_bytes(files.chain(new.iter().map(|(_, documents)| documents.config.as_slice())), name)
    }

    /// Sends each of some blobs once, unless the repository is known to have it: to ask for a small one takes half of what sending it takes.
    fn send_bytes<'a>(&self, blobs: impl Iterator<Item = &'a [u8]>, name: &Reference) -> Result<()> {
        let session = self.session(name)?;
        let blobs: BTreeMap<Digest, &[u8]> = blobs.map(|bytes| (Digest::of(bytes), bytes)).collect();
        each(blobs.iter().collect(), AT_ONCE, |(digest, bytes)| match session.knows(name.repository(), digest) {
            true => Ok(()),
            false => send(&session, name.repository(), digest, &Content::Bytes(bytes), None).context(|| format!("cannot send {digest}")),
        })
    }
}
