//! `cooper buildpack` and `cooper extension`: for people who write them.

mod authoring;
mod package;
mod test;

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
    New(authoring::New),
    Package(Box<package::Arguments>),
    Validate(authoring::Validate),
    Test(test::Arguments),
    Inspect(authoring::Inspect),
    Pull(authoring::Pull),
    Register(authoring::Register),
    Yank(authoring::Yank),
}

impl Arguments {
    pub(super) fn run(self, kind: Kind, session: &Session) -> Result<u8> {
        match self.command {
            Command::New(arguments) => arguments.run(kind, session),
            Command::Package(arguments) => arguments.run(kind, session),
            Command::Validate(arguments) => arguments.run(session),
            Command::Test(arguments) => arguments.run(kind, session),
            Command::Inspect(arguments) => arguments.run(session),
            Command::Pull(arguments) => arguments.run(session),
            Command::Register(arguments) => arguments.run(session),
            Command::Yank(arguments) => arguments.run(session),
        }
    }
}
