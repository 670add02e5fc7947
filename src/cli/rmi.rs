//! `cooper rmi`: takes names away from images of the store, and images away from registries.

use super::Session;
use super::registries::Reach;
use crate::error::{Error, Result};
use crate::image::Reference;
use crate::platform::place::Place;
use crate::registry::Registries;
use crate::store::Store;

/// Remove images from this machine, or from registries; `cooper store prune` frees the space of those on this machine.
#[derive(clap::Args)]
pub struct Arguments {
    /// The images: NAME in the store, or `docker://NAME` in a registry: there the image goes, whatever else it is called.
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<String>,
    #[command(flatten)]
    registries: Reach,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let (store, (registries, _)) = (session.store()?, self.registries.open()?);
        let places: Vec<Place> = self.images.iter().map(|image| Place::parse(image)).collect::<Result<_>>()?;
        for place in places {
            let removed = match &place {
                Place::Name(name) | Place::Store(name) => untag(&store, name)?,
                Place::Registry(name) => remove(&registries, name)?,
                Place::Layout { .. } | Place::Archive { .. } | Place::Engine(_) => {
                    return Err(Error::new(format!("cannot remove `{place}`"))
                        .hint("images of the store (NAME) and of registries (`docker://NAME`) can be removed"));
                }
            };
            session.output.line(&format!("removed {removed}"));
        }
        Ok(0)
    }
}

fn untag(store: &Store, name: &Reference) -> Result<String> {
    match store.untag(name)? {
        true => Ok(name.familiar()),
        false => Err(Error::new(format!("there is no image `{name}`"))
            .hint("`cooper images` lists what is there; `docker://NAME` is an image in a registry")),
    }
}

fn remove(registries: &Registries, name: &Reference) -> Result<String> {
    match registries.remove(name)? {
        Some(digest) => Ok(format!("docker://{} ({digest})", name.full())),
        None => Err(Error::new(format!("the registry does not have `{}`", name.full())).hint("check the name and the tag")),
    }
}
