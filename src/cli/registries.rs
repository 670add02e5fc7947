//! Which registries there are for a command, and how they are reached.

use super::Session;
use crate::daemon::Settings;
use crate::error::Result;
use crate::image::Platform;
use crate::output::Output;
use crate::platform::attest::Trust;
use crate::platform::config::{self, Config};
use crate::platform::images::Images;
use crate::platform::pull::Pull;
use crate::registry::{Certificates, Credentials, Environment, Registries};
use crate::store::Store;
use std::path::PathBuf;
use std::sync::Arc;

/// How registries are reached.
#[derive(clap::Args)]
pub(super) struct Reach {
    /// Registry, or beginning of images' names, that may be reached without encryption; repeatable.
    #[arg(help_heading = "Registries", long, value_name = "PREFIX")]
    insecure_registry: Vec<String>,
    /// File with authorities that registries' certificates may be signed by, besides the system's; repeatable.
    #[arg(help_heading = "Registries", long, value_name = "FILE")]
    ca: Vec<PathBuf>,
}

/// Where images are for a command: the store, registries, an engine.
pub(super) struct Everywhere<'a> {
    /// The user's configuration.
    pub config: Config,
    store: Store,
    /// The registries.
    pub registries: Arc<Registries>,
    engine: Settings,
    trust: Trust,
    output: &'a Output,
}

impl Everywhere<'_> {
    /// Images for a platform.
    pub fn images<'a>(&'a self, pull: Pull, platform: &'a Platform) -> Images<'a> {
        Images {
            store: &self.store,
            registries: &self.registries,
            pull,
            engine: &self.engine,
            platform,
            trust: &self.trust,
            output: self.output,
        }
    }
}

impl Reach {
    /// All places that images may be at.
    pub fn everywhere<'a>(&self, session: &Session<'a>) -> Result<Everywhere<'a>> {
        let (registries, config) = self.open()?;
        let engine = Settings::read(|name| std::env::var_os(name));
        Ok(Everywhere {
            trust: config.trust()?,
            config,
            store: session.store()?,
            registries: registries.into(),
            engine,
            output: session.output,
        })
    }

    /// The registries, with the user's credentials and mirrors, and the user's configuration.
    pub fn open(&self) -> Result<(Registries, Config)> {
        let config = configuration()?;
        let credentials = Credentials::read(Environment::read(|name| std::env::var_os(name)))?;
        let insecure = [self.insecure_registry.as_slice(), &config.insecure_registries].concat();
        let registries = Registries::new(credentials, insecure).with_certificates(self.certificates());
        Ok((registries.with_mirrors(&config.registry_mirrors)?, config))
    }

    /// The registries, without credentials.
    pub fn open_unknown(&self) -> Result<Registries> {
        let insecure = [self.insecure_registry.as_slice(), &configuration()?.insecure_registries].concat();
        Ok(Registries::new(Credentials::default(), insecure).with_certificates(self.certificates()))
    }

    fn certificates(&self) -> Certificates {
        Certificates::read(self.ca.clone(), |name| std::env::var_os(name))
    }
}

/// The user's configuration.
pub(super) fn configuration() -> Result<Config> {
    config::path(|name| std::env::var_os(name)).map_or_else(|| Ok(Config::default()), |path| Config::read(&path))
}
