//! `cooper buildpack` and `cooper extension`: for people who write them.

mod package;

use super::Session;
use crate::error::Result;
use crate::platform::buildpackage::Kind;
use clap::Subcommand;

#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Package(Box<package::Arguments>),
}

impl Arguments {
    pub(super) fn run(self, kind: Kind, session: &Session) -> Result<u8> {
        match self.command {
            Command::Package(arguments) => arguments.run(kind, session),
        }
    }
}
