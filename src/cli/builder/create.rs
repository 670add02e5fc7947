//! `cooper builder create`: a builder of a builder.toml.

use super::super::Session;
use super::super::making::{Getting, Making, Targets, report};
use crate::error::Result;
use crate::platform::builder::config::Config;
use crate::platform::builder::create::{Create, create};
use crate::platform::deliver::Made;
use std::path::PathBuf;

/// Make a builder: an image with buildpacks, their order and a lifecycle.
#[derive(clap::Args)]
pub struct Arguments {
    /// Name of the builder.
    name: String,
    /// builder.toml that says what the builder is made of.
    #[arg(long, short, value_name = "FILE")]
    config: PathBuf,
    /// Buildpacks that share a layer, as `ID@VERSION,ID@VERSION`; repeatable.
    #[arg(long, value_name = "ID@VERSION,…")]
    flatten: Vec<String>,
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    making: Making,
    #[command(flatten)]
    getting: Getting,
    #[command(flatten)]
    mirrors: super::Mirrors,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let config = Config::read(&self.config)?;
        config.warnings.iter().for_each(|warning| session.output.warn(warning));
        let delivery = self.making.delivery(&self.name)?;
        let targets = self.targets.chosen(&config.targets, delivery.publish)?;
        let flatten: Vec<Vec<String>> = self.flatten.iter().map(|group| group.split(',').map(Into::into).collect()).collect();
        let (labels, mirrors) = (self.making.labels()?, self.mirrors.read()?);
        self.getting.with(session, |sources| {
            let what = Create { config: &config, labels: &labels, flatten: &flatten, mirrors: &mirrors };
            let delivered = targets.deliver(&delivery, sources, &mut |_, sources| {
                let made = create(&what, sources)?;
                Ok(Made { image: made.image, near: made.build.into_iter().collect(), beside: made.run.into_iter().collect() })
            })?;
            report("builder", &self.name, &delivered, session)
        })?;
        Ok(0)
    }
}
