//! `cooper rmi`: takes names away from images.

use super::Session;
use crate::error::{Error, Result};
use crate::image::Reference;

/// Remove images from this machine; `cooper store prune` frees their space.
#[derive(clap::Args)]
pub struct Arguments {
    /// The images.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let store = session.store()?;
        let names: Vec<Reference> = self.images.iter().map(|image| Reference::parse(image)).collect::<Result<_>>()?;
        for name in names {
            if !store.untag(&name)? {
                return Err(Error::new(format!("there is no image `{name}`")).hint("`cooper images` lists what is there"));
            }
            session.output.line(&format!("removed {}", name.familiar()));
        }
        Ok(0)
    }
}
