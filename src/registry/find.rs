//! Looks an image up: its manifest and its configuration, no layers.

use super::fault::fault;
use super::session::{Access, Call, Session};
use super::{Registries, blob};
use crate::error::{Advice, Context, Error, Result};
use crate::http::{Failure, Method, repeatedly};
use crate::image::{Descriptor, Digest, Documents, Image, Index, Manifest, Platform, Reference, media_type, platforms};
use serde::Deserialize;
use std::sync::PoisonError;

/// A longer manifest is refused, as registries do.
const LONGEST_MANIFEST: u64 = 4 << 20;
/// A longer configuration is something else.
const LONGEST_CONFIG: u64 = 16 << 20;
/// More images than these are not kept in mind.
const MOST_FOUND: usize = 64;
/// Lists of lists of images are followed so far.
pub(super) const DEEPEST: u32 = 3;

/// What a registry has under a name.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// An image.
    Found(Box<Remote>),
    /// Nothing.
    Missing,
    /// Images, but none for the platform that was asked for (IMG-15); these are there.
    OtherPlatforms(String),
}

/// An image in a registry.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The name that it was found by.
    pub name: Reference,
    /// Its manifest.
    pub manifest: Descriptor,
    /// The bytes of its manifest.
    pub manifest_bytes: Vec<u8>,
    /// The bytes of its configuration.
    pub config_bytes: Vec<u8>,
    /// The image.
    pub image: Image,
}

impl Remote {
    /// `REPOSITORY@DIGEST` (IMG-17).
    pub fn identifier(&self) -> String {
        format!("{}/{}@{}", self.name.registry(), self.name.repository(), self.manifest.digest)
    }
}

/// What is known of a document before it is read.
#[derive(Default, Deserialize)]
struct Kind {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    layers: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    config: Option<serde::de::IgnoredAny>,
}

/// A document as it arrived.
pub(super) struct Document {
    pub descriptor: Descriptor,
    pub bytes: Vec<u8>,
}

impl Registries {
    /// Looks an image up; of a list of images, the one for this machine's processor.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or has something else under that name.
    pub fn find(&self, name: &Reference) -> Result<Lookup> {
        self.find_for(name, &Platform::here())
    }

    /// Looks an image up; of a list of images, the one for a platform.
    ///
    /// # Errors
    /// As [`Registries::find`].
    pub fn find_for(&self, name: &Reference, platform: &Platform) -> Result<Lookup> {
        let found = self.at_nearest(name, |found| matches!(found, Lookup::Found(_)), |place| self.find_image(place, platform));
        let found = found.context(|| format!("cannot read the image `{}`", name.full()))?;
        Ok(match found {
            Lookup::Found(remote) => Lookup::Found(Box::new(Remote { name: name.clone(), ..*remote })),
            Lookup::Missing | Lookup::OtherPlatforms(_) => found,
        })
    }

    fn find_image(&self, name: &Reference, platform: &Platform) -> Result<Lookup> {
        let known = name.digest().map(|digest| format!("{}/{}@{digest}", name.registry(), name.repository()));
        if let Some(found) = known.and_then(|known| self.found.lock().unwrap_or_else(PoisonError::into_inner).get(&known).cloned()) {
            return Ok(Lookup::Found(Box::new(Remote { name: name.clone(), ..found })));
        }
        let session = self.session(name)?;
        let Some(mut document) = manifest(&session, name, name.wanted(), None)? else { return Ok(Lookup::Missing) };
        for _ in 0..DEEPEST {
            if !is_list(&document)? {
                let remote = image(&session, name, document)?;
                self.remember(&remote);
                return Ok(Lookup::Found(Box::new(remote)));
            }
            let index: Index = serde_json::from_slice(&document.bytes).context(|| "the list of images makes no sense")?;
            let Some(child) = platform.choose(&index.manifests) else { return Ok(Lookup::OtherPlatforms(platforms(&index.manifests))) };
            document = manifest(&session, name, child.digest.as_str(), Some(child))?
                .context(|| format!("the registry lacks the image {}", child.digest))?;
        }
        Err(Error::new("it is a list of lists of lists of images"))
    }

    /// Whoever works on many images needs few of them twice.
    fn remember(&self, remote: &Remote) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= MOST_FOUND {
            found.clear();
        }
        found.insert(remote.identifier(), remote.clone());
    }

    /// Whether an image may be read, as far as the registry tells: a missing one may be (IMG-05).
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn check_read(&self, name: &Reference) -> Result<()> {
        let session = self.session(name)?;
        let path = format!("manifests/{}", name.wanted());
        let call = Call { headers: vec![accept()], ..Call::new(Method::HEAD, name.repository(), &path, Access::Pull) };
        // One try will do: a mirror that does not answer now will not be better than the next one in line.
        let response = session.send(&call).map_err(Failure::into_error)?;
        match response.status() {
            401 | 403 => Err(fault(response).into_error()),
            _ => Ok(()),
        }
    }
}

/// What this program understands.
pub(super) fn accept() -> (&'static str, String) {
    let kinds = [media_type::MANIFEST, media_type::INDEX, media_type::DOCKER_MANIFEST, media_type::DOCKER_INDEX];
    ("accept", kinds.join(", "))
}

/// The document that a tag or a digest names; nothing where the registry does not have it.
pub(super) fn manifest(session: &Session, name: &Reference, wanted: &str, expected: Option<&Descriptor>) -> Result<Option<Document>> {
    let path = format!("manifests/{wanted}");
    let call = Call { headers: vec![accept()], ..Call::new(Method::GET, name.repository(), &path, Access::Pull) };
    let pinned = Digest::parse(wanted).ok();
    repeatedly(|| {
        let response = session.send(&call)?;
        match response.status() {
            200 => {}
            404 => return Ok(None),
            _ => return Err(fault(response)),
        }
        let said = response.header("docker-content-digest").and_then(|digest| Digest::parse(digest).ok());
        let content_type = response.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim().to_string();
        let bytes = response.bytes(LONGEST_MANIFEST)?;
        let found = Digest::of(&bytes);
        let size = expected.map_or(bytes.len() as u64, |expected| expected.size);
        if pinned.as_ref().or(said.as_ref()).is_some_and(|digest| *digest != found) || size != bytes.len() as u64 {
            return Err(Failure::Final(Error::new(format!(
                "the registry sent the manifest {found} instead of the one that was asked for"
            ))));
        }
        let kind: Kind = serde_json::from_slice(&bytes).context(|| "the manifest is no JSON of the known form")?;
        let media_type = if kind.media_type.is_empty() { content_type } else { kind.media_type };
        if pinned.is_none() {
            session.note_meaning(name.repository(), wanted, &found);
        }
        Ok(Some(Document { descriptor: Descriptor::new(&media_type, bytes.len() as u64, found), bytes }))
    })
}

/// Whether a document lists images; a document that others could read in another way is refused.
pub(super) fn is_list(document: &Document) -> Result<bool> {
    let kind: Kind = serde_json::from_slice(&document.bytes).context(|| "the manifest is no JSON of the known form")?;
    let wrong = |why: &str| Err(Error::new(format!("the manifest {} {why}", document.descriptor.digest)));
    match (kind.manifests.is_some(), kind.layers.is_some() || kind.config.is_some()) {
        (true, true) => wrong("is both an image and a list of images"),
        (false, false) => wrong("is of a form that is no longer supported").hint("build or push the image again with a newer tool"),
        (is_list, _) => {
            let lists = [media_type::INDEX, media_type::DOCKER_INDEX];
            let named = kind.media_type.is_empty() || lists.contains(&kind.media_type.as_str()) == is_list;
            if named { Ok(is_list) } else { wrong(&format!("is no `{}`", kind.media_type)) }
        }
    }
}

/// The image that a document describes, with its configuration.
pub(super) fn image(session: &Session, name: &Reference, document: Document) -> Result<Remote> {
    let manifest: Manifest = serde_json::from_slice(&document.bytes).context(|| "the manifest makes no sense")?;
    let config_bytes = configuration(session, name, &manifest)?;
    let config = serde_json::from_slice(&config_bytes).context(|| "the configuration makes no sense")?;
    let image = Image::from_documents(&manifest, config)?;
    session.note_named(name.repository(), manifest.layers.iter().map(|layer| &layer.digest));
    Ok(Remote { name: name.clone(), manifest: document.descriptor, manifest_bytes: document.bytes, config_bytes, image })
}

/// The documents that a descriptor points to, of an image or of something else that has a manifest.
pub(super) fn documents(session: &Session, name: &Reference, descriptor: &Descriptor) -> Result<Documents> {
    let document = manifest(session, name, descriptor.digest.as_str(), Some(descriptor))?;
    let document = document.context(|| format!("the registry lacks the manifest {}", descriptor.digest))?;
    let parsed = serde_json::from_slice(&document.bytes).context(|| format!("the manifest {} makes no sense", descriptor.digest))?;
    Ok(Documents { config: configuration(session, name, &parsed)?, manifest: document.bytes, descriptor: document.descriptor })
}

/// The configuration of a manifest.
fn configuration(session: &Session, name: &Reference, manifest: &Manifest) -> Result<Vec<u8>> {
    let config = blob::bytes(session, name.repository(), &manifest.config, LONGEST_CONFIG).context(|| "cannot read the configuration")?;
    session.note(name.repository(), &manifest.config.digest);
    Ok(config)
}
