//! `cooper sbom`: SBOM files of images.

use super::Session;
use super::registries::Reach;
use crate::error::Result;
use crate::image::{Platform, Reference};
use crate::platform::pull::Pull;
use crate::platform::sbom::{From, download};
use clap::Subcommand;
use std::path::PathBuf;

/// Get the SBOM files of an image.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the SBOM files that buildpacks and the launcher left in an image into a folder, as `layers/sbom/launch/…`.
    #[command(
        after_help = "Examples:\n  cooper sbom download my-app --output-dir sbom\n  cooper sbom download --remote registry.example/team/my-app"
    )]
    Download {
        /// The image.
        image: String,
        /// Folder to write them into.
        #[arg(long, short, default_value = ".", value_name = "DIR")]
        output_dir: PathBuf,
        /// Read the image from its registry; of its layers, only the one with SBOM files is fetched.
        #[arg(long)]
        remote: bool,
        #[command(flatten)]
        registries: Reach,
    },
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let Command::Download { image, output_dir, remote, registries } = self.command;
        let (everywhere, platform) = (registries.everywhere(session)?, Platform::here());
        let images = everywhere.images(Pull::Never, &platform);
        let from = if remote { From::Registry } else { From::Store };
        let count = download(&Reference::parse(&image)?, from, &output_dir, &images)?;
        session.output.line(&format!("wrote {count} files below {}", output_dir.display()));
        Ok(0)
    }
}
