//! `cooper rebase`: another run image under an app image, without a build.

mod changes;
mod fleet;

use super::registries::Reach;
use super::{Format, Session};
use crate::error::{Error, Result};
use crate::image::{Platform, Reference};
use crate::output::Verbosity;
use crate::platform::attest::{Attaching, Documents};
use crate::platform::builder::{RunLock, Versions};
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use crate::platform::rebase::{Rebased, Request, rebase};
use std::path::PathBuf;
use std::sync::Arc;

/// Exit code where `--check` finds something to do.
const DUE: u8 = 10;

/// Put an app image on the newest run image, or on another one, without building it again.
#[derive(clap::Args)]
pub struct Arguments {
    /// The app image: NAME in the store, or, with `--publish`, in its registry; `docker://NAME` (a registry), `docker:NAME` (an engine),
    /// `oci:DIR:TAG` or `docker-archive:FILE[:NAME]`. With `--all`, a part of a registry, as `registry.example/team`.
    #[arg(required_unless_present_any = ["all", "list"])]
    image: Option<String>,
    /// Image to rebase instead, which stays as it is; IMAGE then is where the new one goes.
    #[arg(long, value_name = "PLACE")]
    previous_image: Option<String>,
    /// New run image, by its name, `oci:DIR[:TAG]` or `docker:NAME`, instead of the one that the image names, as that is today.
    #[arg(long, value_name = "PLACE")]
    run_image: Option<String>,
    /// Rebase the image in its registry; layers that are there are not moved.
    #[arg(long)]
    publish: bool,
    /// Another name for the new image, in the same registry, store, engine or archive; in a layout, another tag; repeatable.
    #[arg(long, short, value_name = "IMAGE")]
    tag: Vec<String>,
    /// Folder for a `report.toml` that says what was made.
    #[arg(long, value_name = "DIR")]
    report_output_dir: Option<PathBuf>,
    /// Rebase even where the two images may not fit.
    #[arg(long)]
    force: bool,
    /// Change nothing; the exit code is 0 where the image is on that run image already, 10 where a rebase is due, 72 where it would be
    /// refused.
    #[arg(long)]
    check: bool,
    /// Compare the packages and libraries of both run images even if layers have to be fetched for it; of composed ones they always are.
    #[arg(long)]
    compare: bool,
    /// File with the exact packages of a composed run image, from `--write-lock`, instead of the newest.
    #[arg(long, value_name = "FILE", conflicts_with = "run_image")]
    lock: Option<PathBuf>,
    /// Write the exact packages of the composed run image to a file, for other images that need the same ones.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run_image", "all", "list"])]
    write_lock: Option<PathBuf>,
    /// How to write what changes.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    /// When a registry is asked for the run image: as for `build` [default: always, or the configuration's].
    #[arg(long, value_name = "POLICY")]
    pull_policy: Option<Pull>,
    /// Send SBOM and provenance with the new image even if the old one had none, and with each of many images; `--sign` implies it.
    #[arg(help_heading = "Attestations", long, conflicts_with = "no_attest")]
    attest: bool,
    #[command(flatten)]
    attestations: super::attaching::Attestations,
    #[command(flatten)]
    fleet: fleet::Options,
    #[command(flatten)]
    registries: Reach,
    #[command(flatten)]
    mirrors: super::builder::Mirrors,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let everywhere = self.registries.everywhere(session)?;
        let pull = if session.offline { Pull::Never } else { self.pull_policy.or(everywhere.config.pull).unwrap_or(Pull::Always) };
        let platform = Platform::here();
        let images = everywhere.images(pull, &platform);
        let mirrors = self.mirrors.read()?;
        let attaching = self.attaching()?;
        let versions = match &self.lock {
            Some(file) => Versions::Locked(Arc::new(RunLock::read(file)?)),
            None if pull == Pull::Never => Versions::Kept,
            None => Versions::Newest,
        };
        let request = |image: Place| -> Result<Request> {
            Ok(Request {
                previous: self.previous_image.as_deref().map(|text| self.place(text)).transpose()?,
                tags: self.tag.iter().map(|tag| self.tagged(tag, &image)).collect::<Result<_>>()?,
                image,
                report: self.report_output_dir.clone(),
                run_image: self.run_image.as_deref().map(Place::parse).transpose()?,
                force: self.force,
                compare: self.compare,
                check: self.check,
                versions: versions.clone(),
                write_lock: self.write_lock.clone(),
                attaching: &attaching,
                mirrors: &mirrors,
            })
        };
        if self.fleet.is_wanted() {
            return self.run_fleet(&request(Place::Engine(None))?, &images, session);
        }
        let text = self.image.as_deref().unwrap_or_default();
        let rebased = rebase(&request(self.new_place(text)?)?, &images)?;
        match self.output {
            Format::Json => session.print_json(&rebased)?,
            Format::Text => {
                rebased.comparison.iter().flat_map(changes::lines).for_each(|line| session.output.line(&line));
                rebased.check()?;
                session.output.line(&said(text, &rebased, self.check));
                if session.output.verbosity() == Verbosity::Quiet && !self.check {
                    session.print(&rebased.digest.to_string())?;
                }
            }
        }
        rebased.check()?;
        Ok(if self.check && rebased.changed { DUE } else { 0 })
    }

    /// What registries get with the new image: documents that the old one had are made anew. Of many images only where that is asked for, because
    /// they take as many requests as a rebase itself.
    fn attaching(&self) -> Result<Attaching> {
        let is_sent = self.publish || self.fleet.is_wanted() || self.image.as_ref().is_some_and(|image| image.starts_with("docker://"));
        let attaching = self.attestations.open(is_sent && !self.check)?;
        let documents = match (attaching.documents, self.attest || attaching.signer.is_some(), self.fleet.is_wanted()) {
            (Documents::Never, _, _) | (_, false, true) => Documents::Never,
            (_, true, _) => Documents::Always,
            (_, false, false) => Documents::IfBefore,
        };
        Ok(Attaching { documents, ..attaching })
    }

    /// The place that a text names: of names without more the registry or the store.
    fn place(&self, text: &str) -> Result<Place> {
        Ok(match (Place::parse(text)?, self.publish) {
            (Place::Name(name), true) => Place::Registry(name),
            (Place::Name(name), false) => Place::Store(name),
            (place @ (Place::Registry(_) | Place::Store(_) | Place::Engine(_) | Place::Layout { .. } | Place::Archive { .. }), _) => place,
        })
    }

    /// A place that an image can be given.
    fn new_place(&self, text: &str) -> Result<Place> {
        let place = self.place(text)?;
        if place.name().is_some_and(|name| name.digest().is_some()) {
            return Err(Error::new(format!("`{text}` names a digest, and a rebased image has another one"))
                .hint("name the image to rebase with `--previous-image`, and a new name for it"));
        }
        if self.publish && !matches!(place, Place::Registry(_)) {
            return Err(
                Error::new(format!("`{text}` is in no registry, where `--publish` would look for it")).hint("leave out `--publish`")
            );
        }
        if matches!(place, Place::Layout { tag: None, .. } | Place::Engine(None)) {
            return Err(Error::new(format!("`{text}` does not name the image")).hint("write `oci:DIR:TAG` or `docker:NAME`"));
        }
        Ok(place)
    }

    /// Another name for the image at a place: there.
    fn tagged(&self, text: &str, image: &Place) -> Result<Place> {
        Ok(match image {
            Place::Layout { folder, .. } => Place::Layout { folder: folder.clone(), tag: Some(text.to_string()) },
            Place::Archive { file, .. } => Place::Archive { file: file.clone(), name: Some(Reference::parse_new(text)?) },
            Place::Engine(_) => Place::Engine(Some(Reference::parse_new(text)?)),
            Place::Registry(_) => Place::Registry(Reference::parse_new(text)?),
            Place::Store(_) | Place::Name(_) => Place::Store(Reference::parse_new(text)?),
        })
    }
}

fn said(image: &str, rebased: &Rebased, check: bool) -> String {
    let Rebased { digest, changed, run_image, names, .. } = rebased;
    match (changed, check) {
        (false, _) => format!("{image} is on the run image {run_image} already: {digest}"),
        (true, true) => format!("{image} can be rebased on {run_image}"),
        (true, false) => format!("rebased {} on {run_image}: {digest}", names.join(", ")),
    }
}
