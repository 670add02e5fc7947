//! `cooper sbom attach`: somebody's SBOM document beside an image.

use crate::cli::Session;
use crate::cli::key::signer;
use crate::cli::registries::Reach;
use crate::error::{Context, Result};
use crate::image::Platform;
use crate::platform::attest::{Kind, keeping_place};
use crate::platform::pull::Pull;
use std::path::PathBuf;

/// Attach an SBOM document to an image in a registry or a layout, where scanners look for it; of an index, to the image for one platform.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cooper sbom attach registry.example/team/app:1 sbom.spdx.json --type spdx --sign cosign.key")]
pub struct Arguments {
    /// The image, in a registry or as `oci:DIR[:TAG]`.
    image: String,
    /// The document.
    file: PathBuf,
    /// What it is.
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    kind: Kind,
    /// Also attach it as a statement signed with this private key: a file, or `env://VARIABLE`.
    #[arg(long, value_name = "KEY")]
    sign: Option<String>,
    /// Which image of an index [default: this machine's].
    #[arg(long)]
    platform: Option<String>,
    #[command(flatten)]
    registries: Reach,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let place = keeping_place(&self.image)?;
        let document = std::fs::read(&self.file).context(|| format!("cannot read the document `{}`", self.file.display()))?;
        let signer = self.sign.as_deref().map(|key| signer(key, false)).transpose()?;
        let platform = self.platform.as_deref().map_or_else(|| Ok(Platform::here()), str::parse)?;
        let everywhere = self.registries.everywhere(session)?;
        let digest = everywhere.images(Pull::Never, &platform).attach_document(&place, self.kind, document, signer.as_ref())?;
        session.output.line(&format!("attached {} to {digest}", self.file.display()));
        Ok(0)
    }
}
