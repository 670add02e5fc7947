//! `cooper build`: source code becomes an image.

use super::Session;
use crate::error::Result;
use crate::image::Reference;
use crate::platform::build::{self, Request};
use crate::platform::builder::Wanted;
use crate::platform::environment::Variable;
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use crate::sandbox::Network;
use std::path::PathBuf;

/// Build an image from source code.
#[derive(clap::Args)]
pub struct Arguments {
    /// Name of the image, as `my-app` or `registry.example/team/my-app:1.2`.
    image: String,
    /// Folder with the source code.
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    path: PathBuf,
    /// Builder to build with: `trixie` (Debian 13), `bookworm` (Debian 12), a builder's image by its name, `oci:DIR[:TAG]` or `docker:NAME`.
    #[arg(long, short = 'B', default_value = "trixie")]
    builder: String,
    /// Run image for the app, by its name, `oci:DIR[:TAG]` or `docker:NAME`, instead of the first that the builder's image names.
    #[arg(long, value_name = "IMAGE")]
    run_image: Option<String>,
    /// When a registry is asked for the builder's images: `always`, `if-not-present` (in the store), `never`, `hourly`, `daily`, `weekly` or
    /// `interval=5d4h2m` [default: if-not-present, or the configuration's].
    #[arg(long, value_name = "POLICY")]
    pull_policy: Option<Pull>,
    #[command(flatten)]
    registries: super::registries::Reach,
    /// Environment variable of the build, as `NAME=VALUE`, or `NAME` to hand over this shell's value; repeatable.
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// File with one environment variable of the build on each line; repeatable.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Also write the image to `oci:DIR[:TAG]`, `docker-archive:FILE`, `docker[:NAME]` (an engine) or `docker://NAME` (a registry); repeatable.
    #[arg(long, value_name = "PLACE")]
    output: Vec<String>,
    /// Also load the image into the engine, as `--output docker`.
    #[arg(long)]
    docker: bool,
    /// Another name for the image; repeatable.
    #[arg(long, short, value_name = "IMAGE")]
    tag: Vec<String>,
    /// Send the image to the registries that its names name.
    #[arg(long)]
    publish: bool,
    /// Image that this one replaces, whose layers are reused, instead of the one of its name: its name, `docker:NAME` or `oci:DIR[:TAG]`.
    #[arg(long, value_name = "PLACE")]
    previous_image: Option<String>,
    /// Image of a registry that keeps what the build caches, instead of the store.
    #[arg(long, value_name = "IMAGE")]
    cache_image: Option<String>,
    /// Process that the image starts by default.
    #[arg(long, short = 'D', value_name = "TYPE")]
    default_process: Option<String>,
    /// Forget what earlier builds of this image cached.
    #[arg(long)]
    clear_cache: bool,
    /// Network of the build: `host` or `none`.
    #[arg(long, default_value = "host", value_parser = network)]
    network: Network,
    /// Do not hand the host's pip configuration (index addresses) to the build.
    #[arg(long)]
    no_host_config: bool,
    #[command(flatten)]
    mirrors: super::builder::Mirrors,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let outputs = self.outputs()?;
        let (registries, config) = self.registries.open()?;
        let pull = self.pull_policy.or(config.pull).unwrap_or_default();
        let request = Request {
            image: Reference::parse_new(&self.image)?,
            tags: self.tag.iter().map(|tag| Reference::parse_new(tag)).collect::<Result<_>>()?,
            source: self.path,
            builder: Wanted { builder: self.builder, run_image: self.run_image.as_deref().map(Place::parse).transpose()? },
            environment: Variable::collect(&self.env_file, &self.env, |name| std::env::var(name).ok())?,
            outputs,
            default_process: self.default_process,
            clear_cache: self.clear_cache,
            network: if session.offline { Network::None } else { self.network },
            host: crate::platform::host::Host::read(|name| std::env::var_os(name), !self.no_host_config)?,
            mirrors: self.mirrors.read()?,
            publish: self.publish,
            previous_image: self.previous_image.as_deref().map(Place::parse).transpose()?,
            cache_image: self.cache_image.as_deref().map(Reference::parse_new).transpose()?,
            registries: registries.into(),
            pull: if session.offline { Pull::Never } else { pull },
            engine: crate::daemon::Settings::read(|name| std::env::var_os(name)),
            source_date_epoch: std::env::var("SOURCE_DATE_EPOCH").ok(),
        };
        let store = session.store()?;
        let built = build::build(&request, &store, session.output)?;
        if session.output.verbosity() == crate::output::Verbosity::Quiet {
            session.print(&built.digest.to_string())?;
        } else {
            build::report(&request, &built, session.output);
        }
        Ok(0)
    }
}

impl Arguments {
    fn outputs(&self) -> Result<Vec<Place>> {
        let mut outputs: Vec<Place> = self.output.iter().map(|place| Place::parse_output(place)).collect::<Result<_>>()?;
        if self.docker && !outputs.contains(&Place::Engine(None)) {
            outputs.push(Place::Engine(None));
        }
        Ok(outputs)
    }
}

fn network(text: &str) -> Result<Network, String> {
    match text {
        "host" => Ok(Network::Host),
        "none" => Ok(Network::None),
        _ => Err("expected `host` or `none`".into()),
    }
}
