//! Bundles of Sigstore, version 0.3: an envelope with what verifies it. Without a transparency log it names a key, and nothing else.

use super::{Envelope, PrivateKey, PublicKey};
use crate::error::{Context, Error, Result};
use crate::image::to_json;
use serde::{Deserialize, Serialize};

/// An envelope, and which key it is signed with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    media_type: String,
    #[serde(default)]
    verification_material: Material,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dsse_envelope: Option<Envelope>,
}

/// What else there may be, as certificates, is for signatures without a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    #[serde(default)]
    public_key: Option<Hint>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Hint {
    #[serde(default)]
    hint: String,
}

impl Bundle {
    /// Its media type, which is also the type of the artifact.
    pub const MEDIA_TYPE: &'static str = "application/vnd.dev.sigstore.bundle.v0.3+json";
    /// What the media types of all versions begin with.
    pub const MEDIA_TYPES: &'static str = "application/vnd.dev.sigstore.bundle";
    /// The annotation of a manifest that says what kind of bundle it has.
    pub const CONTENT: (&'static str, &'static str) = ("dev.sigstore.bundle.content", "dsse-envelope");
    /// The annotation of a manifest that says what is stated in it.
    pub const PREDICATE_TYPE: &'static str = "dev.sigstore.bundle.predicateType";

    /// Signs the bytes of a statement.
    ///
    /// # Errors
    /// As [`PublicKey::hint`].
    pub fn sign(statement: &[u8], key: &PrivateKey) -> Result<Vec<u8>> {
        let hint = Hint { hint: key.public().hint()? };
        Ok(to_json(&Self {
            media_type: Self::MEDIA_TYPE.into(),
            verification_material: Material { public_key: Some(hint) },
            dsse_envelope: Some(Envelope::sign(statement, key)),
        }))
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let bundle: Self = serde_json::from_slice(bytes).context(|| "the bundle makes no sense")?;
        match bundle.media_type.starts_with(Self::MEDIA_TYPES) {
            true => Ok(bundle),
            false => Err(Error::new(format!("it is a `{}`, no bundle", bundle.media_type))),
        }
    }

    /// Whether it says that it is signed with the key.
    ///
    /// # Errors
    /// As [`PublicKey::hint`].
    pub fn names(&self, key: &PublicKey) -> Result<bool> {
        let hint = key.hint()?;
        Ok(self.verification_material.public_key.as_ref().is_some_and(|named| named.hint == hint))
    }

    /// The bytes of the statement in it, if the key signed it.
    ///
    /// # Errors
    /// When it did not, or there is no statement.
    pub fn verify(&self, key: &PublicKey) -> Result<Vec<u8>> {
        self.dsse_envelope.as_ref().context(|| "the bundle has no statement")?.verify(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_the_same_each_time_and_any_other_byte_is_noticed() {
        let key = PrivateKey::generate().unwrap();
        let bytes = Bundle::sign(b"{\"a\":1}", &key).unwrap();
        assert_eq!(bytes, Bundle::sign(b"{\"a\":1}", &key).unwrap());
        assert_eq!(Bundle::parse(&bytes).unwrap().verify(&key.public()).unwrap(), b"{\"a\":1}");
        let envelope = String::from_utf8_lossy(&bytes).find("dsseEnvelope").unwrap();
        for at in envelope..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            let verified = Bundle::parse(&flipped).and_then(|bundle| bundle.verify(&key.public()));
            assert!(verified.is_err_and(|error| !error.to_string().is_empty()), "{at}: {}", String::from_utf8_lossy(&flipped));
        }
        assert!(Bundle::parse(b"{\"mediaType\":\"x\"}").is_err() && Bundle::parse(b"[").is_err());
    }
}
