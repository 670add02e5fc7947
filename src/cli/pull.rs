//! `cooper pull`: an image into the store.

use super::Session;
use super::transfer::{Moving, What, With};
use crate::error::{Advice, Error, Result};
use crate::image::Reference;
use crate::platform::place::Place;
use crate::platform::transfer::Extent;

/// Bring an image from its registry, or from another place, into the store.
#[derive(clap::Args)]
pub struct Arguments {
    /// The image: a name in a registry, `docker:NAME` (an engine), `oci:DIR[:TAG]` or `docker-archive:FILE[:NAME]`.
    image: String,
    /// Name that it gets [default: its own].
    #[arg(long, short, value_name = "IMAGE")]
    tag: Option<String>,
    /// Bring the images for all platforms, and their index.
    #[arg(long, conflicts_with = "platform")]
    all_platforms: bool,
    #[command(flatten)]
    moving: Moving,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let source = match Place::parse(&self.image)? {
            Place::Name(name) => Place::Registry(name),
            other => other,
        };
        let own = source.name().cloned();
        let name = match self.tag {
            Some(tag) => Reference::parse(&tag)?,
            None => {
                own.ok_or_else(|| Error::new(format!("`{}` does not say what the image is called", self.image))).hint("add `--tag NAME`")?
            }
        };
        let extent = if self.all_platforms { Extent::All } else { Extent::One };
        self.moving.run(&source, &Place::Store(name), &What { extent, with: With::Nothing }, session)
    }
}
