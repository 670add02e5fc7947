//! The restorer as a program.

use super::privileges::become_user;
use super::{Inputs, Phase, caches, images, read, registries, run_image, scratch, write};
use crate::buildpack::GroupDocument;
use crate::error::{Context, Error, Result};
use crate::image::Digest;
use crate::lifecycle::analyzer;
use crate::lifecycle::cache::Cache;
use crate::lifecycle::documents::analyzed::Analyzed;
use crate::lifecycle::images::{Found, Images, Registry, sparse};
use crate::lifecycle::restorer::{self, Extent, Restore, Restored};
use crate::store::Store;
use launcher::api::Api;
use launcher::file::read_document;
use std::io::ErrorKind;
use std::path::Path;

/// Restores layers and their metadata, and writes what is known of the run image now.
pub(super) fn run(inputs: &Inputs, phase: &Phase) -> Result<()> {
    inputs.images(0..=0)?;
    let (layers, cache_folder) = (inputs.path("layers"), inputs.optional_path("cache-dir"));
    let engine = images::connect(inputs)?;
    let registries = registries::open(inputs, phase)?;
    phase.ensure_privileges(|| become_user(inputs.owner(), &[Some(&layers), cache_folder.as_deref(), Some(Path::new("/kaniko"))]))?;
    let group = GroupDocument::parse(&read(&inputs.path("group"), "group")?).context(|| "failed to read group file")?;
    super::exporter::check_apis(&group)?;
    let analyzed_path = inputs.path("analyzed");
    let cache = caches::open(inputs, phase, &registries)?;
    let mut analyzed = read_analyzed(&analyzed_path, phase);
    // The extender needs what only registries know, wherever the app goes (RES-15, RES-17).
    let bases = if inputs.is_on("layout") { None } else { Some(Images::Registry(Registry::new(registries.clone()))) };
    let images = images::open(engine, inputs, phase, &registries)?;
    let bases = bases.as_ref().unwrap_or(&images);
    complete_build_image(&mut analyzed, bases, inputs)?;
    extend_run_image(&mut analyzed, bases, inputs)?;
    complete_run_image(&mut analyzed, &group, &images, inputs, phase)?;
    write(&analyzed_path, &analyzed.to_toml()?)?;
    restore(&group, &analyzed, cache.as_deref(), inputs, phase).map(drop)
}

/// What the analyzer found; nothing where its file is missing or damaged (RES-21, RES-22).
fn read_analyzed(path: &Path, phase: &Phase) -> Analyzed {
    let unusable = match read_document(path) {
        Ok(text) => match Analyzed::parse(&text) {
            Ok(analyzed) => return analyzed,
            Err(error) => format!("Not using analyzed data, usable file not found: failed to read analyzed file: {error}"),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => format!("No analyzed metadata found at path \"{}\"", path.display()),
        Err(error) => format!("Not using analyzed data, usable file not found: failed to read analyzed file: {error}"),
    };
    phase.output.warn(&unusable);
    Analyzed::default()
}

/// Restores what a group left, with the cache that was opened.
///
/// # Errors
/// When the layers folder cannot be written (exit code 42).
pub(super) fn restore(
    group: &GroupDocument,
    analyzed: &Analyzed,
    cache: Option<&dyn Cache>,
    inputs: &Inputs,
    phase: &Phase,
) -> Result<Restored> {
    let layers = inputs.path("layers");
    let request = Restore {
        layers: &layers,
        group: &group.group,
        metadata: &analyzed.metadata,
        previous: None,
        cache,
        platform_api: inputs.api,
        owner: None,
        extent: if inputs.is_on("skip-layers") || inputs.is_on("skip-restore") { Extent::StoreOnly } else { Extent::Everything },
    };
    let scratch = scratch(inputs)?;
    let store = Store::open_passing(scratch.path())?;
    phase.timed("Restorer", || restorer::restore(&request, &store, phase.output))
}

/// RES-15, RES-16: the extender wants to know the build image, and cannot ask for it.
fn complete_build_image(analyzed: &mut Analyzed, images: &Images, inputs: &Inputs) -> Result<()> {
    let Some(name) = inputs.text("build-image").filter(|_| inputs.api >= Api::new(0, 10)) else { return Ok(()) };
    let found = images.find(&name).and_then(|found| found.context(|| "there is no such image"));
    let found = found.context(|| format!("failed to pull builder image {name}"))?;
    keep_base(&found, images)?;
    analyzed.build_image = Some(found.identifier);
    Ok(())
}

/// Leaves manifest and configuration of an image, byte for byte, where the extender looks for them. Without `/kaniko` nobody will look.
fn keep_base(found: &Found, images: &Images) -> Result<()> {
    let kaniko = Path::new("/kaniko");
    if !kaniko.is_dir() {
        return Ok(());
    }
    let raw = images.raw(found)?;
    let folder = Path::new(super::extender::BASE_IMAGES).join(Digest::of(&raw.manifest).as_str());
    sparse::write(&folder, &raw, &[])
}

/// RES-17.
fn extend_run_image(analyzed: &mut Analyzed, images: &Images, inputs: &Inputs) -> Result<()> {
    let wanted = analyzed.run_image.as_mut().filter(|image| image.extend && inputs.api >= Api::new(0, 12));
    let Some(run_image) = wanted else { return Ok(()) };
    let name = if run_image.image.is_empty() { run_image.reference.clone() } else { run_image.image.clone() };
    let found = images.find(&name).and_then(|found| found.context(|| "there is no such image"));
    let found = found.context(|| format!("failed to pull run image {name}"))?;
    keep_base(&found, images)?;
    run_image.reference.clone_from(&found.identifier);
    run_image.target = Some(analyzer::target(&found.image)?);
    Ok(())
}

/// RES-18, RES-19: what an extension switched to is looked at; one of the builder's own must be readable.
fn complete_run_image(analyzed: &mut Analyzed, group: &GroupDocument, images: &Images, inputs: &Inputs, phase: &Phase) -> Result<()> {
    let Some(run_image) = &mut analyzed.run_image else { return Ok(()) };
    let name = if run_image.image.is_empty() { run_image.reference.clone() } else { run_image.image.clone() };
    if inputs.api >= Api::new(0, 14) {
        let offered = run_image::offered(inputs, phase)?;
        if offered.images.iter().any(|entry| entry.contains(&name)) && !images.can_read(&name) {
            return Err(Error::new(format!("selected run image '{name}' is not accessible")));
        }
    }
    if inputs.api < Api::new(0, 10) || group.extensions.is_empty() || run_image.target.is_some() {
        return Ok(());
    }
    let found = images.find(&name)?.context(|| format!("get run image {name}"))?;
    run_image.reference.clone_from(&found.identifier);
    if inputs.api >= Api::new(0, 12) {
        run_image.target = Some(analyzer::target(&found.image)?);
    }
    Ok(())
}
