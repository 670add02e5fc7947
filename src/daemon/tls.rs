//! Encryption between this program and an engine, with the certificates of Docker's client: `ca.pem`, `cert.pem`, `key.pem`.

use crate::error::{Context, Error, Result};
use crate::http::{Identity, Trust};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error as Failure};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Certificates for an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    /// The folder that they are in.
    pub folder: Option<PathBuf>,
    /// Whether the engine must show one that is trusted.
    pub verify: bool,
}

impl Certificates {
    /// The settings for a connection.
    pub(super) fn settings(&self) -> Result<ClientConfig> {
        let mut trust = Trust { verify: self.verify, ..Trust::default() };
        if let Some(folder) = &self.folder {
            if !folder.is_dir() {
                return Err(Error::new(format!("there is no folder `{}` with certificates", folder.display()))
                    .hint("name the folder of `ca.pem`, `cert.pem` and `key.pem` with DOCKER_CERT_PATH"));
            }
            if let Some(authorities) = read(&folder.join("ca.pem"))? {
                trust.authorities = certificates(&authorities, &folder.join("ca.pem"))?;
            }
            trust.identity = identity(folder)?;
        }
        trust.settings()
    }
}

/// This program's own certificate, where there is one.
fn identity(folder: &Path) -> Result<Option<Identity>> {
    let (at, key_at) = (folder.join("cert.pem"), folder.join("key.pem"));
    match (read(&at)?, read(&key_at)?) {
        (Some(chain), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(&key).context(|| format!("`{}` has no key that is not locked", key_at.display()))?;
            Ok(Some(Identity { chain: certificates(&chain, &at)?, key }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(Error::new(format!("the certificate `{}` has no key `{}`", at.display(), key_at.display()))),
        (None, Some(_)) => Err(Error::new(format!("the key `{}` has no certificate `{}`", key_at.display(), at.display()))),
    }
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let describe = || format!("cannot read the certificate `{}`", path.display());
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().context(describe)?;
    if found.is_empty() { Err(Error::new("there is none in it")).context(describe) } else { Ok(found) }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(|| format!("cannot read `{}`", path.display())),
    }
}

/// What to do where encryption failed; nothing where it did not.
pub(super) fn hint(error: &Error) -> Option<&'static str> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let inner = inner.map(|inner| inner as &(dyn std::error::Error + 'static)).unwrap_or(cause);
        if let Some(failure) = inner.downcast_ref::<Failure>() {
            return Some(advice(failure));
        }
        next = inner.source();
    }
    None
}

fn advice(failure: &Failure) -> &'static str {
    match failure {
        Failure::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "put the certificate of the engine's authority into `ca.pem` of DOCKER_CERT_PATH, or of the context"
        }
        Failure::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }) => {
            "name the engine's host as its certificate does"
        }
        Failure::InvalidCertificate(_) => "the engine needs another certificate",
        Failure::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::HandshakeFailure,
        ) => "the engine wants another certificate of yours: `cert.pem` and `key.pem` of DOCKER_CERT_PATH, or of the context",
        Failure::InvalidMessage(_) => "the engine speaks without encryption at this port: unset DOCKER_TLS_VERIFY, or name another port",
        _ => "check DOCKER_TLS_VERIFY and the certificates in DOCKER_CERT_PATH",
    }
}
