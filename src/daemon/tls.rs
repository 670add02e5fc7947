//! Encryption between this program and an engine, with the certificates of Docker's client: `ca.pem`, `cert.pem`, `key.pem`.

use crate::error::{Error, Result};
use crate::http::{Identity, Trust, certificates};
use rustls::{AlertDescription, CertificateError, ClientConfig, Error as Failure};
use std::io;
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
        let mut trust = Trust::default();
        if let Some(folder) = &self.folder {
            if !folder.is_dir() {
                return Err(Error::new(format!("there is no folder `{}` with certificates", folder.display()))
                    .hint("name the folder of `ca.pem`, `cert.pem` and `key.pem` with DOCKER_CERT_PATH"));
            }
            let authorities = folder.join("ca.pem");
            if authorities.exists() {
                trust.authorities = certificates(&authorities)?;
            }
            trust.identity = identity(folder)?;
        }
        trust.settings(self.verify)
    }
}

/// This program's own certificate, where there is one.
fn identity(folder: &Path) -> Result<Option<Identity>> {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    match (certificate.exists(), key.exists()) {
        (true, true) => Identity::read(&certificate, &key).map(Some),
        (false, false) => Ok(None),
        (true, false) => Err(Error::new(format!("the certificate `{}` has no key `{}`", certificate.display(), key.display()))),
        (false, true) => Err(Error::new(format!("the key `{}` has no certificate `{}`", key.display(), certificate.display()))),
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
