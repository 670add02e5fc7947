//! `cooper lifecycle`: this program as the lifecycle of other people's builders.

use super::Session;
use crate::error::Result;
use crate::image::Reference;
use crate::platform::lifecycle_image::make;
use crate::platform::lifecycle_package::package;
use clap::Subcommand;
use std::path::PathBuf;

/// Put the lifecycle that this program is into other people's builders.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the lifecycle into one file, as `[lifecycle] uri` of a builder.toml names it.
    Package {
        /// The file.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Keep the lifecycle in the store as an image, as `--lifecycle-image` of other platforms names it; `cooper push` sends it.
    Image {
        /// The image's name.
        name: String,
    },
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        match self.command {
            Command::Package { output } => {
                package(&output)?;
                session.output.line(&format!("wrote the lifecycle to `{}`", output.display()));
            }
            Command::Image { name } => {
                let name = Reference::parse_new(&name)?;
                let made = make(&name, &session.store()?)?;
                session.output.line(&format!("{} is {} now", name.familiar(), made.digest));
            }
        }
        Ok(0)
    }
}
