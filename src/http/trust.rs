//! Which servers are trusted: the host's certificates (`SSL_CERT_FILE`, `SSL_CERT_DIR`, the system's store), and where it has none, those
//! that come with the program.

use crate::error::{Context, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// What webpki says of a certificate that is its own authority; rustls passes its errors on as texts.
const OWN_AUTHORITY: &str = "CaUsedAsEndEntity";

/// Which server to trust, and what to show to it.
#[derive(Default)]
pub struct Trust {
    /// Authorities that are trusted besides the host's.
    pub authorities: Vec<CertificateDer<'static>>,
    /// This program's own certificate.
    pub identity: Option<Identity>,
}

/// A certificate of one's own.
pub struct Identity {
    /// The certificate, and those that vouch for it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key.
    pub key: PrivateKeyDer<'static>,
}

impl Trust {
    /// TLS settings for such a server; whatever certificate it shows will do unless they are to `verify` it.
    ///
    /// # Errors
    /// When a certificate or the key cannot be used.
    pub fn settings(self, verify: bool) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = builder.context(|| "cannot use TLS")?;
        let trusted = verify.then(|| Trusted::new(self.authorities, provider.clone())).transpose()?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Verifier { provider, trusted }));
        match self.identity {
            None => Ok(builder.with_no_client_auth()),
            Some(identity) => {
                builder.with_client_auth_cert(identity.chain, identity.key).context(|| "cannot use the certificate for this program")
            }
        }
    }
}

fn roots(authorities: Vec<CertificateDer<'static>>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for authority in authorities {
        roots.add(authority).context(|| "cannot use the certificate of an authority")?;
    }
    Ok(roots)
}

/// Decides whether a server is the one that is meant. That it has its certificate's key is always checked.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// What its certificate must hold to; nothing where any will do.
    trusted: Option<Trusted>,
}

/// What an authority vouches for, and certificates that were named themselves: servers of small teams have one that is its own authority.
#[derive(Debug)]
struct Trusted {
    verifier: Arc<WebPkiServerVerifier>,
    own: Vec<CertificateDer<'static>>,
}

impl Trusted {
    fn new(authorities: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Result<Self> {
        let own = authorities.clone();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots(authorities)?), provider);
        Ok(Self { verifier: verifier.build().context(|| "cannot use TLS")?, own })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(Trusted { verifier, own }) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let verified = verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match &verified {
            // Its dates were checked before; its name was not.
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(other)))
                if other.to_string().contains(OWN_AUTHORITY) && own.iter().any(|own| own == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            _ => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
