//! `cooper push`: an image of the store to its registry, or elsewhere.

use super::Session;
use super::transfer::{Moving, What, With};
use crate::error::Result;
use crate::image::Reference;
use crate::platform::place::Place;
use crate::platform::transfer::Extent;

/// Send an image of the store to its registry, or to another place.
#[derive(clap::Args)]
pub struct Arguments {
    /// The image.
    image: String,
    /// Where it goes to: another name in a registry, `oci:DIR[:TAG]`, `docker-archive:FILE` or `docker:[NAME]` [default: the registry of its name].
    destination: Option<String>,
    #[command(flatten)]
    moving: Moving,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let image = Reference::parse(&self.image)?;
        let destination = self.destination.as_deref().map_or_else(|| Ok(Place::Registry(image.clone())), Place::parse)?;
        let destination = match destination {
            Place::Name(name) => Place::Registry(name),
            other => other,
        };
        self.moving.run(&Place::Store(image), &destination, &What { extent: Extent::All, with: With::Nothing }, session)
    }
}
