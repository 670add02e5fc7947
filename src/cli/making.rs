//! What the commands that make images of parts (packages, builders) have in common.

use super::Session;
use super::registries::Reach;
use crate::error::{Advice, Error, Result};
use crate::image::{Platform, Reference};
use crate::output::{Verbosity, human_bytes};
use crate::platform::buildpackage::Sources;
use crate::platform::buildpackage::Target;
use crate::platform::deliver::{self, Delivered, Delivery};
use crate::platform::images::here;
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use std::collections::BTreeMap;

/// Where what an image is made of comes from.
#[derive(clap::Args)]
pub(super) struct Getting {
    /// When a registry is asked for images: `always`, `if-not-present` (in the store), `never`, `hourly`, `daily`, `weekly` or `interval=5d4h2m`
    /// [default: if-not-present, or the configuration's].
    #[arg(long, value_name = "POLICY")]
    pull_policy: Option<Pull>,
    /// Buildpack registry that `urn:cnb:registry:` means: its name in the configuration, or the address of its index, a git repository [default: the
    /// configuration's, else the official one].
    #[arg(long, short = 'r', alias = "registry", value_name = "REGISTRY")]
    buildpack_registry: Option<String>,
    #[command(flatten)]
    registries: Reach,
}

/// Where an image goes, and what is said of it.
#[derive(clap::Args)]
pub(super) struct Making {
    /// Send the image to the registries that its names name.
    #[arg(long)]
    publish: bool,
    /// Also write the image to `oci:DIR[:TAG]`, `docker-archive:FILE`, `docker[:NAME]` (an engine) or `docker://NAME` (a registry); repeatable.
    #[arg(long, value_name = "PLACE")]
    output: Vec<String>,
    /// Another name for the image; repeatable.
    #[arg(long, value_name = "IMAGE", value_delimiter = ',')]
    tag: Vec<String>,
    /// Give the image of each machine a name that ends in the machine too, where a list of several is published.
    #[arg(long)]
    append_image_name_suffix: bool,
    /// Label of the image; repeatable.
    #[arg(long, short, value_name = "NAME=VALUE", value_delimiter = ',')]
    label: Vec<String>,
}

/// The machines that an image is for.
#[derive(clap::Args)]
pub(super) struct Targets {
    /// Machine to make an image for, as `linux/arm64`, `linux/arm/v6:ubuntu@14.04` or `linux/amd64:debian@12;debian@13`; repeatable [default: those of the
    /// configuration]. Several become a list of images, with `--publish`.
    #[arg(long, short, value_name = "TARGET", value_delimiter = ',')]
    target: Vec<Target>,
}

impl Targets {
    /// Those asked for, else those of the configuration; without `all`, only one.
    pub fn chosen(&self, configuration: &[Target], all: bool) -> Result<deliver::Targets> {
        deliver::Targets::choose(&self.target, configuration, all)
    }
}

impl Getting {
    /// Calls `work` with where images and buildpacks come from.
    pub fn with<T>(&self, session: &Session, work: impl FnOnce(&Sources) -> Result<T>) -> Result<T> {
        let (everywhere, platform) = (self.registries.everywhere(session)?, Platform::here());
        let config = &everywhere.config;
        let pull = if session.offline { Pull::Never } else { self.pull_policy.or(config.pull).unwrap_or_default() };
        let images = everywhere.images(pull, &platform);
        let registry = config.buildpack_registry(self.buildpack_registry.as_deref())?;
        work(&Sources { images: &images, registry: &registry, platform: here() })
    }
}

impl Making {
    /// Where the image `name` goes.
    pub fn delivery(&self, name: &str) -> Result<Delivery> {
        let names = std::iter::once(name).chain(self.tag.iter().map(String::as_str));
        Ok(Delivery {
            names: names.map(Reference::parse_new).collect::<Result<_>>()?,
            publish: self.publish,
            outputs: self.output.iter().map(|place| Place::parse_output(place)).collect::<Result<_>>()?,
            suffix: self.append_image_name_suffix,
        })
    }

    /// Whether registries get it.
    pub fn publish(&self) -> bool {
        self.publish
    }

    /// Whether it goes elsewhere than to the store.
    pub fn goes_elsewhere(&self) -> bool {
        self.publish || !self.output.is_empty() || !self.tag.is_empty()
    }

    /// The labels.
    pub fn labels(&self) -> Result<BTreeMap<String, String>> {
        let pairs = self.label.iter().map(|label| match label.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
            Some(_) | None => Err(Error::new(format!("`{label}` is no label"))).hint("write NAME=VALUE"),
        });
        pairs.collect()
    }
}

/// Tells of an image that was made.
pub(super) fn report(what: &str, name: &str, delivered: &Delivered, session: &Session) -> Result<()> {
    if session.output.verbosity() == Verbosity::Quiet {
        return session.print(&delivered.digest.to_string());
    }
    let size = human_bytes(delivered.size);
    session.output.line(&format!("made the {what} {name} ({size}, {})", delivered.digest.short()));
    delivered.published.iter().for_each(|name| session.output.line(&format!("published {name}")));
    delivered.written.iter().for_each(|written| session.output.line(&format!("wrote it to {}", written.destination)));
    Ok(())
}
