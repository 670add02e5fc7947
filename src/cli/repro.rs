//! `cooper repro`: whether an image is what its source makes.

use super::registries::{Everywhere, Reach};
use super::{Format, Session};
use crate::attestation::provenance::Named;
use crate::daemon::Settings;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Platform, Reference};
use crate::platform::app::{Rules, Source};
use crate::platform::attest::{Attaching, keeping_place};
use crate::platform::build::{Request, kept_in};
use crate::platform::builder::{Choice, Options, Wanted};
use crate::platform::environment::Variable;
use crate::platform::host::Host;
use crate::platform::place::Place;
use crate::platform::project::{self, Project};
use crate::platform::pull::Pull;
use crate::platform::repro::{Comparison, LayerParting, Record, name_for, rebuild};
use crate::sandbox::Network;
use std::path::PathBuf;
use std::sync::Arc;

/// Exit code where the image is not what was built.
const DIFFERENT: u8 = 10;

/// Build an image once more from its provenance, and say whether it is the same to the bit.
#[derive(clap::Args)]
#[command(
    after_help = "The provenance beside the image names the builder, its exact packages and all options; the source is at hand, at the commit \
                        that the image was built from. The exit code is 10 where the images differ.\n\nExamples:\n  cooper repro \
                        registry.example/team/app:1\n  cooper repro registry.example/team/app:1 --path src --output json"
)]
pub struct Arguments {
    /// The image, in a registry or as `oci:DIR[:TAG]`.
    image: String,
    /// Folder with the source code, or a zip, jar or war file of one.
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    path: PathBuf,
    /// Variable of the build whose value the provenance does not have, as `NAME=VALUE`, or `NAME` to hand over this shell's value; repeatable.
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Of an image for several platforms, the one for this platform, as `linux/arm64`.
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Refuse a source that is not the one that the image was built from, instead of naming what differs in the image.
    #[arg(long)]
    same_source: bool,
    /// How to write what differs.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    registries: Reach,
    #[command(flatten)]
    mirrors: super::builder::Mirrors,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let everywhere = self.registries.everywhere(session)?;
        let platform = self.platform.clone().unwrap_or_else(Platform::here);
        let pull = if session.offline { Pull::Never } else { Pull::IfNotPresent };
        let images = everywhere.images(pull, &platform);
        let (opened, record) = images.record(&keeping_place(&self.image)?)?;
        let source = Source::open(&self.path, images.store)?;
        let project = Project::read(None, source.folder(), &record.asked.exec_env, session.output)?;
        let rules = Rules::read(source.folder(), project.include.as_deref(), project.exclude.as_deref())?;
        match record.check_source(&source, &rules, images.store, session.output) {
            Err(other) if !self.same_source => session.output.warn(&other.to_string()),
            checked => checked?,
        }
        let digest = opened.images().next().map(|(_, digest)| digest.clone()).context(|| "the index has no images")?;
        let request = self.request(name_for(&digest)?, &record, (source, &project, rules), &everywhere, session)?;
        let comparison = rebuild(&opened, &request, &images)?;
        match self.output {
            Format::Json => session.print_json(&comparison)?,
            Format::Text => session.print(&lines(&comparison).join("\n"))?,
        }
        Ok(if comparison.is_same() { 0 } else { DIFFERENT })
    }

    fn request(
        &self,
        image: Reference,
        record: &Record,
        (source, project, rules): (Source, &Project, Rules),
        everywhere: &Everywhere,
        session: &Session,
    ) -> Result<Request> {
        let asked = &record.asked;
        if !asked.volumes.is_empty() {
            return Err(Error::new(format!("the build saw folders of its machine at {}, which nobody recorded", asked.volumes.join(", "))));
        }
        let config = &everywhere.config;
        let given = Variable::collect(&[], &self.env, |name| std::env::var(name).ok())?;
        let platform: Platform = asked.platform.parse()?;
        let platforms = if platform == Platform::here() { Vec::new() } else { vec![platform] };
        Ok(Request {
            image,
            tags: Vec::new(),
            project: project::metadata(project, source.folder(), session.output),
            environment: record.environment(&project.environment, &given)?,
            choice: Choice::new(&options(&asked.buildpacks), project)?,
            source,
            rules,
            buildpack_registry: config.buildpack_registry(None)?,
            builder: Wanted {
                builder: record.builder(),
                run_image: Some(&asked.run_image).filter(|name| !name.is_empty()).map(|name| Place::parse(name)).transpose()?,
                run_images: config.run_images.clone(),
                near: None,
                platform: None,
                locks: record.locks.clone().map(Arc::new),
            },
            platforms,
            exec_env: asked.exec_env.clone(),
            outputs: Vec::new(),
            default_process: asked.default_process.clone(),
            cache: kept_in(&[], None)?,
            clear_cache: true,
            network: if session.offline || asked.network == "none" { Network::None } else { Network::Host },
            volumes: Vec::new(),
            user: user(asked.user.as_deref())?,
            workspace: asked.workspace.clone(),
            host: Host::read(|name| std::env::var_os(name), true)?,
            mirrors: self.mirrors.read()?,
            attaching: Attaching::default(),
            trust: config.trust()?,
            publish: false,
            previous_image: None,
            registries: everywhere.registries.clone(),
            pull: if session.offline { Pull::Never } else { Pull::IfNotPresent },
            engine: Settings::read(|name| std::env::var_os(name)),
            source_date_epoch: asked.creation_time.clone(),
            sbom_output: None,
            report_output: None,
            documents_output: None,
        })
    }
}

/// The buildpacks that were named.
fn options(named: &[Named]) -> Options {
    let of = |option: &str| named.iter().filter(|named| named.option == option).map(|named| named.value.clone()).collect();
    Options {
        buildpacks: of("buildpack"),
        pre: of("pre-buildpack"),
        post: of("post-buildpack"),
        extensions: of("extension"),
        without_system: named.iter().any(|named| named.option == "disable-system-buildpacks"),
    }
}

/// The user and group in `[UID]:[GID]`.
fn user(text: Option<&str>) -> Result<(Option<u32>, Option<u32>)> {
    let (user, group) = text.unwrap_or_default().split_once(':').unwrap_or_default();
    let number = |text: &str| if text.is_empty() { Ok(None) } else { text.parse().map(Some) };
    let parsed = number(user).and_then(|user| Ok((user, number(group)?)));
    parsed.context(|| "the provenance makes no sense").hint("its user is no pair of numbers")
}

fn lines(comparison: &Comparison) -> Vec<String> {
    let Comparison { digest, rebuilt, layers, config } = comparison;
    if comparison.is_same() {
        return vec![format!("the same to the bit: {digest}")];
    }
    let mut lines = vec![format!("the image is {digest}"), format!("built again {rebuilt}")];
    lines.extend(layers.iter().flat_map(of_layer));
    let value = |value: &Option<serde_json::Value>| value.as_ref().map_or("nothing".to_string(), serde_json::Value::to_string);
    lines.extend(config.iter().map(|change| format!("{}: {} -> {}", change.path, value(&change.from), value(&change.to))));
    lines
}

fn of_layer(layer: &LayerParting) -> Vec<String> {
    let LayerParting { index, created_by, from, to, first } = layer;
    let short = |digest: &Option<Digest>| digest.as_ref().map_or("nothing".to_string(), |digest| digest.hex()[..12].to_string());
    let why = match first {
        Some(first) => first.to_string(),
        None if from == to => "only compressed in another way".into(),
        None if from.is_none() || to.is_none() => "only one of the images has it".into(),
        None => "its tar is written in another way".into(),
    };
    vec![format!("layer {index}, {} -> {}: {created_by}", short(from), short(to)), format!("  {why}")]
}
