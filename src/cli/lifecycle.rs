//! `cooper lifecycle`: this program as the lifecycle of other people's builders.

use super::Session;
use crate::error::Result;
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
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        match self.command {
            Command::Package { output } => {
                package(&output)?;
                session.output.line(&format!("wrote the lifecycle to `{}`", output.display()));
            }
        }
        Ok(0)
    }
}
