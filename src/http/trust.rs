//! Which servers are trusted: the host's certificates (`SSL_CERT_FILE`, `SSL_CERT_DIR`, the system's store), and where it has none, those
//! that come with the program.

use crate::error::{Context, Result};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use std::sync::Arc;

/// TLS settings with the host's certificates.
pub(super) fn tls() -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    Ok(builder.context(|| "cannot use TLS")?.with_root_certificates(roots).with_no_client_auth())
}
