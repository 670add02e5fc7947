//! Signatures and attestations of images, as values: keys, DSSE envelopes, in-toto statements, SLSA provenance, and the documents that carry them, which
//! are Sigstore's, so that cosign verifies what is signed here and the other way round. No input, no output. Start with [`PrivateKey`], then
//! [`Statement`], [`Bundle`].

mod bundle;
mod envelope;
mod key;
mod locked;
mod pem;
pub mod provenance;
mod simple;
mod statement;

pub use bundle::Bundle;
pub use envelope::{Envelope, MEDIA_TYPE as ENVELOPE, PAYLOAD_TYPE};
pub use key::{PrivateKey, PublicKey};
pub use simple::{Payload, SIGNATURE as SIMPLE_SIGNATURE, SIMPLE_SIGNING};
pub use statement::{Statement, predicate_type};
