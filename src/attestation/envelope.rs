//! Envelopes of the form DSSE: a payload, what it is, and signatures of both (Dead Simple Signing Envelope 1.0).

use super::{PrivateKey, PublicKey};
use crate::error::{Context, Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What statements are in an envelope (in-toto Attestation Framework, "Envelope").
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The media type of an envelope itself.
pub const MEDIA_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

/// A payload with signatures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The payload, in base64.
    payload: String,
    /// What it is.
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    /// In base64.
    sig: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    keyid: String,
}

impl Envelope {
    /// Signs the bytes of a statement.
    pub fn sign(statement: &[u8], key: &PrivateKey) -> Self {
        let signature = key.sign(&encoded(PAYLOAD_TYPE, statement));
        Self {
            payload: STANDARD.encode(statement),
            payload_type: PAYLOAD_TYPE.into(),
            signatures: vec![Signature { sig: STANDARD.encode(signature), keyid: String::new() }],
        }
    }

    /// The bytes of the statement, if one of the signatures is the key's.
    ///
    /// # Errors
    /// When none is, or the payload is no statement.
    pub fn verify(&self, key: &PublicKey) -> Result<Vec<u8>> {
        if self.payload_type != PAYLOAD_TYPE {
            return Err(Error::new(format!("what is signed is a `{}`, no statement", self.payload_type)));
        }
        let payload = STANDARD.decode(&self.payload).context(|| "what is signed is damaged")?;
        let message = encoded(&self.payload_type, &payload);
        let mut failure = Error::new("nobody signed it");
        for signature in &self.signatures {
            let verified = STANDARD
                .decode(&signature.sig)
                .context(|| "the signature is damaged")
                .and_then(|signature| key.verify(&message, &signature));
            match verified {
                Ok(()) => return Ok(payload),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// What is signed: the payload with its type, each with its length ("PAE").
fn encoded(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        assert_eq!(encoded("http://example.com/HelloWorld", b"hello world"), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn an_envelope_gives_its_payload_to_the_right_key_only() {
        let (key, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        let envelope = Envelope::sign(b"{}", &key);
        assert_eq!(envelope.verify(&key.public()).unwrap(), b"{}");
        assert!(envelope.verify(&other.public()).is_err());
        let changed = |change: fn(&mut Envelope)| {
            let mut changed = envelope.clone();
            change(&mut changed);
            changed.verify(&key.public())
        };
        assert!(changed(|envelope| envelope.payload = STANDARD.encode("[]")).is_err());
        assert!(changed(|envelope| envelope.payload_type.push('x')).is_err());
        assert!(changed(|envelope| envelope.signatures.clear()).is_err());
        assert!(changed(|envelope| envelope.signatures[0].sig = STANDARD.encode("x")).is_err());
        let both = changed(|envelope| envelope.signatures.insert(0, Signature { sig: "?".into(), keyid: "x".into() }));
        assert_eq!(both.unwrap(), b"{}", "one signature of several is enough");
    }
}
