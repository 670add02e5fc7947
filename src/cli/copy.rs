//! `cooper copy`: an image from place to place.

use super::Session;
use super::transfer::{Moving, What, With};
use crate::error::Result;
use crate::platform::place::Place;
use crate::platform::transfer::Extent;

/// Copy an image from one place to another; only what is missing there is moved.
#[derive(clap::Args)]
#[command(
    after_help = "A place is NAME, `oci:DIR[:TAG]`, `docker-archive:FILE[:NAME]`, `docker:NAME` (an engine), `docker://NAME` (a registry) or \
                        `store://NAME`. NAME alone is read from the store where that has it, else from its registry; it is written to its \
                        registry where it begins with one's host, else to the store."
)]
pub struct Arguments {
    /// Where the image is.
    source: String,
    /// Where it goes to.
    destination: String,
    /// Also copy what refers to the image, as signatures and SBOM documents do, and what refers to that; with TYPE only what is of that kind.
    /// Registries and layouts keep such things.
    #[arg(long, value_name = "TYPE", num_args = 0..=1, require_equals = true)]
    referrers: Option<Option<String>>,
    #[command(flatten)]
    moving: Moving,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let with = self.referrers.map_or(With::Nothing, With::Referrers);
        self.moving.run(&Place::parse(&self.source)?, &Place::parse(&self.destination)?, &What { extent: Extent::All, with }, session)
    }
}
