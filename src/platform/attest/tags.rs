//! Signatures and attestations under tags that are made of the image's digest, as cosign wrote them before version 3. Only registries have tags.

use super::{Signer, repository};
use crate::attestation::{ENVELOPE, Envelope, Payload, SIMPLE_SIGNATURE, SIMPLE_SIGNING, Statement};
use crate::error::{Context, Result};
use crate::image::{Descriptor, Digest, History, Image, Layer, Manifest, Reference, to_json};
use crate::platform::images::Images;
use crate::platform::referrers::Keeper;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The annotation that says what an attestation states.
const PREDICATE_TYPE: &str = "predicateType";

/// The tag for what is kept of an image, as its signatures (`sig`) or attestations (`att`).
pub(super) fn tag(name: &Reference, digest: &Digest, kind: &str) -> Result<Reference> {
    Reference::parse(&format!("{}/{}:sha256-{}.{kind}", name.registry(), name.repository(), digest.hex()))
}

impl Images<'_> {
    /// Signs an image so, where that is wanted.
    pub(super) fn sign_tag(&self, keeper: Keeper, signer: &Signer, digest: &Digest) -> Result<()> {
        let (Keeper::Registry(name), true) = (keeper, signer.tags) else { return Ok(()) };
        let payload = Payload::bytes(&repository(name), digest);
        let mut blob = Descriptor::of(SIMPLE_SIGNING, &payload);
        blob.annotations.insert(SIMPLE_SIGNATURE.into(), STANDARD.encode(signer.key.sign(&payload)));
        let describe = || format!("cannot sign `{}@{digest}`", repository(name));
        self.add_to_tag(&tag(name, digest, "sig")?, vec![(blob, payload)]).context(describe)
    }

    /// Signs statements about an image so, where that is wanted.
    pub(super) fn attest_tag(&self, keeper: Keeper, signer: &Signer, digest: &Digest, statements: &[Statement]) -> Result<()> {
        let (Keeper::Registry(name), true, false) = (keeper, signer.tags, statements.is_empty()) else { return Ok(()) };
        let signed = |statement: &Statement| {
            let envelope = to_json(&Envelope::sign(&statement.to_bytes(), &signer.key));
            let mut blob = Descriptor::of(ENVELOPE, &envelope);
            blob.annotations.insert(SIMPLE_SIGNATURE.into(), String::new());
            blob.annotations.insert(PREDICATE_TYPE.into(), statement.predicate_type.clone());
            (blob, envelope)
        };
        let describe = || format!("cannot attest `{}@{digest}`", repository(name));
        self.add_to_tag(&tag(name, digest, "att")?, statements.iter().map(signed).collect()).context(describe)
    }

    /// Adds blobs to those that a tag has; they stay, and what is there already is not added.
    fn add_to_tag(&self, tag: &Reference, blobs: Vec<(Descriptor, Vec<u8>)>) -> Result<()> {
        let known = self.registries.named_manifest(tag)?;
        let mut all = known.map(|Manifest { layers, .. }| layers).unwrap_or_default();
        let new: Vec<_> = blobs.into_iter().filter(|(blob, _)| !all.contains(blob)).collect();
        if new.is_empty() {
            return Ok(());
        }
        all.extend(new.iter().map(|(blob, _)| blob.clone()));
        // What is signed is no tar, but its digest stands where a tar's would.
        let layer = |blob: Descriptor| Layer { diff_id: blob.digest.clone(), history: History::default(), blob };
        let documents = Image { layers: all.into_iter().map(layer).collect(), ..Image::default() }.documents();
        let contents: Vec<&[u8]> = new.iter().map(|(_, content)| content.as_slice()).collect();
        self.registries.push_small(&documents, &contents, tag)
    }
}
