//! Statements about images: what is stated, of which image (in-toto Attestation Framework, Statement v1).

use crate::error::{Context, Error, Result};
use crate::image::{Digest, to_json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What statements are of.
pub mod predicate_type {
    /// That somebody signed it; nothing else (cosign).
    pub const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";
    /// How it was made.
    pub const PROVENANCE: &str = "https://slsa.dev/provenance/v1";
    /// What is in it, as SPDX.
    pub const SPDX: &str = "https://spdx.dev/Document";
    /// What is in it, as CycloneDX.
    pub const CYCLONEDX: &str = "https://cyclonedx.org/bom";
}

const TYPE: &str = "https://in-toto.io/Statement/v1";
/// What cosign writes for documents that it does not know.
const TYPE_BEFORE: &str = "https://in-toto.io/Statement/v0.1";

/// A statement about an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    /// What kind of thing is stated.
    pub predicate_type: String,
    /// What is stated, as JSON.
    #[serde(default)]
    pub predicate: Option<Box<RawValue>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Subject {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    digest: BTreeMap<String, String>,
}

impl Statement {
    /// A statement about the image with a digest; its name, without a tag, is for people.
    ///
    /// # Errors
    /// When what is stated is no JSON.
    pub fn new(name: &str, digest: &Digest, predicate_type: &str, predicate: &[u8]) -> Result<Self> {
        let predicate = serde_json::from_slice(predicate).context(|| "what is stated is no JSON")?;
        let subject = Subject { name: name.into(), digest: BTreeMap::from([("sha256".into(), digest.hex().into())]) };
        Ok(Self { kind: TYPE.into(), subject: vec![subject], predicate_type: predicate_type.into(), predicate: Some(predicate) })
    }

    /// Its bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_json(self)
    }

    /// Reads a statement, which must be about the image with a digest.
    ///
    /// # Errors
    /// When it makes no sense, or is about something else.
    pub fn parse(bytes: &[u8], about: &Digest) -> Result<Self> {
        let statement: Self = serde_json::from_slice(bytes).context(|| "the statement makes no sense")?;
        if ![TYPE, TYPE_BEFORE].contains(&statement.kind.as_str()) {
            return Err(Error::new(format!("it is a `{}`, no statement", statement.kind)));
        }
        match statement.subject.iter().any(|subject| subject.digest.get("sha256").is_some_and(|hex| hex == about.hex())) {
            true => Ok(statement),
            false => Err(Error::new(format!("the statement is about another image than {about}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_about_one_image() {
        let (one, other) = (Digest::of(b"1"), Digest::of(b"2"));
        let bytes = Statement::new("r.test/app", &one, predicate_type::SPDX, b"{ \"b\": 1.0, \"a\": \"<\" }").unwrap().to_bytes();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains(&format!(r#""subject":[{{"name":"r.test/app","digest":{{"sha256":"{}"}}}}]"#, one.hex())), "{text}");
        let again = Statement::parse(&bytes, &one).unwrap();
        assert_eq!(again.predicate.unwrap().get(), "{ \"b\": 1.0, \"a\": \"<\" }", "documents stay as they are");
        assert!(Statement::parse(&bytes, &other).unwrap_err().to_string().contains("another image"));
        assert!(Statement::parse(text.replace("Statement/v1", "Statement/v2").as_bytes(), &one).is_err());
        assert!(Statement::new("", &one, predicate_type::SPDX, b"{").is_err());
    }
}
