//! The signature that cosign wrote before bundles, and that older verifiers look for: a text that names the image ("simple signing"), its signature in an
//! annotation of the layer that has it, under a tag made of the image's digest.

use crate::error::{Context, Result};
use crate::image::{Digest, to_json};
use serde::{Deserialize, Serialize};

/// The media type of the text.
pub const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The annotation with the signature, in base64.
pub const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const TYPE: &str = "cosign container image signature";

/// The text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    critical: Critical,
    #[serde(default)]
    optional: Option<serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Signed,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference", default)]
    docker_reference: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Signed {
    #[serde(rename = "docker-manifest-digest")]
    docker_manifest_digest: Digest,
}

impl Payload {
    /// The bytes that are signed of an image in a repository.
    pub fn bytes(repository: &str, digest: &Digest) -> Vec<u8> {
        to_json(&Self {
            critical: Critical {
                identity: Identity { docker_reference: repository.into() },
                image: Signed { docker_manifest_digest: digest.clone() },
                kind: TYPE.into(),
            },
            optional: None,
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).context(|| "what is signed makes no sense")
    }

    /// The image that it names.
    pub fn digest(&self) -> &Digest {
        &self.critical.image.docker_manifest_digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_cosigns() {
        let digest = Digest::of(b"image");
        let bytes = Payload::bytes("r.test/app", &digest);
        let expected = format!(
            r#"{{"critical":{{"identity":{{"docker-reference":"r.test/app"}},"image":{{"docker-manifest-digest":"{digest}"}},"type":"cosign container image signature"}},"optional":null}}"#
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
        assert_eq!(Payload::parse(&bytes).unwrap().digest(), &digest);
        assert!(Payload::parse(b"{}").is_err());
    }
}
