//! What the commands that move images have in common.

use super::registries::Reach;
use super::{Format, Session};
use crate::error::Result;
use crate::image::Platform;
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use crate::platform::transfer::Extent;

/// How an image is moved, and how that is told.
#[derive(clap::Args)]
pub(super) struct Moving {
    /// How to write what was done.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    /// Move only the image for this platform, as `linux/arm64`.
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    #[command(flatten)]
    registries: Reach,
}

/// What is moved.
pub(super) struct What {
    /// Of an image for several platforms, which of its images, unless a platform is named.
    pub extent: Extent,
    /// What goes along.
    pub with: With,
}

/// What goes along with an image.
pub(super) enum With {
    /// Nothing.
    Nothing,
    /// What refers to it; only that of one kind, where one is named.
    Referrers(Option<String>),
}

impl Moving {
    /// Moves an image, and tells of it.
    pub fn run(&self, source: &Place, destination: &Place, what: &What, session: &Session) -> Result<u8> {
        let wanted = self.platform.as_deref().map(str::parse::<Platform>).transpose()?;
        let (platform, extent) = wanted.map_or_else(|| (Platform::here(), what.extent), |wanted| (wanted, Extent::Exactly));
        let everywhere = self.registries.everywhere(session)?;
        let images = everywhere.images(Pull::Never, &platform);
        let opened = images.open(source, extent)?;
        // They come first: when the image is there, all is.
        let referrers = match &what.with {
            With::Nothing => None,
            With::Referrers(kind) => Some(images.copy_referrers(&opened, source, destination, kind.as_deref())?),
        };
        let written = images.write(&opened, destination, opened.name())?;
        match self.output {
            Format::Json => session.print_json(&written)?,
            Format::Text if session.output.verbosity() == crate::output::Verbosity::Quiet => session.print(&written.digest.to_string())?,
            Format::Text => session.output.line(&written.line(&opened)),
        }
        if let Some(count) = referrers {
            let what = if count == 1 { "1 manifest that refers" } else { &format!("{count} manifests that refer") };
            session.output.line(&format!("wrote {what} to it"));
        }
        Ok(0)
    }
}
