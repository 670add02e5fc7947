//! `cooper sign`: a signature beside an image.

use super::key::signer;
use super::registries::Reach;
use super::{Format, Session};
use crate::error::Result;
use crate::image::Platform;
use crate::platform::attest::keeping_place;
use crate::platform::pull::Pull;
use serde_json::json;

/// Sign an image in a registry or a layout, so that `cooper verify` and `cosign verify` accept it; of an index, it and each of its images.
#[derive(clap::Args)]
#[command(after_help = "The key is one of `cooper key generate` or `cosign generate-key-pair`. Its password is $COOPER_KEY_PASSWORD or \
                        $COSIGN_PASSWORD, else it is asked for, or read from standard input.\n\nExamples:\n  cooper sign registry.example/team/app:1 \
                        --key cosign.key\n  cooper sign oci:out:1 --key env://SIGNING_KEY")]
pub struct Arguments {
    /// The image, in a registry or as `oci:DIR[:TAG]`.
    image: String,
    /// Private key: a file, or `env://VARIABLE`.
    #[arg(long)]
    key: String,
    /// Also sign as cosign did before version 3, under tags made of the digest, for those who look for signatures there.
    #[arg(long)]
    cosign_v2: bool,
    /// How to write what was signed.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    registries: Reach,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let place = keeping_place(&self.image)?;
        let signer = signer(&self.key, self.cosign_v2)?;
        let (everywhere, platform) = (self.registries.everywhere(session)?, Platform::here());
        let signed = everywhere.images(Pull::Never, &platform).sign(&place, &signer)?;
        match self.output {
            Format::Json => session.print_json(&json!({ "image": place.to_string(), "signed": signed }))?,
            Format::Text => signed.iter().for_each(|digest| session.output.line(&format!("signed {digest}"))),
        }
        Ok(0)
    }
}
