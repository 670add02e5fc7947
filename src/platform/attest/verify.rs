//! Verifies what is said about an image with a public key: which of it the key signed, and whether it is all that is wanted. What cosign signed counts
//! as what is signed here, in the forms of all its versions.

use super::tags::tag;
use super::{Kind, repository};
use crate::attestation::provenance::Provenance;
use crate::attestation::{
    Bundle, ENVELOPE, Envelope, PAYLOAD_TYPE, Payload, PublicKey, SIMPLE_SIGNATURE, SIMPLE_SIGNING, Statement, predicate_type,
};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Descriptor, Digest, Reference};
use crate::platform::images::Images;
use crate::platform::place::Place;
use crate::platform::referrers::Keeper;
use crate::platform::transfer::Extent;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// Exit code where an image is not signed as it should be.
pub const NOT_VERIFIED: u8 = 10;

/// What must be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The image itself.
    Signature,
    /// An SBOM of either kind.
    Sbom,
    /// A statement of a type.
    Statement(String),
}

impl Wanted {
    /// Reads it as people and cosign write it.
    ///
    /// # Errors
    /// When it is nothing known and no address.
    pub fn parse(text: &str) -> Result<Self> {
        let statement = |kind: &str| Ok(Self::Statement(kind.into()));
        match text {
            "signature" => Ok(Self::Signature),
            "sbom" => Ok(Self::Sbom),
            "provenance" | "slsaprovenance1" => statement(predicate_type::PROVENANCE),
            "spdx" | "spdxjson" => statement(predicate_type::SPDX),
            "cyclonedx" => statement(predicate_type::CYCLONEDX),
            other if other.contains(':') => statement(other),
            other => Err(Error::new(format!("`{other}` is nothing that could be signed")))
                .hint("write `signature`, `provenance`, `sbom`, `spdx`, `cyclonedx` or the address of a predicate type"),
        }
    }

    /// What is wanted where nobody says.
    pub fn usual() -> Vec<Self> {
        vec![Self::Signature, Self::Statement(predicate_type::PROVENANCE.into()), Self::Sbom]
    }

    fn is(&self, predicate_type: &str) -> bool {
        match self {
            Self::Signature => predicate_type == predicate_type::SIGNATURE,
            Self::Sbom => [predicate_type::SPDX, predicate_type::CYCLONEDX].contains(&predicate_type),
            Self::Statement(wanted) => predicate_type == wanted,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Signature => "signature",
            Self::Sbom => "SBOM",
            Self::Statement(wanted) => name_of(wanted),
        }
    }
}

/// What a type of statement is called for people.
pub fn name_of(predicate_type: &str) -> &str {
    match predicate_type {
        predicate_type::SIGNATURE => "signature",
        predicate_type::PROVENANCE => "provenance",
        predicate_type::SPDX => "SBOM (SPDX)",
        predicate_type::CYCLONEDX => "SBOM (CycloneDX)",
        other => other,
    }
}

/// What is signed of an image, or of an index and each of its images.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Where the image is.
    pub image: String,
    /// Its digest.
    pub digest: Digest,
    /// Whether all that is wanted is signed.
    pub verified: bool,
    /// The index, where it is one, and the images.
    pub subjects: Vec<Subject>,
}

/// What is signed of one manifest.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// Its digest.
    pub digest: String,
    /// The types of statements that the key signed.
    pub signed: Vec<String>,
    /// What is wanted and not signed.
    pub missing: Vec<String>,
    /// What refers to the image and is not what the key signed, by its kind.
    pub others: Vec<String>,
    /// How it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

impl Report {
    /// The error that the check ends with.
    ///
    /// # Errors
    /// When something that is wanted is not signed (exit code 10).
    pub fn check(&self) -> Result<()> {
        let lacking = self.subjects.iter().filter(|subject| !subject.missing.is_empty());
        let lacking: Vec<String> =
            lacking.map(|subject| format!("the key signed no {} of {}", subject.missing.join(", no "), subject.digest)).collect();
        match lacking.is_empty() {
            true => Ok(()),
            false => Err(Error::new(lacking.join("; "))
                .hint("`cooper build --publish --sign KEY` and `cooper sign` sign images; `--type` says what must be signed")
                .code(NOT_VERIFIED)),
        }
    }
}

impl Images<'_> {
    /// Finds out what a key signed of an image, and of each image of an index; with `layers` every layer is read too.
    ///
    /// # Errors
    /// When something is not there, damaged, or signed by the key but not what was signed.
    pub fn verify(&self, place: &Place, key: &PublicKey, wanted: &[Wanted], layers: bool) -> Result<Report> {
        let opened = self.open(place, Extent::All)?;
        let keeper = Keeper::of_source(place, &opened).context(|| format!("`{place}` keeps no signatures"))?;
        let mut subjects = Vec::new();
        for subject in opened.subjects() {
            let is_index = opened.is_index() && subject.digest == *opened.digest();
            let mut found = self.signed(keeper, &subject, key).code(NOT_VERIFIED)?;
            // Documents are about images, not about the list of them.
            let needed = wanted.iter().filter(|wanted| !is_index || **wanted == Wanted::Signature);
            let missing = needed.filter(|wanted| !found.signed.iter().any(|signed| wanted.is(signed)));
            found.missing = missing.map(|wanted| wanted.name().to_string()).collect();
            subjects.push(found);
        }
        if layers {
            let blobs = opened.images().flat_map(|(image, _)| &image.layers).map(|layer| &layer.blob);
            blobs.into_iter().try_for_each(|blob| self.check_blob(keeper, blob)).code(NOT_VERIFIED)?;
        }
        let verified = subjects.iter().all(|subject| subject.missing.is_empty());
        Ok(Report { image: place.to_string(), digest: opened.digest().clone(), verified, subjects })
    }

    /// What a key signed of one manifest.
    ///
    /// # Errors
    /// When something that refers to it is damaged, or names the key and is not what that signed.
    pub fn signed(&self, keeper: Keeper, subject: &Descriptor, key: &PublicKey) -> Result<Subject> {
        let mut found = Subject { digest: subject.digest.to_string(), ..Subject::default() };
        let (mut signed, mut unsigned) = (Vec::new(), Vec::new());
        for referrer in self.referrers(keeper, &subject.digest, None)? {
            let describe = || format!("what refers to {} is damaged: {}", subject.digest, referrer.digest);
            if referrer.artifact_type.starts_with(Bundle::MEDIA_TYPES) {
                match self.bundle(keeper, &referrer, key).context(describe)? {
                    Some(statement) => signed.push(Statement::parse(&statement, &subject.digest).context(describe)?),
                    None => found.others.push(referrer.artifact_type),
                }
            } else if let Some(document) = self.document(keeper, &referrer).context(describe)? {
                unsigned.push((referrer.artifact_type, document));
            }
        }
        if let Keeper::Registry(name) = keeper {
            found.signed.extend(self.simply_signed(name, &subject.digest, key)?);
            signed.extend(self.attested_before(name, &subject.digest, key)?);
        }
        for statement in &signed {
            if statement.predicate_type == predicate_type::PROVENANCE
                && let Some(predicate) = &statement.predicate
            {
                found.provenance = Provenance::parse(predicate.get().as_bytes()).ok().or(found.provenance);
            }
            found.signed.push(statement.predicate_type.clone());
        }
        let is_signed = |document: &[u8]| signed.iter().any(|statement| says(statement, document));
        found.others.extend(unsigned.into_iter().filter(|(_, document)| !is_signed(document)).map(|(kind, _)| kind));
        found.signed.sort();
        found.signed.dedup();
        Ok(found)
    }

    /// The statement in a bundle, if the key signed it; nothing where the bundle is another key's.
    fn bundle(&self, keeper: Keeper, referrer: &Descriptor, key: &PublicKey) -> Result<Option<Vec<u8>>> {
        let manifest = self.referrer(keeper, referrer)?;
        let file = manifest.layers.first().context(|| "it has no bundle")?;
        let bundle = Bundle::parse(&self.file(keeper, file)?)?;
        match bundle.verify(key) {
            Ok(statement) => Ok(Some(statement)),
            Err(error) if bundle.names(key)? => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// A document about the image that is not signed as it is; nothing of what is no such document.
    fn document(&self, keeper: Keeper, referrer: &Descriptor) -> Result<Option<Vec<u8>>> {
        let known = [Kind::Spdx.media_type(), Kind::Cyclonedx.media_type(), PAYLOAD_TYPE];
        if !known.contains(&referrer.artifact_type.as_str()) {
            return Ok(None);
        }
        let manifest = self.referrer(keeper, referrer)?;
        let files = manifest.layers.iter().map(|file| self.file(keeper, file)).collect::<Result<Vec<_>>>()?;
        files.into_iter().next().map(Some).context(|| "it has no document")
    }

    /// Whether the key signed an image as cosign did before version 3.
    fn simply_signed(&self, name: &Reference, digest: &Digest, key: &PublicKey) -> Result<Option<String>> {
        let manifest = self.registries.named_manifest(&tag(name, digest, "sig")?)?;
        let layers = manifest.into_iter().flat_map(|manifest| manifest.layers);
        for blob in layers.filter(|blob| blob.media_type == SIMPLE_SIGNING) {
            let describe = || format!("the signature of `{}@{digest}` is damaged", repository(name));
            let payload = self.file(Keeper::Registry(name), &blob).context(describe)?;
            let signature = blob.annotations.get(SIMPLE_SIGNATURE).and_then(|signature| STANDARD.decode(signature).ok());
            if signature.is_some_and(|signature| key.verify(&payload, &signature).is_ok()) && Payload::parse(&payload)?.digest() == digest {
                return Ok(Some(predicate_type::SIGNATURE.into()));
            }
        }
        Ok(None)
    }

    /// What the key attested as cosign did before version 3.
    fn attested_before(&self, name: &Reference, digest: &Digest, key: &PublicKey) -> Result<Vec<Statement>> {
        let manifest = self.registries.named_manifest(&tag(name, digest, "att")?)?;
        let layers = manifest.into_iter().flat_map(|manifest| manifest.layers);
        let mut found = Vec::new();
        for blob in layers.filter(|blob| blob.media_type == ENVELOPE) {
            let describe = || format!("an attestation of `{}@{digest}` is damaged", repository(name));
            let envelope: Envelope =
                serde_json::from_slice(&self.file(Keeper::Registry(name), &blob).context(describe)?).context(describe)?;
            if let Ok(statement) = envelope.verify(key) {
                found.push(Statement::parse(&statement, digest).context(describe)?);
            }
        }
        Ok(found)
    }
}

/// Whether a signed statement says what a document does: is it, or has it in itself.
fn says(statement: &Statement, document: &[u8]) -> bool {
    let predicate = statement.predicate.as_ref().map(|predicate| predicate.get().as_bytes()).unwrap_or_default();
    document.trim_ascii() == predicate || document == statement.to_bytes()
}
