//! Sends an image: first the blobs that the registry lacks, several at once, then the manifest under each name.

use super::fault::fault;
use super::pull::each;
use super::sending::{Content, send};
use super::session::{Access, Call, Session};
use super::upload::{self, Mount};
use super::{Registries, pull};
use crate::error::{Context, Error, Result};
use crate::http::{Body, Method, repeatedly};
use crate::image::{Descriptor, Digest, Documents, Layer, Manifest, Reference};
use crate::output::Progress;
use crate::store::Store;
use std::collections::BTreeSet;

/// How many blobs are sent at once.
const AT_ONCE: usize = 4;

/// An image to send.
pub struct Push<'a> {
    /// Its documents.
    pub documents: &'a Documents,
    /// Its layers' blobs.
    pub blobs: Vec<Blob>,
    /// Where the blobs are that are in a file, and where others are kept on the way.
    pub store: &'a Store,
    /// Where to report bytes.
    pub progress: Option<&'a Progress>,
}

/// A layer's blob, and where it is.
#[derive(Clone, Debug)]
pub struct Blob {
    /// The layer.
    pub layer: Layer,
    /// Where it is besides the store, the best place first.
    pub sources: Vec<Source>,
}

/// A repository that has a blob.
#[derive(Clone, Debug)]
pub struct Source(pub Reference);

impl Registries {
    /// Sends an image under a name, unless the name means this very image already.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses, or when a blob is nowhere; the name then means what it meant before.
    pub fn push(&self, push: &Push, name: &Reference) -> Result<()> {
        if self.names(name, &push.documents.descriptor.digest) { Ok(()) } else { self.push_all(push, name) }
    }

    /// Sends an image under a name; each blob that the registry lacks is sent, even if the name means this very image.
    ///
    /// # Errors
    /// As [`Registries::push`].
    pub fn push_all(&self, push: &Push, name: &Reference) -> Result<()> {
        self.push_blobs(push, name)?;
        self.push_manifest(push.documents, name)
    }

    /// Sends the blobs of an image to the repository of `name`, as far as it lacks them (IMG-27), and its configuration.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses, or when a blob is nowhere.
    pub(super) fn push_blobs(&self, push: &Push, name: &Reference) -> Result<()> {
        let session = self.session(name)?;
        let mut seen = BTreeSet::new();
        let blobs: Vec<&Blob> =
            push.blobs.iter().filter(|blob| is_sent(&blob.layer.blob) && seen.insert(&blob.layer.blob.digest)).collect();
        each(blobs, AT_ONCE, |blob| {
            let pushed = self.push_blob(&session, push, name, blob).context(|| format!("cannot send the layer {}", blob.layer.blob.digest));
            if let Some(progress) = push.progress {
                progress.add(blob.layer.blob.size);
            }
            pushed
        })?;
        let manifest: Manifest = serde_json::from_slice(&push.documents.manifest).context(|| "the manifest makes no sense")?;
        let config = &manifest.config.digest;
        // A new image has a new configuration: to ask for it would be one request more.
        if session.knows(name.repository(), config) {
            return Ok(());
        }
        send(&session, name.repository(), config, &Content::Bytes(&push.documents.config), None).context(|| "cannot send the configuration")
    }

    fn push_blob(&self, session: &Session, push: &Push, name: &Reference, blob: &Blob) -> Result<()> {
        let (digest, repository) = (&blob.layer.blob.digest, name.repository());
        if upload::has(session, repository, digest)? {
            return Ok(());
        }
        let neighbours = blob.sources.iter().map(|Source(source)| source).filter(|source| source.registry() == name.registry());
        let mut started = None;
        for source in neighbours.filter(|source| source.repository() != repository) {
            match upload::mount(session, repository, digest, source.repository()) {
                Mount::Done => return Ok(()),
                Mount::Send(place) => started = place,
            }
        }
        self.bring(push, blob)?;
        send(session, repository, digest, &Content::File(&push.store.blob_path(digest)), started)
    }

    /// Brings a blob that is elsewhere into the store.
    fn bring(&self, push: &Push, blob: &Blob) -> Result<()> {
        let mut result = if push.store.has_blob(&blob.layer.blob.digest) { Ok(()) } else { Err(Error::new("it is nowhere")) };
        for Source(source) in &blob.sources {
            if result.is_ok() {
                break;
            }
            result = pull::fetch(self, source, &blob.layer, push.store, None);
        }
        result
    }

    /// Gives the image a name; its blobs must be there. Where it refers to another one, it gets into the list of those too.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub(super) fn push_manifest(&self, documents: &Documents, name: &Reference) -> Result<()> {
        self.push_document(&documents.manifest, &documents.descriptor, name)
    }

    /// Gives a manifest or an index a name; what it points to must be there. Where it refers to another one, it gets into the list of those too.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn push_document(&self, document: &[u8], descriptor: &Descriptor, name: &Reference) -> Result<()> {
        if self.put_document(document, descriptor, name)? { Ok(()) } else { self.list_referrers(&[(document, descriptor)], name) }
    }

    /// Gives a manifest or an index a name; says whether the registry itself lists it with what it refers to.
    ///
    /// # Errors
    /// As [`Registries::push_document`].
    pub(super) fn put_document(&self, document: &[u8], descriptor: &Descriptor, name: &Reference) -> Result<bool> {
        let session = self.session(name)?;
        let path = format!("manifests/{}", name.wanted());
        let headers = vec![("content-type", descriptor.media_type.clone())];
        let body = Body::Bytes(document.to_vec());
        let call = Call { headers, body, ..Call::new(Method::PUT, name.repository(), &path, Access::Push) };
        repeatedly(|| {
            let response = session.send(&call)?;
            if !matches!(response.status(), 201 | 202 | 204) {
                return Err(fault(response));
            }
            let kept = response.header("docker-content-digest").and_then(|digest| Digest::parse(digest).ok());
            match kept.filter(|kept| *kept != descriptor.digest) {
                Some(kept) => Err(Error::new(format!("the registry keeps the manifest {kept} instead of {}", descriptor.digest)).into()),
                None => Ok(response.header("oci-subject").is_some()),
            }
        })
    }

    /// Whether images may be written to the repository of a name (IMG-06).
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn check_write(&self, name: &Reference) -> Result<()> {
        self.check_read(name)?;
        upload::check(&*self.session(name)?, name.repository())
    }
}

/// Layers that may not be distributed stay where their manifest says.
fn is_sent(blob: &Descriptor) -> bool {
    !blob.media_type.contains("nondistributable") && !blob.media_type.contains("foreign")
}
