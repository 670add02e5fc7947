//! `cooper rebase`: another run image under an app image, without a build.

use super::Session;
use super::registries::Reach;
use crate::daemon::Settings;
use crate::error::Result;
use crate::image::Reference;
use crate::platform::images::Images;
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use crate::platform::rebase::{Rebased, Request, rebase};

/// Exit code where `--check` finds something to do.
const DUE: u8 = 10;

/// Put an app image on the newest run image, or on another one, without building it again.
#[derive(clap::Args)]
pub struct Arguments {
    /// The app image.
    image: String,
    /// New run image, by its name, `oci:DIR[:TAG]` or `docker:NAME`, instead of the one that the image names, as that is today.
    #[arg(long, value_name = "PLACE")]
    run_image: Option<String>,
    /// Rebase the image in its registry; layers that are there are not moved.
    #[arg(long)]
    publish: bool,
    /// Another name for the new image; repeatable.
    #[arg(long, short, value_name = "IMAGE")]
    tag: Vec<String>,
    /// Rebase even where the two images may not fit.
    #[arg(long)]
    force: bool,
    /// Change nothing; the exit code is 0 where the image is on that run image already, 10 where a rebase is due.
    #[arg(long)]
    check: bool,
    /// When a registry is asked for the run image: as for `build` [default: always].
    #[arg(long, value_name = "POLICY")]
    pull_policy: Option<Pull>,
    #[command(flatten)]
    registries: Reach,
    #[command(flatten)]
    mirrors: super::builder::Mirrors,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let (registries, _) = self.registries.open()?;
        let store = session.store()?;
        let engine = Settings::read(|name| std::env::var_os(name));
        let pull = if session.offline { Pull::Never } else { self.pull_policy.unwrap_or(Pull::Always) };
        let images = Images { store: &store, registries: &registries, pull, engine: &engine, output: session.output };
        let request = Request {
            image: Reference::parse_new(&self.image)?,
            tags: self.tag.iter().map(|tag| Reference::parse_new(tag)).collect::<Result<_>>()?,
            run_image: self.run_image.as_deref().map(Place::parse).transpose()?,
            publish: self.publish,
            force: self.force,
            check: self.check,
            update: pull != Pull::Never,
            mirrors: &self.mirrors.read()?,
        };
        let rebased = rebase(&request, &images)?;
        if session.output.verbosity() == crate::output::Verbosity::Quiet && !self.check {
            session.print(&rebased.digest.to_string())?;
        } else {
            session.output.line(&said(&self.image, &rebased, self.check));
        }
        Ok(if self.check && rebased.changed { DUE } else { 0 })
    }
}

fn said(image: &str, rebased: &Rebased, check: bool) -> String {
    let Rebased { digest, changed, run_image, names } = rebased;
    match (changed, check) {
        (false, _) => format!("{image} is on the run image {run_image} already: {digest}"),
        (true, true) => format!("{image} can be rebased on {run_image}"),
        (true, false) => format!("rebased {} on {run_image}: {digest}", names.join(", ")),
    }
}
