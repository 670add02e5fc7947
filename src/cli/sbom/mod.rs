//! `cooper sbom`: what is in images.

mod attach;
mod check;
mod download;

use super::Session;
use super::registries::Reach;
use crate::error::{Advice, Error, Result};
use crate::image::Platform;
use crate::platform::images::Images;
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use crate::platform::sbom::{About, name_of};
use crate::platform::transfer::Extent;
use clap::Subcommand;
use std::path::Path;

/// Say what is in an image.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Attach(attach::Arguments),
    Download(download::Arguments),
    Check(check::Arguments),
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        match self.command {
            Command::Attach(arguments) => arguments.run(session),
            Command::Download(arguments) => arguments.run(session),
            Command::Check(arguments) => arguments.run(session),
        }
    }
}

/// The image that is meant.
#[derive(clap::Args)]
struct Image {
    /// The image: NAME, in the store, `docker://NAME` (a registry), `oci:DIR[:TAG]`, `docker-archive:FILE[:NAME]` or `docker:NAME` (an engine).
    #[arg(id = "image", value_name = "IMAGE")]
    name: String,
    /// Read the image from its registry; of its layers, only those with SBOM files and packages of the system are fetched.
    #[arg(long)]
    remote: bool,
    /// Of an image for several platforms, the one for this platform, as `linux/arm64`.
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    #[command(flatten)]
    registries: Reach,
}

impl Image {
    /// Opens the image, and acts on it.
    fn with<T>(&self, session: &Session, act: impl FnOnce(&Images, &About) -> Result<T>) -> Result<T> {
        let wanted = self.platform.as_deref().map(str::parse::<Platform>).transpose()?;
        let extent = if wanted.is_some() { Extent::Exactly } else { Extent::One };
        let platform = wanted.unwrap_or_else(Platform::here);
        let place = match (Place::parse(&self.name)?, self.remote) {
            (Place::Name(name), true) => Place::Registry(name),
            (Place::Name(name), false) => Place::Store(name),
            (place @ Place::Registry(_), _) | (place, false) => place,
            (place, true) => {
                return Err(Error::new(format!("`{place}` is in no registry"))).hint("leave `--remote` out");
            }
        };
        let everywhere = self.registries.everywhere(session)?;
        let images = everywhere.images(Pull::Never, &platform);
        let opened = images.open(&place, extent)?;
        let name = opened.name().first().or_else(|| place.name()).map_or_else(|| name_of_file(&place), |name| name_of(name).to_string());
        let about = opened.about(&name).next().ok_or_else(|| Error::new("the index has no images"))?;
        act(&images, &about)
    }
}

/// An image in a file or folder is called like that.
fn name_of_file(place: &Place) -> String {
    let stem = place.path().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    stem.filter(|stem| !stem.is_empty()).unwrap_or_else(|| "image".into())
}
