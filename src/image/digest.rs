//! The SHA-256 digest that names content (OCI Image Specification, descriptor, "Digests").

use super::Hashing;
use crate::error::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{self, Read};

/// `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

const PREFIX: &str = "sha256:";

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_sha256(Sha256::digest(bytes).into())
    }

    /// The digest of all that is read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_all(mut read: impl Read) -> io::Result<Self> {
        let mut hashing = Hashing::new(io::sink());
        io::copy(&mut read, &mut hashing)?;
        Ok(hashing.finish().0)
    }

    /// The digest whose hash is known.
    pub fn from_sha256(hash: [u8; 32]) -> Self {
        let mut text = String::with_capacity(PREFIX.len() + 64);
        text.push_str(PREFIX);
        for byte in hash {
            text.push_str(&format!("{byte:02x}"));
        }
        Self(text)
    }

    /// Reads a digest.
    ///
    /// # Errors
    /// When the text is not `sha256:` and 64 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self> {
        let valid = text
            .strip_prefix(PREFIX)
            .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        if valid { Ok(Self(text.to_string())) } else { Err(Error::new(format!("`{text}` is not a SHA-256 digest"))) }
    }

    /// The digest whose hexadecimal digits these are.
    ///
    /// # Errors
    /// When they are not 64 lower-case hexadecimal digits.
    pub fn from_hex(hex: &str) -> Result<Self> {
        Self::parse(&format!("{PREFIX}{hex}"))
    }

    /// The hexadecimal digits, without `sha256:`.
    pub fn hex(&self) -> &str {
        &self.0[PREFIX.len()..]
    }

    /// The first digits, enough for a person to tell it from others.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }

    /// `sha256:` and the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sha256_in_lower_case_is_a_digest() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b""), Digest::parse(empty).unwrap());
        for bad in ["", "sha256:", &empty.to_uppercase(), &empty[7..], &format!("{empty}0"), "sha512:00", "sha256:../../etc/passwd"] {
            assert!(Digest::parse(bad).is_err(), "{bad}");
        }
    }
}
