//! `cooper tag`: another name for an image of the store.

use super::Session;
use crate::error::{Advice, Context, Result};
use crate::image::Reference;

/// Give an image of the store another name.
#[derive(clap::Args)]
pub struct Arguments {
    /// The image.
    image: String,
    /// Its new names.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let image = Reference::parse(&self.image)?;
        let names: Vec<Reference> = self.names.iter().map(|name| Reference::parse_new(name)).collect::<Result<_>>()?;
        let found = session.store()?.retag(&image, &names)?;
        let digest = found.context(|| format!("there is no image `{image}` in the store")).hint("`cooper images` lists what is there")?;
        for name in names {
            session.output.line(&format!("{} is {digest} now", name.familiar()));
        }
        Ok(0)
    }
}
