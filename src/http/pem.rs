//! Certificates and keys in files, as PEM.

use super::Identity;
use crate::error::{Context, Error, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::path::Path;

/// The certificates in a file.
///
/// # Errors
/// When it cannot be read, or there are none in it.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let describe = || format!("cannot read the certificate `{}`", path.display());
    let text = fs::read(path).context(describe)?;
    let found: Vec<_> = CertificateDer::pem_slice_iter(&text).collect::<Result<_, _>>().context(describe)?;
    if found.is_empty() { Err(Error::new("there is none in it")).context(describe) } else { Ok(found) }
}

impl Identity {
    /// Reads a certificate of one's own and its key.
    ///
    /// # Errors
    /// When one cannot be read, or the key is locked with a password.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self> {
        let text = fs::read(key).context(|| format!("cannot read the key `{}`", key.display()))?;
        let key = PrivateKeyDer::from_pem_slice(&text).context(|| format!("`{}` has no key that is not locked", key.display()))?;
        Ok(Self { chain: certificates(certificate)?, key })
    }
}
