//! What registries get with an image: options of every command that sends one.

use super::key::signer;
use crate::error::{Error, Result};
use crate::platform::attest::{Attaching, Documents};

/// Signature, SBOM and provenance.
#[derive(clap::Args)]
pub(super) struct Attestations {
    /// Sign what is sent to registries with this private key: a file, or `env://VARIABLE`. Its password is $COOPER_KEY_PASSWORD or
    /// $COSIGN_PASSWORD, else it is asked for.
    #[arg(help_heading = "Attestations", long, value_name = "KEY")]
    sign: Option<String>,
    /// Also sign as cosign did before version 3, under tags made of the digest, for those who look for signatures there.
    #[arg(help_heading = "Attestations", long, requires = "sign")]
    cosign_v2: bool,
    /// Send no SBOM and no provenance with the image.
    #[arg(help_heading = "Attestations", long)]
    no_attest: bool,
}

impl Attestations {
    /// Reads the key, where there is one, before any work begins.
    ///
    /// # Errors
    /// When the key cannot be read, or nothing is sent that it could sign.
    pub fn open(&self, is_sent: bool) -> Result<Attaching> {
        if self.sign.is_some() && !is_sent {
            return Err(Error::new("`--sign` signs what is sent to a registry, and nothing is").hint("add `--publish`"));
        }
        let signer = self.sign.as_deref().map(|key| signer(key, self.cosign_v2)).transpose()?;
        let documents = if self.no_attest || !is_sent { Documents::Never } else { Documents::Always };
        Ok(Attaching { documents, signer })
    }
}
