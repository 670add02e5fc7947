//! `cooper build`: source code becomes an image.

mod inputs;
mod modules;
mod needless;
mod sandbox;

use super::Session;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Platform, Reference};
use crate::platform::build::{self, Request, creation_time, kept_in};
use crate::platform::builder::{Wanted, default_name, is_built_in};
use crate::platform::place::Place;
use crate::platform::project;
use crate::platform::pull::Pull;
use crate::sandbox::Network;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Build an image from source code.
#[derive(clap::Args)]
pub struct Arguments {
    /// Name of the image, as `my-app` or `registry.example/team/my-app:1.2`.
    #[arg(required_unless_present = "list_inputs")]
    image: Option<String>,
    #[command(flatten)]
    inputs: inputs::Inputs,
    /// Builder to build with: `trixie` (Debian 13), `bookworm` (Debian 12), a builder's image by its name, `oci:DIR[:TAG]` or `docker:NAME`
    /// [default: the project file's, or the configuration's, or trixie].
    #[arg(long, short = 'B')]
    builder: Option<String>,
    #[command(flatten)]
    modules: modules::Modules,
    /// Run image for the app, by its name, `oci:DIR[:TAG]` or `docker:NAME`, instead of the first that the builder's image names.
    #[arg(long, value_name = "IMAGE")]
    run_image: Option<String>,
    /// What the image is to be for, as `linux/arm64`; several, with commas or repeated, make one index [default: the builder's own].
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<String>,
    /// When a registry is asked for the builder's images: `always`, `if-not-present` (in the store), `never`, `hourly`, `daily`, `weekly` or
    /// `interval=5d4h2m` [default: if-not-present, or the configuration's].
    #[arg(long, value_name = "POLICY")]
    pull_policy: Option<Pull>,
    #[command(flatten)]
    registries: super::registries::Reach,
    /// Also write the image to `oci:DIR[:TAG]`, `docker-archive:FILE`, `docker[:NAME]` (an engine) or `docker://NAME` (a registry); repeatable.
    #[arg(long, value_name = "PLACE")]
    output: Vec<String>,
    /// Also load the image into the engine, as `--output docker`.
    #[arg(long)]
    docker: bool,
    /// Another name for the image; repeatable.
    #[arg(long, short, value_name = "IMAGE", value_delimiter = ',')]
    tag: Vec<String>,
    /// Send the image to the registries that its names name.
    #[arg(long)]
    publish: bool,
    /// Image that this one replaces, whose layers are reused, instead of the one of its name: its name, `docker:NAME` or `oci:DIR[:TAG]`.
    #[arg(long, value_name = "PLACE")]
    previous_image: Option<String>,
    /// Where is kept what the build caches, instead of the store: `type=build;format=bind;source=DIR`, `type=build;format=volume;name=NAME` (a
    /// place in the store that several images may share) or `type=build;format=image;name=IMAGE`; repeatable.
    #[arg(long, value_name = "CACHE")]
    cache: Vec<String>,
    /// Image of a registry that keeps what the build caches, instead of the store; of several platforms each has one, as `NAME:TAG-linux-arm64`.
    #[arg(long, value_name = "IMAGE")]
    cache_image: Option<String>,
    /// Process that the image starts by default.
    #[arg(long, short = 'D', value_name = "TYPE")]
    default_process: Option<String>,
    /// Forget what earlier builds of this image cached.
    #[arg(long)]
    clear_cache: bool,
    /// Time of creation of the image: `now`, seconds since 1970, or a time as `2026-01-31T12:00:00Z` [default: $SOURCE_DATE_EPOCH, or 1980].
    #[arg(long, value_name = "TIME")]
    creation_time: Option<String>,
    /// Folder to write the build's SBOM files into.
    #[arg(long, value_name = "DIR")]
    sbom_output_dir: Option<PathBuf>,
    /// Folder to write `report.toml` into, which has the names and the digest of the image.
    #[arg(long, value_name = "DIR")]
    report_output_dir: Option<PathBuf>,
    /// Folder to copy what buildpacks wrote into, for people who write them: documents, environments, and the names of all files of layers.
    #[arg(long, value_name = "DIR")]
    documents_output_dir: Option<PathBuf>,
    #[command(flatten)]
    attaching: super::attaching::Attestations,
    #[command(flatten)]
    sandbox: sandbox::Sandbox,
    #[command(flatten)]
    mirrors: super::builder::Mirrors,
    #[command(flatten)]
    needless: needless::Needless,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let store = session.store()?;
        let opened = self.inputs.open(&store, session.output)?;
        let Some(image) = self.image.as_ref().filter(|_| !self.inputs.list_inputs) else {
            return self.inputs.list(&opened, session, &store);
        };
        self.needless.say(session.output, self.sandbox.has_volumes())?;
        let outputs = self.outputs()?;
        let is_sent = self.publish || outputs.iter().any(|place| matches!(place, Place::Registry(_)));
        let attaching = self.attaching.open(is_sent)?;
        let (registries, config) = self.registries.open()?;
        let trust = config.trust()?;
        let pull = self.pull_policy.or(config.pull).unwrap_or_default();
        let inputs::Opened { source, project, rules, exec_env } = opened;
        let builder = self.builder.or_else(|| project.builder.clone()).or_else(|| config.default_builder.clone());
        let builder = builder.unwrap_or_else(|| default_name().into());
        let image = named(image, &builder, self.inputs.path.is_some(), session)?;
        let trusted = is_built_in(&builder) || config.trusts(&builder) || self.needless.trust_builder;
        let request = Request {
            tags: self.tag.iter().map(|tag| Reference::parse_new(tag)).collect::<Result<_>>()?,
            project: project::metadata(&project, source.folder(), session.output),
            source,
            rules,
            buildpack_registry: self.modules.registry(&config)?,
            builder: Wanted {
                run_image: self.run_image.as_deref().map(Place::parse).transpose()?,
                run_images: config.run_images,
                near: if self.publish { Some(image.registry().to_string()) } else { registry_of(&builder) },
                builder,
                platform: None,
                locks: None,
            },
            platforms: platforms(&self.platform)?,
            choice: self.modules.choice(&project)?,
            environment: self.inputs.environment(&project)?,
            exec_env,
            outputs,
            default_process: self.default_process,
            cache: kept_in(&self.cache, self.cache_image.as_deref())?,
            clear_cache: self.clear_cache,
            volumes: self.sandbox.volumes(trusted, session.output)?,
            user: self.sandbox.user()?,
            workspace: self.sandbox.workspace()?,
            engine: crate::daemon::Settings::read(|name| self.sandbox.engine_variable(name)),
            network: if session.offline { Network::None } else { self.sandbox.network },
            host: crate::platform::host::Host::read(|name| std::env::var_os(name), !self.sandbox.no_host_config)?,
            mirrors: self.mirrors.read()?,
            attaching,
            publish: self.publish,
            previous_image: self.previous_image.as_deref().map(Place::parse).transpose()?,
            trust,
            registries: registries.into(),
            pull: if session.offline { Pull::Never } else { pull },
            source_date_epoch: match &self.creation_time {
                Some(time) => Some(creation_time(time)?),
                None => std::env::var("SOURCE_DATE_EPOCH").ok(),
            },
            sbom_output: self.sbom_output_dir,
            report_output: self.report_output_dir,
            documents_output: self.documents_output_dir,
            image,
        };
        let built = build::build(&request, &store, session.output)?;
        if session.output.verbosity() == crate::output::Verbosity::Quiet {
            session.print(&built.digest.to_string())?;
        } else {
            build::report(&request, &built, session.output);
        }
        Ok(0)
    }

    fn outputs(&self) -> Result<Vec<Place>> {
        let mut outputs: Vec<Place> = self.output.iter().map(|place| Place::parse_output(place)).collect::<Result<_>>()?;
        if self.docker && !outputs.contains(&Place::Engine(None)) {
            outputs.push(Place::Engine(None));
        }
        Ok(outputs)
    }
}

/// The registry of a builder's image.
fn registry_of(builder: &str) -> Option<String> {
    match Place::parse(builder) {
        Ok(Place::Name(name) | Place::Registry(name)) if name.has_host() => Some(name.registry().to_string()),
        _ => None,
    }
}

/// Each platform once.
fn platforms(texts: &[String]) -> Result<Vec<Platform>> {
    let parsed: BTreeSet<Platform> = texts.iter().map(|text| text.parse()).collect::<Result<_>>()?;
    Ok(parsed.into_iter().collect())
}

/// The name of the image, which must not be the builder's (CLI-09).
fn named(image: &str, builder: &str, with_path: bool, session: &Session) -> Result<Reference> {
    let is_folder = !with_path && std::path::Path::new(image).is_dir();
    let name = Reference::parse_new(image);
    let name = if is_folder { name.hint(format!("if that is the source, write `cooper build NAME --path {image}`"))? } else { name? };
    if is_folder {
        session
            .output
            .warn(&format!("the image is called `{image}`, as a folder here is; if that is the source, name it with `--path {image}`"));
    }
    match Place::parse(builder) {
        Ok(Place::Name(other) | Place::Registry(other) | Place::Store(other) | Place::Engine(Some(other)))
            if other.registry() == name.registry() && other.repository() == name.repository() =>
        {
            Err(Error::new("it is the builder's")).context(|| format!("cannot call the image `{image}`")).hint("choose another name")
        }
        _ => Ok(name),
    }
}
