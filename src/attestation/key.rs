//! Key pairs of the curve P-256, in the files that cosign reads and writes. A signature of the same bytes by the same key is always the same (RFC 6979),
//! so what is signed twice is in a registry once.

use super::locked::{self, Chance};
use super::pem;
use crate::error::{Advice, Context, Error, Result};
use crate::image::Digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::{Signer, Verifier};
use p256::ecdsa::{DerSignature, SigningKey, VerifyingKey};
use p256::elliptic_curve::zeroize::Zeroizing;
use p256::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use rustix::rand::{GetRandomFlags, getrandom};
use std::fmt;

/// The label of a locked private key.
const LOCKED: &str = "ENCRYPTED SIGSTORE PRIVATE KEY";
/// The same, of older versions of cosign.
const LOCKED_BEFORE: &str = "ENCRYPTED COSIGN PRIVATE KEY";
const PRIVATE: &str = "PRIVATE KEY";
const PRIVATE_SEC1: &str = "EC PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";
const KINDS: &str = "keys are of the kind ECDSA P-256: `cooper key generate` and `cosign generate-key-pair` make them";

/// A key that signs.
pub struct PrivateKey(SigningKey);

/// A key that verifies.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PrivateKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn generate() -> Result<Self> {
        loop {
            // Nearly every number is a key.
            if let Ok(key) = SigningKey::from_slice(random::<32>()?.as_slice()) {
                return Ok(Self(key));
            }
        }
    }

    /// Reads the text of a private key. The password is asked for only where the key is locked.
    ///
    /// # Errors
    /// When it is no such key, or is locked with another password.
    pub fn read(text: &str, password: impl FnOnce() -> Result<Zeroizing<String>>) -> Result<Self> {
        let (label, bytes) = pem::read(text).hint(KINDS)?;
        let bytes = Zeroizing::new(bytes);
        let other = || Error::new("it is a private key of another kind").hint(KINDS);
        let of_pkcs8 = |bytes: &[u8]| SigningKey::from_pkcs8_der(bytes).map_err(|_| other());
        match label.as_str() {
            LOCKED | LOCKED_BEFORE => of_pkcs8(&locked::unlock(&bytes, &password()?)?),
            PRIVATE => of_pkcs8(&bytes),
            PRIVATE_SEC1 => p256::SecretKey::from_sec1_der(&bytes).map(|key| SigningKey::from(&key)).map_err(|_| other()),
            _ => Err(Error::new(format!("it is a `{label}`, no private key")).hint(KINDS)),
        }
        .map(Self)
    }

    /// The text of this key, locked with a password.
    ///
    /// # Errors
    /// When the kernel gives no random numbers.
    pub fn lock(&self, password: &str) -> Result<String> {
        let plain = self.0.to_pkcs8_der().context(|| "cannot write the key")?;
        let chance = Chance { salt: *random()?, nonce: *random()? };
        Ok(pem::write(LOCKED, &locked::lock(plain.as_bytes(), password, &chance)?))
    }

    /// The other half of the pair.
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.verifying_key())
    }

    /// The signature of a message, with SHA-256, as ASN.1.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the private key of {:?}", self.public())
    }
}

impl PublicKey {
    /// Reads the text of a public key.
    ///
    /// # Errors
    /// When it is none, or of another kind than ECDSA P-256.
    pub fn parse(text: &str) -> Result<Self> {
        let (label, bytes) = pem::read(text).hint(KINDS)?;
        if label != PUBLIC {
            return Err(Error::new(format!("it is a `{label}`, no public key")).hint(KINDS));
        }
        VerifyingKey::from_public_key_der(&bytes).map(Self).map_err(|_| Error::new("it is a public key of another kind").hint(KINDS))
    }

    /// Its text.
    ///
    /// # Errors
    /// Never; the encoder would allow for it.
    pub fn to_pem(&self) -> Result<String> {
        Ok(pem::write(PUBLIC, &self.der()?))
    }

    /// What bundles call it: a digest of it.
    ///
    /// # Errors
    /// As [`PublicKey::to_pem`].
    pub fn hint(&self) -> Result<String> {
        use sha2::{Digest as _, Sha256};
        Ok(STANDARD.encode(Sha256::digest(self.der()?)))
    }

    /// Checks a signature, in ASN.1, of a message.
    ///
    /// # Errors
    /// When it is not this key's, or of another message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<()> {
        let signature = DerSignature::from_bytes(signature).map_err(|_| Error::new("the signature makes no sense"))?;
        self.0.verify(message, &signature).map_err(|_| Error::new("the signature is not of this key, or of something else"))
    }

    fn der(&self) -> Result<Vec<u8>> {
        Ok(self.0.to_public_key_der().context(|| "cannot write the public key")?.as_bytes().to_vec())
    }
}

/// A beginning of its digest, for people.
impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(Digest::of(&self.der().unwrap_or_default()).short())
    }
}

fn random<const LENGTH: usize>() -> Result<Zeroizing<[u8; LENGTH]>> {
    let (mut bytes, mut filled) = (Zeroizing::new([0; LENGTH]), 0);
    while filled < LENGTH {
        filled += getrandom(&mut bytes[filled..], GetRandomFlags::empty()).context(|| "the kernel gives no random numbers")?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_password() -> Result<Zeroizing<String>> {
        panic!("nothing is locked")
    }

    #[test]
    fn a_locked_key_is_opened_by_its_password_only() {
        let key = PrivateKey::generate().unwrap();
        let text = key.lock("open sesame").unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n"));
        let again = |text: &str, password: &str| PrivateKey::read(text, || Ok(Zeroizing::new(password.to_string())));
        assert_eq!(again(&text, "open sesame").unwrap().public(), key.public());
        assert_eq!(again(&text.replace("SIGSTORE", "COSIGN"), "open sesame").unwrap().public(), key.public());
        for (text, password) in [(text.as_str(), "Open sesame"), (&text.replace("SIGSTORE PRIVATE", "OTHER"), "open sesame"), ("", "")] {
            assert!(again(text, password).is_err());
        }
    }

    #[test]
    fn a_key_of_openssl_is_read() {
        let (key, fixed) = (PrivateKey::generate().unwrap(), [7; 32]);
        let plain = pem::write(PRIVATE, key.0.to_pkcs8_der().unwrap().as_bytes());
        assert_eq!(PrivateKey::read(&plain, no_password).unwrap().public(), key.public());
        let sec1 = pem::write(PRIVATE_SEC1, &p256::SecretKey::from_slice(&fixed).unwrap().to_sec1_der().unwrap());
        assert_eq!(PrivateKey::read(&sec1, no_password).unwrap().public(), PrivateKey(SigningKey::from_slice(&fixed).unwrap()).public());
    }

    #[test]
    fn signatures_are_the_same_each_time_and_of_one_message_only() {
        let key = PrivateKey::generate().unwrap();
        let public = PublicKey::parse(&key.public().to_pem().unwrap()).unwrap();
        let signature = key.sign(b"message");
        assert_eq!(signature, key.sign(b"message"));
        public.verify(b"message", &signature).unwrap();
        assert!(public.verify(b"massage", &signature).is_err());
        assert!(PrivateKey::generate().unwrap().public().verify(b"message", &signature).is_err());
        for at in 0..signature.len() {
            let mut flipped = signature.clone();
            flipped[at] ^= 1;
            assert!(public.verify(b"message", &flipped).is_err(), "{at}");
        }
    }
}
