//! The extender as a program, for root in a container of the image that it extends.

use super::privileges::{become_user, with_home};
use super::{BAD_ARGUMENT, Inputs, Phase, builder, read};
use crate::buildpack::GroupDocument;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Image};
use crate::lifecycle::documents::analyzed::Analyzed;
use crate::lifecycle::extender::host::{Host, refuse_outside_container};
use crate::lifecycle::extender::{self, Extend, Kind, Steps, duration};
use crate::lifecycle::images::Layouts;
use crate::lifecycle::images::sparse::{self, Raw};
use crate::lifecycle::log::Level;
use crate::store::Store;
use launcher::api::Api;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// Exit code of an extender that fails (EXIT-06).
const EXTEND_WENT_WRONG: u8 = 102;
/// Where the restorer leaves base images, by digest (EXT-02).
pub(super) const BASE_IMAGES: &str = "/kaniko/cache/base";
/// Where results of instructions are kept.
const RESULTS: &str = "/kaniko/cache/cooper";
/// IN-33.
const KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Extends the build image and builds in it, or extends the run image (EXT-01, EXT-09, EXT-11).
pub(super) fn run(inputs: &Inputs, phase: &Phase) -> Result<()> {
    inputs.images(0..=0)?;
    let kind = kind(inputs)?;
    let extended = extend(kind, inputs, phase).context(|| format!("failed to extend {} image", kind.name()));
    let (image, base) = extended.map_err(|error| if error.exit_code() == 1 { error.code(EXTEND_WENT_WRONG) } else { error })?;
    match kind {
        Kind::Build => build(&image, inputs, phase),
        Kind::Run => save(&image, base, inputs).code(EXTEND_WENT_WRONG),
    }
}

/// IN-32.
fn kind(inputs: &Inputs) -> Result<Kind> {
    match inputs.text("kind").filter(|_| inputs.api >= Api::new(0, 12)).as_deref() {
        None | Some("build") => Ok(Kind::Build),
        Some("run") => Ok(Kind::Run),
        Some(other) => {
            Err(Error::new(format!("`{other}` is no kind of image")).code(BAD_ARGUMENT).hint("give `-kind build` or `-kind run`"))
        }
    }
}

/// Returns the extended image, and how many of its layers are the base's.
fn extend(kind: Kind, inputs: &Inputs, phase: &Phase) -> Result<(Image, usize)> {
    phase.ensure_privileges(|| refuse_outside_container(phase.environment))?;
    let analyzed = Analyzed::parse(&read(&inputs.path("analyzed"), "analyzed")?).context(|| "failed to read analyzed file")?;
    let group = GroupDocument::parse(&read(&inputs.path("group"), "group")?).context(|| "failed to read group file")?;
    super::exporter::check_apis(&group)?;
    let reference = match kind {
        Kind::Build => analyzed.build_image,
        Kind::Run => analyzed.run_image.map(|image| image.reference),
    };
    let reference = reference.unwrap_or_default();
    let base = base_image(&reference).context(|| format!("getting {} image to extend", kind.name()))?;
    let (app, layers, platform) = (inputs.path("app"), inputs.path("layers"), inputs.path("platform"));
    let dockerfiles = extender::find(kind, &group.extensions, &inputs.path("generated"), &app, inputs.api)?;
    let store = Store::open(Path::new(RESULTS))?;
    let longest = inputs.text("kaniko-cache-ttl").and_then(|text| duration(&text)).unwrap_or(KEPT);
    let steps = Steps { store: &store, longest };
    steps.forget_old()?;
    let log = |level: Level, line: &str| phase.log(level, line);
    let mut root = Host::new(&store, &[app, layers, platform], &log)?;
    let proxies = proxies(phase);
    let request = Extend { kind, dockerfiles: &dockerfiles, image: &base, reference: &reference, proxies: &proxies, steps };
    std::env::set_current_dir("/").context(|| "cannot enter `/`")?;
    let extended = phase.timed("Extender", || extender::extend(&request, &mut root, &log))?;
    Ok((extended, base.layers.len()))
}

/// EXT-02.
fn base_image(reference: &str) -> Result<Image> {
    let digest = reference.split_once('@').and_then(|(_, digest)| Digest::parse(digest).ok());
    let digest = digest.context(|| format!("failed to get digest for reference '{reference}'"))?;
    let found = Layouts::new(BASE_IMAGES.into()).find(&format!("{BASE_IMAGES}/{digest}@{digest}"))?;
    Ok(found.context(|| format!("`{BASE_IMAGES}/{digest}` is not there")).hint("the restorer makes it, where `/kaniko` is mounted")?.image)
}

fn proxies(phase: &Phase) -> Vec<(String, String)> {
    let text = |(name, value): &(OsString, OsString)| Some((name.to_str()?.to_string(), value.to_str()?.to_string()));
    let variables = phase.environment.iter().filter_map(text);
    variables.filter(|(name, _)| name.to_ascii_lowercase().ends_with("_proxy")).collect()
}

/// EXT-09, EXT-10.
fn build(image: &Image, inputs: &Inputs, phase: &Phase) -> Result<()> {
    let mut environment: Vec<(OsString, OsString)> = phase.environment.to_vec();
    for (name, value) in image.config.config.env.iter().flatten().filter_map(|line| line.split_once('=')) {
        environment.retain(|(known, _)| known != name);
        environment.push((name.into(), value.into()));
    }
    become_user(inputs.owner(), &[Some(&inputs.path("layers"))])?;
    let environment = with_home(&environment, inputs.owner())?;
    super::detector::refuse_root("build")?;
    builder::build(inputs, &Phase { output: phase.output, environment: &environment })
}

/// EXT-11.
fn save(image: &Image, base: usize, inputs: &Inputs) -> Result<()> {
    let documents = image.documents();
    let folder = inputs.path("extended").join("run").join(documents.descriptor.digest.as_str());
    let raw = Raw { manifest: documents.manifest, config: documents.config };
    let store = Store::open(Path::new(RESULTS))?;
    let layers: Vec<_> = image.layers[base..].iter().map(|layer| (layer, store.blob_path(&layer.blob.digest))).collect();
    sparse::write(&folder, &raw, &layers)
}
