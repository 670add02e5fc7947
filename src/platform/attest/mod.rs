//! Signatures and attestations beside images, in registries and layouts: what is attached when an image is published, signed or rebased, and the check of
//! it. Formats are in `attestation`. Start with [`Images::attach_signed`]; [`Images::verify`] is the other direction.

mod about;
mod layers;
mod tags;
mod trust;
pub mod verify;

pub use about::{About, Kind};
pub use trust::Trust;

use super::images::Images;
use super::place::Place;
use super::referrers::Keeper;
use super::sbom;
use super::transfer::Extent;
use crate::attestation::{Bundle, PrivateKey, Statement, predicate_type};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Artifact, Descriptor, Digest, Manifest, Reference};
use crate::store;
use std::collections::BTreeMap;

/// A longer document about an image is refused.
const LONGEST: u64 = 256 << 20;

/// Who signs, and how.
#[derive(Debug)]
pub struct Signer {
    /// The key.
    pub key: PrivateKey,
    /// Whether all is also written as cosign did before version 3, for those who look for it under tags.
    pub tags: bool,
}

/// What is attached to an image that goes to a registry.
#[derive(Debug, Default)]
pub struct Attaching {
    /// Documents about it: provenance, SBOM.
    pub documents: Documents,
    /// Who signs it, and them.
    pub signer: Option<Signer>,
}

/// When documents are attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Documents {
    /// Always.
    Always,
    /// Where the image that is replaced had some.
    IfBefore,
    /// Not at all.
    #[default]
    Never,
}

/// What is attached to a manifest.
pub struct Attachment<'a> {
    /// Where the image is.
    pub keeper: Keeper<'a>,
    /// The manifest.
    pub subject: &'a Descriptor,
    /// What the image's repository is called.
    pub repository: &'a str,
    /// Documents about it.
    pub about: &'a About,
    /// Who signs them.
    pub signer: Option<&'a Signer>,
}

impl Signer {
    /// A signed statement, as an artifact.
    fn attestation(&self, statement: &Statement) -> Result<Artifact> {
        let bundle = Bundle::sign(&statement.to_bytes(), &self.key)?;
        let annotations = [Bundle::CONTENT, (Bundle::PREDICATE_TYPE, &statement.predicate_type)];
        let annotations = annotations.map(|(name, value)| (name.to_string(), value.to_string()));
        Ok(Artifact { annotations: BTreeMap::from(annotations), ..Artifact::of_file(Bundle::MEDIA_TYPE, "", bundle) })
    }
}

/// What an image's repository is called in what is said about it.
pub fn repository(name: &Reference) -> String {
    format!("{}/{}", name.registry(), name.repository())
}

/// The place of an image that something is to be attached to: of one whose name begins with a registry's host, that registry.
///
/// # Errors
/// When the text is no place, or nothing is kept there that refers to images.
pub fn keeping_place(text: &str) -> Result<Place> {
    match Place::parse(text)? {
        Place::Name(name) if name.has_host() => Ok(Place::Registry(name)),
        place @ (Place::Registry(_) | Place::Layout { .. }) => Ok(place),
        Place::Name(_) | Place::Store(_) | Place::Archive { .. } | Place::Engine(_) => {
            Err(Error::new(format!("`{text}` keeps nothing that refers to images")))
                .hint("registries and layouts do: `registry.example/NAME`, `docker://NAME`, `oci:DIR[:TAG]`")
        }
    }
}

impl Images<'_> {
    /// Signs an image, and all images of an index. Returns what was signed.
    ///
    /// # Errors
    /// When the image is not there, or the signature cannot be written.
    pub fn sign(&self, place: &Place, signer: &Signer) -> Result<Vec<Digest>> {
        let opened = self.open(place, Extent::All)?;
        let keeper = Keeper::of_source(place, &opened).context(|| format!("`{place}` keeps no signatures"))?;
        let name = place.name().map(repository).unwrap_or_default();
        let subjects = opened.subjects();
        for subject in &subjects {
            let about = About::default();
            self.attach_signed(&Attachment { keeper, subject, repository: &name, about: &about, signer: Some(signer) })?;
        }
        Ok(subjects.into_iter().map(|subject| subject.digest).collect())
    }

    /// Attaches a document to an image; of an index to the one for the platform that is asked for. Returns that image.
    ///
    /// # Errors
    /// When the image is not there, the document is none, or it cannot be written.
    pub fn attach_document(&self, place: &Place, kind: Kind, document: Vec<u8>, signer: Option<&Signer>) -> Result<Digest> {
        let opened = self.open(place, Extent::One)?;
        let keeper = Keeper::of_source(place, &opened).context(|| format!("`{place}` keeps no documents"))?;
        let name = place.name().map(repository).unwrap_or_default();
        let about = About { sboms: vec![(kind, document)], ..About::default() };
        for subject in &opened.subjects() {
            self.attach(&Attachment { keeper, subject, repository: &name, about: &about, signer })?;
        }
        Ok(opened.digest().clone())
    }

    /// Attaches documents, and the signature of the image itself where somebody signs. What is there already stays. Returns how many artifacts
    /// there were to write.
    ///
    /// # Errors
    /// When a document is not what it should be, or something cannot be written.
    pub fn attach_signed(&self, attachment: &Attachment) -> Result<usize> {
        let Attachment { subject, repository, signer, .. } = attachment;
        let own = signer.map(|_| Statement::new(repository, &subject.digest, predicate_type::SIGNATURE, b"{}")).transpose()?;
        let count = self.attach_with(attachment, own)?;
        signer.map_or(Ok(()), |signer| self.sign_tag(attachment.keeper, signer, &subject.digest))?;
        Ok(count)
    }

    /// The SBOM documents of an image, of each kind.
    ///
    /// # Errors
    /// When a layer cannot be had or read.
    pub fn sboms(&self, image: &sbom::About) -> Result<Vec<(Kind, Vec<u8>)>> {
        let merged = self.sbom(image).context(|| "cannot say what is in the image")?;
        Ok(Kind::ALL.map(|kind| (kind, kind.of(&merged))).into())
    }

    /// Attaches documents alone.
    ///
    /// # Errors
    /// As [`Images::attach_signed`].
    pub fn attach(&self, attachment: &Attachment) -> Result<usize> {
        self.attach_with(attachment, None)
    }

    fn attach_with(&self, attachment: &Attachment, own: Option<Statement>) -> Result<usize> {
        let Attachment { keeper, subject, repository, about, signer } = attachment;
        let (mut artifacts, statements) = about.artifacts(repository, &subject.digest)?;
        if let Some(signer) = signer {
            let attestations = statements.iter().chain(&own).map(|statement| signer.attestation(statement));
            artifacts.extend(attestations.collect::<Result<Vec<_>>>()?);
            self.attest_tag(*keeper, signer, &subject.digest, &statements)?;
        }
        self.write_artifacts(*keeper, &artifacts, subject)
    }

    fn write_artifacts(&self, keeper: Keeper, artifacts: &[Artifact], subject: &Descriptor) -> Result<usize> {
        match keeper {
            Keeper::Registry(name) => self.registries.attach(artifacts, subject, name),
            Keeper::Layout(folder) => {
                for artifact in artifacts {
                    let documents = artifact.documents(subject);
                    artifact.files.iter().try_for_each(|file| self.store.put(&file.media_type, &file.content).map(drop))?;
                    self.store.put("", &documents.config)?;
                    self.store.put(&documents.descriptor.media_type, &documents.manifest)?;
                    store::write_referrer(self.store, &artifact.listed(&documents.descriptor), folder)?;
                }
                Ok(artifacts.len())
            }
        }
    }

    /// The manifest of something that refers to an image.
    pub(super) fn referrer(&self, keeper: Keeper, descriptor: &Descriptor) -> Result<Manifest> {
        let document = self.document_of(keeper, descriptor)?;
        serde_json::from_slice(&document).context(|| format!("the manifest {} makes no sense", descriptor.digest))
    }

    /// A file of something that refers to an image.
    pub(super) fn file(&self, keeper: Keeper, file: &Descriptor) -> Result<Vec<u8>> {
        match keeper {
            Keeper::Registry(name) => self.registries.file(name, file, LONGEST),
            Keeper::Layout(folder) => store::layout_file(folder, file, LONGEST),
        }
    }
}
