//! `cooper stack`: what `pack` calls the images that builders are made of.

use super::Session;
use crate::error::Result;
use clap::Subcommand;

/// What `pack` called the pair of a build image and a run image. The specifications have targets and run images instead.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List pairs of a build image and a run image that builders are made of.
    Suggest,
}

/// Name, whose, build image, run image. The reference's list, without stacks whose images are not maintained, and our own.
const STACKS: [(&str, &str, &str, &str); 4] = [
    ("trixie", "cooper, Debian 13", "composed from Debian packages", "composed from Debian packages"),
    ("bookworm", "cooper, Debian 12", "composed from Debian packages", "composed from Debian packages"),
    ("io.buildpacks.stacks.jammy", "Paketo, Ubuntu 22.04", "paketobuildpacks/build-jammy-base", "paketobuildpacks/run-jammy-base"),
    ("heroku-24", "Heroku, Ubuntu 24.04", "heroku/heroku:24-cnb-build", "heroku/heroku:24-cnb"),
];

impl Arguments {
    pub(super) fn run(&self, session: &Session) -> Result<u8> {
        match self.command {
            Command::Suggest => {
                let stack = |(id, maker, build, run): &(&str, &str, &str, &str)| {
                    format!("{id} ({maker})\n  build image  {build}\n  run image    {run}")
                };
                session.print(&STACKS.iter().map(stack).collect::<Vec<_>>().join("\n\n"))?;
                Ok(0)
            }
        }
    }
}
