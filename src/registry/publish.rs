//! Sends an image under several names.

use super::Registries;
use super::fault::fault;
use super::find::accept;
use super::push::{Blob, Push, Source};
use super::session::{Access, Call, Session};
use super::upload::{self, Mount};
use crate::error::Result;
use crate::http::{Method, repeatedly};
use crate::image::{Digest, Image, Layer, Reference};
use crate::output::Progress;
use crate::store::Store;

/// An image to send.
pub struct Publish<'a> {
    /// The image.
    pub image: &'a Image,
    /// Its names.
    pub names: &'a [Reference],
    /// Images that share layers with it, by names of theirs; the layers that are not in the store are in one of them.
    pub sources: &'a [(Reference, &'a Image)],
    /// Where its other layers are.
    pub store: &'a Store,
    /// Where to report bytes.
    pub progress: Option<&'a Progress>,
}

impl Registries {
    /// Sends an image under all its names; says of each name what became of it. A name that means this very image is left as it is, and what
    /// one repository has is not sent to another of the same registry.
    pub fn publish(&self, publish: &Publish) -> Vec<(Reference, Result<()>)> {
        let documents = publish.image.documents();
        let mut done: Vec<&Reference> = Vec::new();
        let mut published = Vec::new();
        for name in publish.names {
            if self.names(name, &documents.descriptor.digest) {
                done.push(name);
                published.push((name.clone(), Ok(())));
                continue;
            }
            let is_done = done.iter().any(|other| other.registry() == name.registry() && other.repository() == name.repository());
            let pushed = if is_done {
                self.push_manifest(&documents, name)
            } else {
                // Large layers may have gone to the first name's repository before.
                let first = publish.names.first().filter(|_| done.is_empty());
                let places: Vec<&Reference> = done.iter().copied().chain(first).collect();
                let progress = publish.progress.filter(|_| done.is_empty());
                let mut push = Push { documents: &documents, blobs: blobs(publish, &places), store: publish.store, progress };
                self.push_new(&mut push, name)
            };
            if pushed.is_ok() && !is_done {
                done.push(name);
            }
            published.push((name.clone(), pushed));
        }
        published
    }

    /// Sends an image, of its blobs those that no image in the repository names. The others are there, unless somebody swept too much away:
    /// then the registry refuses the image, and all are looked for.
    fn push_new(&self, push: &mut Push, name: &Reference) -> Result<()> {
        let session = self.session(name)?;
        let (settled, open): (Vec<Blob>, Vec<Blob>) = push.blobs.drain(..).partition(|blob| is_settled(&session, name, blob));
        if let Some(progress) = push.progress {
            settled.iter().for_each(|blob| progress.add(blob.layer.blob.size));
        }
        push.blobs = open;
        self.push_blobs(push, name)?;
        match self.push_manifest(push.documents, name) {
            Err(_) if !settled.is_empty() => {
                push.blobs = settled;
                self.push_all(push, name)
            }
            pushed => pushed,
        }
    }

    /// Whether a name means the image with this digest. If that cannot be known, it counts as another one.
    pub(super) fn names(&self, name: &Reference, digest: &Digest) -> bool {
        let Ok(session) = self.session(name) else { return false };
        // To send it in vain does no harm.
        if session.meant_another(name.repository(), name.wanted(), digest) {
            return false;
        }
        let path = format!("manifests/{}", name.wanted());
        let call = Call { headers: vec![accept()], ..Call::new(Method::HEAD, name.repository(), &path, Access::Push) };
        let said = repeatedly(|| {
            let response = session.send(&call)?;
            match response.status() {
                200 => Ok(response.header("docker-content-digest").map(str::to_string)),
                404 => Ok(None),
                _ => Err(fault(response)),
            }
        });
        said.is_ok_and(|said| said.as_deref() == Some(digest.as_str()))
    }
}

/// Whether a repository has a blob because an image in it names that, or gets it now from a neighbour of which that is true: the blobs of a run
/// image take one request each, over one connection.
fn is_settled(session: &Session, name: &Reference, blob: &Blob) -> bool {
    let (digest, repository) = (&blob.layer.blob.digest, name.repository());
    let neighbours = blob.sources.iter().map(|Source(source)| source).filter(|source| source.registry() == name.registry());
    let mut named = neighbours.map(Reference::repository).filter(|source| session.is_named(source, digest));
    session.is_named(repository, digest)
        || named.next().is_some_and(|source| matches!(upload::mount(session, repository, digest, source), Mount::Done))
}

/// Each layer's blob, and which repositories have it.
fn blobs(publish: &Publish, places: &[&Reference]) -> Vec<Blob> {
    let sources = |layer: &Layer| {
        let has = |image: &Image| image.layers.iter().any(|other| other.blob.digest == layer.blob.digest);
        let of_sources = publish.sources.iter().filter(|(_, image)| has(image)).map(|(name, _)| name.clone());
        places.iter().map(|name| (*name).clone()).chain(of_sources).map(Source).collect()
    };
    publish.image.layers.iter().map(|layer| Blob { layer: layer.clone(), sources: sources(layer) }).collect()
}
