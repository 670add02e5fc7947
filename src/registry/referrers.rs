//! What refers to an image: signatures, SBOM documents and the like (OCI Distribution Specification, "Listing Referrers"). Where a registry
//! keeps no list of that, clients keep one themselves, under a tag that is made of the image's digest.

use super::find::{Document, documents, is_list, manifest};
use super::pages::pages;
use super::session::{Access, Call, Session};
use super::{Registries, blob};
use crate::error::{Context, Error, Result};
use crate::http::{Method, Response};
use crate::image::{Descriptor, Digest, Documents, Index, Manifest, Reference, Referring, media_type, to_json};

/// An image with more referrers is refused.
const MOST: usize = 10_000;

impl Registries {
    /// What refers to the image with a digest, by what it says of itself; only that of one kind, where one is named.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or has no end of them.
    pub fn referrers(&self, name: &Reference, digest: &Digest, artifact_type: Option<&str>) -> Result<Vec<Descriptor>> {
        let session = self.session(name)?;
        let found = match listed(&session, name, digest, artifact_type) {
            Ok(Some(listed)) => Ok(listed),
            Ok(None) => tagged(&session, name, digest).map(|index| index.manifests),
            Err(error) => Err(error),
        };
        let mut found = found.context(|| format!("cannot list what refers to `{}@{digest}`", name.repository()))?;
        // Registries may leave that to us.
        found.retain(|referrer| artifact_type.is_none_or(|wanted| referrer.artifact_type == wanted));
        Ok(found)
    }

    /// The documents that a descriptor points to: of an image, or of anything else that has a manifest.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or has something else.
    pub fn documents(&self, name: &Reference, descriptor: &Descriptor) -> Result<Documents> {
        documents(&*self.session(name)?, name, descriptor)
    }

    /// The document that a descriptor points to.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or has something else.
    pub fn document(&self, name: &Reference, descriptor: &Descriptor) -> Result<Vec<u8>> {
        let found = manifest(&*self.session(name)?, name, descriptor.digest.as_str(), Some(descriptor))?;
        found.map(|document| document.bytes).context(|| format!("the registry lacks the manifest {}", descriptor.digest))
    }

    /// The manifest that a name means; nothing where it means nothing.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or has something else than a manifest.
    pub fn named_manifest(&self, name: &Reference) -> Result<Option<Manifest>> {
        let Some(document) = manifest(&*self.session(name)?, name, name.wanted(), None)? else { return Ok(None) };
        serde_json::from_slice(&document.bytes).map(Some).context(|| format!("the manifest `{name}` makes no sense"))
    }

    /// A file of an artifact, whole.
    ///
    /// # Errors
    /// When the registry does not have it, or sends something else; or when it is longer than `longest`.
    pub fn file(&self, name: &Reference, file: &Descriptor, longest: u64) -> Result<Vec<u8>> {
        blob::bytes(&*self.session(name)?, name.repository(), file, longest)
    }

    /// Enters manifests and indexes into the list of those that refer to the image that they refer to, for a registry that does not; all to the
    /// same one.
    pub(super) fn list_referrers(&self, referrers: &[(&[u8], &Descriptor)], name: &Reference) -> Result<()> {
        let parse = |document: &[u8]| serde_json::from_slice::<Referring>(document).context(|| "the manifest makes no sense");
        let parsed = referrers.iter().map(|(document, descriptor)| Ok((parse(document)?, *descriptor))).collect::<Result<Vec<_>>>()?;
        let Some(subject) = parsed.first().and_then(|(referring, _)| referring.subject.clone()) else { return Ok(()) };
        let mut index = tagged(&*self.session(name)?, name, &subject.digest)?;
        let before = index.manifests.len();
        for (referring, descriptor) in parsed {
            if index.manifests.iter().all(|known| known.digest != descriptor.digest) {
                index.manifests.push(referring.listed(descriptor));
            }
        }
        match index.manifests.len() == before {
            true => Ok(()),
            false => self.push_list(&to_json(&index), media_type::INDEX, &tag_of(name, &subject.digest)?),
        }
    }

    /// Takes a manifest that was removed out of the list of those that refer to the same one, where clients keep that.
    pub(super) fn unlist_referrer(&self, name: &Reference, removed: &Document) -> Result<()> {
        let Ok(Referring { subject: Some(subject), .. }) = serde_json::from_slice(&removed.bytes) else { return Ok(()) };
        let mut index = tagged(&*self.session(name)?, name, &subject.digest)?;
        let before = index.manifests.len();
        index.manifests.retain(|known| known.digest != removed.descriptor.digest);
        if index.manifests.len() == before {
            return Ok(());
        }
        self.push_list(&to_json(&index), media_type::INDEX, &tag_of(name, &subject.digest)?)
    }
}

/// What the registry itself lists; nothing where it keeps no such list.
fn listed(session: &Session, name: &Reference, digest: &Digest, artifact_type: Option<&str>) -> Result<Option<Vec<Descriptor>>> {
    let kind = artifact_type.map(|kind| format!("?artifactType={}", escaped(kind))).unwrap_or_default();
    let path = format!("referrers/{digest}{kind}");
    let call = Call::new(Method::GET, name.repository(), &path, Access::Pull);
    let call = Call { headers: vec![("accept", media_type::INDEX.into())], ..call };
    // Registries that do not know the question do not know how to say so either.
    let is_absent = |response: &Response| match response.status() {
        400 | 404..=406 => true,
        200 => response.header("content-type").is_some_and(|kind| !kind.starts_with(media_type::INDEX)),
        _ => false,
    };
    let mut all = Vec::new();
    let take = |index: Index| {
        all.extend(index.manifests);
        if all.len() > MOST { Err(Error::new(format!("there are more than {MOST}"))) } else { Ok(()) }
    };
    Ok(pages(session, call, is_absent, take)?.then_some(all))
}

/// What clients list; an empty list where none did.
fn tagged(session: &Session, name: &Reference, digest: &Digest) -> Result<Index> {
    let Some(document) = manifest(session, name, &tag(digest), None)? else { return Ok(Index::default()) };
    if !is_list(&document)? {
        return Err(Error::new(format!("the tag `{}` means an image instead of a list", tag(digest))));
    }
    serde_json::from_slice(&document.bytes).context(|| "the list makes no sense")
}

/// The tag of the list that clients keep (OCI Distribution Specification, "Referrers Tag Schema").
fn tag(digest: &Digest) -> String {
    format!("sha256-{}", digest.hex())
}

fn tag_of(name: &Reference, digest: &Digest) -> Result<Reference> {
    Reference::parse(&format!("{}/{}:{}", name.registry(), name.repository(), tag(digest)))
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
