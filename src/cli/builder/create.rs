//! `cooper builder create`: a builder of a builder.toml.

use super::super::Session;
use super::super::making::{Getting, Making, Targets, report};
use crate::error::Result;
use crate::image::{Platform, Reference};
use crate::output::Output;
use crate::platform::builder::config::Config;
use crate::platform::builder::create::{Create, create};
use crate::platform::builder::export::{self, Archives, Export};
use crate::platform::deliver::Made;
use crate::store::Store;
use std::path::{Path, PathBuf};

/// Make a builder: an image with buildpacks, their order and a lifecycle.
#[derive(clap::Args)]
pub struct Arguments {
    /// Name of the builder.
    name: String,
    /// builder.toml that says what the builder is made of.
    #[arg(long, short, value_name = "FILE", required_unless_present = "builtin")]
    config: Option<PathBuf>,
    /// Built-in builder to make an image of, which other platforms build with. Its images get the packages that its buildpacks always ask for.
    #[arg(long, value_name = "BUILDER", conflicts_with = "config")]
    builtin: Option<String>,
    /// Debian package that the build image and the run image of a built-in builder get besides; repeatable.
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "builtin")]
    package: Vec<String>,
    /// The same for its build image alone; repeatable.
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "builtin")]
    build_package: Vec<String>,
    /// What the run image of a built-in builder is called [default: the builder's name with `-run`].
    #[arg(long, value_name = "IMAGE", requires = "builtin")]
    run_image: Option<String>,
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
        // Kept open, or the folder would be cleared.
        let store = session.store()?;
        let folder = store.scratch()?;
        let config = self.config(folder.path(), &store, session.output)?;
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

    fn config(&self, folder: &Path, store: &Store, output: &Output) -> Result<Config> {
        let Some(builder) = &self.builtin else { return Config::read(self.config.as_deref().unwrap_or(Path::new("builder.toml"))) };
        let run_image = match &self.run_image {
            Some(name) => Reference::parse_new(name)?,
            None => beside(&Reference::parse_new(&self.name)?)?,
        };
        let export = Export { builder, run_image: &run_image, packages: &self.package, build_packages: &self.build_package };
        export::write(&export, folder, &Platform::here(), &Archives { mirrors: &self.mirrors.read()?, store, output })
    }
}

/// The name of the run image beside a builder's.
fn beside(builder: &Reference) -> Result<Reference> {
    let tag = builder.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
    Reference::parse_new(&format!("{}/{}-run{tag}", builder.registry(), builder.repository()))
}
