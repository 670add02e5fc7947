//! The exporter as a program.

use super::privileges::become_user;
use super::sboms::sboms;
use super::{BAD_ARGUMENT, Inputs, Phase, caches, images, read, registries, run_image, scratch, write};
use crate::buildpack::{Api, BomBuildpack, BomEntry, BuildMetadata, GroupDocument, bom, escape_id};
use crate::error::{Advice, Context, Error, Result};
use crate::lifecycle::cache::Cache;
use crate::lifecycle::documents::analyzed::Analyzed;
use crate::lifecycle::documents::build_metadata::LauncherMetadata;
use crate::lifecycle::documents::project_metadata::ProjectMetadata;
use crate::lifecycle::documents::report::{BuildReport, Report};
use crate::lifecycle::exporter::extended::{self, Configuration, Onto};
use crate::lifecycle::exporter::{self, Blobs, Destination, Export, Exported, Folders, Launcher, Place, RunImage};
use crate::lifecycle::images::{Found, Images};
use crate::lifecycle::layer::inside;
use crate::lifecycle::restorer::Restored;
use crate::store::Store;
use launcher::api::BUILDPACK;
use launcher::file::{self, read_document};
use std::io::ErrorKind;
use std::path::Path;

/// Exit codes (EXIT-01, EXIT-06).
const INCOMPATIBLE_BUILDPACK: u8 = 12;
const EXPORT_WENT_WRONG: u8 = 62;
/// No launcher is larger: it is in every image.
const LARGEST_LAUNCHER: u64 = 64 << 20;

/// Makes the image, saves it, and keeps what the next build wants.
pub(super) fn run(inputs: &Inputs, phase: &Phase) -> Result<()> {
    inputs.warn_of_late_flags(phase);
    let names = inputs.images(1..)?;
    let names = images::output_names(&names, inputs)?;
    for flag in ["run-image", "image"] {
        if inputs.flag_text(flag).is_some() {
            // IN-25.
            return Err(Error::new(format!("failed to resolve inputs: -{flag} is unsupported"))).code(BAD_ARGUMENT);
        }
    }
    let analyzed = read(&inputs.path("analyzed"), "analyzed").and_then(|text| Analyzed::parse(&text));
    let analyzed = analyzed.context(|| "failed to resolve inputs").code(BAD_ARGUMENT)?;
    analyzed.required_run_image().context(|| "failed to resolve inputs")?;
    let group = GroupDocument::parse(&read(&inputs.path("group"), "group")?).context(|| "failed to read group file")?;
    check_apis(&group)?;
    let (cache_folder, launch_cache) = (inputs.optional_path("cache-dir"), inputs.optional_path("launch-cache"));
    let engine = images::connect(inputs)?;
    let registries = registries::open(inputs, phase)?;
    phase.ensure_privileges(|| become_user(inputs.owner(), &[cache_folder.as_deref(), launch_cache.as_deref()]))?;
    let images = images::open(engine, inputs, phase, &registries)?;
    let mut cache = caches::open(inputs, phase, &registries)?;
    if cache.is_none() && inputs.is_on("parallel") {
        phase.output.warn("Parallel export has been enabled, but it has not taken effect because no cache has been specified.");
    }
    let made = Made { group: &group, analyzed: &analyzed, restored: &Restored::new(), names: &names };
    export(&made, &images, cache.as_deref_mut(), inputs, phase)
}

/// What the phases before left for the export.
pub(super) struct Made<'a> {
    pub group: &'a GroupDocument,
    pub analyzed: &'a Analyzed,
    pub restored: &'a Restored,
    pub names: &'a [crate::image::Reference],
}

/// Exports, saves, writes the report, and fills the cache.
pub(super) fn export(made: &Made, images: &Images, cache: Option<&mut (dyn Cache + '_)>, inputs: &Inputs, phase: &Phase) -> Result<()> {
    let scratch = scratch(inputs)?;
    let store = Store::open_passing(scratch.path())?;
    let run_image = made.analyzed.required_run_image()?;
    let find = |name: &str| images.find(name).code(EXPORT_WENT_WRONG);
    let run = find(&run_image.reference)?
        .context(|| format!("the run image `{}` does not exist", run_image.reference))
        .code(EXPORT_WENT_WRONG)?;
    let previous = made.analyzed.previous_image.as_deref().map(find).transpose()?.flatten();
    if let Some(previous) = &previous {
        phase.output.line(&format!("Reusing layers from image '{}'", images.spoken(previous)));
    }
    let below = Below { run: &run, previous: previous.as_ref(), blobs: images.blobs(), destination: images.destination(made.names) };
    let exported = phase.timed("Exporter", || export_image(made, &below, cache.as_deref(), &store, inputs, phase))?;
    let sources: Vec<&Found> = std::iter::once(&run).chain(&previous).collect();
    let save = || images.save(&exported.image, made.names, &sources, &store, phase.output).code(EXPORT_WENT_WRONG);
    let image = match cache {
        Some(cache) if inputs.is_on("parallel") => at_once(save, || keep(cache, &exported, &store, phase))?,
        Some(cache) => {
            let image = save()?;
            keep(cache, &exported, &store, phase);
            image
        }
        None => save()?,
    };
    let build = if inputs.api < Api::new(0, 9) { Some(BuildReport { bom: build_bom(made.group, inputs)? }) } else { None };
    write(&inputs.path("report"), &Report { build, image }.to_toml()?)
}

/// EXP-37: a cache that cannot be kept costs the next build time, not this one its success.
fn keep(cache: &mut dyn Cache, exported: &Exported, store: &Store, phase: &Phase) {
    if let Err(error) = phase.timed("Cache", || cache.commit(&exported.cache, store, phase.output)) {
        phase.output.warn(&format!("Failed to export cache: {error:?}"));
    }
}

/// IN-30: saves the image while the cache is kept.
fn at_once<T: Send>(save: impl FnOnce() -> Result<T> + Send, keep: impl FnOnce()) -> Result<T> {
    std::thread::scope(|scope| {
        let saved = scope.spawn(save);
        keep();
        saved.join().unwrap_or_else(|_| Err(Error::new("saving the image ended unexpectedly")))
    })
}

/// The images that the new one is made with.
struct Below<'a> {
    run: &'a Found,
    previous: Option<&'a Found>,
    blobs: Blobs,
    destination: Option<Destination<'a>>,
}

fn export_image(made: &Made, below: &Below, cache: Option<&dyn Cache>, store: &Store, inputs: &Inputs, phase: &Phase) -> Result<Exported> {
    let layers = inputs.path("layers");
    let text = read(&inside(&layers, "config/metadata.toml")?, "build metadata")?;
    let metadata: BuildMetadata = toml::from_str(&text).context(|| "cannot read metadata.toml").code(EXPORT_WENT_WRONG)?;
    let bom: Bom = toml::from_str(&text).context(|| "cannot read metadata.toml").code(EXPORT_WENT_WRONG)?;
    let offered = run_image::offered(inputs, phase)?;
    let named = made.analyzed.run_image.as_ref().map_or("", |image| image.image.as_str());
    let names = offered.names_for_export(named, !made.group.extensions.is_empty());
    let program = inputs.path("launcher");
    let program = file::read(&program, LARGEST_LAUNCHER).context(|| format!("cannot read the launcher `{}`", program.display()))?;
    let in_image = |name: &str| inputs.path(name).display().to_string();
    let folders = Folders {
        layers_in_image: in_image("layers"),
        layers,
        app_in_image: in_image("app"),
        app: inputs.path("app"),
        place: Place::AsInImage,
    };
    let process_type = inputs.text("process-type");
    let extended = extended_run_image(made.analyzed, below, store, inputs, phase)?;
    let request = Export {
        folders: &folders,
        owner: inputs.owner(),
        group: &made.group.group,
        metadata: &metadata,
        bom: &bom.bom,
        platform_api: inputs.api,
        run_image: RunImage { image: &below.run.image, reference: below.run.identifier.clone(), names, extended: extended.as_ref() },
        previous: below.previous.map(|found| &found.image),
        previous_blobs: below.blobs,
        destination: below.destination,
        fetch: None,
        restored: made.restored,
        cache,
        launcher: Launcher {
            program: &program,
            metadata: LauncherMetadata { version: env!("CARGO_PKG_VERSION").into(), ..LauncherMetadata::default() },
            sboms: &sboms(inputs, phase)?,
        },
        project: &project(inputs)?,
        process_type: process_type.as_deref(),
        exec_env: &inputs.exec_env()?,
        created: created(inputs, phase),
    };
    exporter::export(&request, store, phase.output)
}

/// The run image with what extensions made of it, where they did (EXP-02, EXP-03, EXP-43).
fn extended_run_image(
    analyzed: &Analyzed,
    below: &Below,
    store: &Store,
    inputs: &Inputs,
    phase: &Phase,
) -> Result<Option<crate::image::Image>> {
    if inputs.api < Api::new(0, 12) {
        return Ok(None);
    }
    let wanted = analyzed.run_image.as_ref().is_some_and(|image| image.extend);
    let Some(found) = extended::read(&inputs.path("extended")).code(EXPORT_WENT_WRONG)? else {
        let missing =
            || Err(Error::new("missing extended run image").code(EXPORT_WENT_WRONG).hint("the extender with `-kind run` makes it"));
        return if wanted { missing() } else { Ok(None) };
    };
    if inputs.api < Api::new(0, 13) {
        phase.allow_experimental(inputs, "Dockerfiles")?;
    }
    let configuration = if wanted { Configuration::Extended } else { Configuration::RunImage };
    let onto = Onto { run_image: &below.run.image, configuration, blobs: below.blobs };
    found.on(&onto, store, phase.output).map(Some).code(EXPORT_WENT_WRONG)
}

#[derive(serde::Deserialize)]
struct Bom {
    #[serde(default)]
    bom: Vec<BomEntry>,
}

fn created(inputs: &Inputs, phase: &Phase) -> Option<i64> {
    let value = inputs.environment_text("SOURCE_DATE_EPOCH").filter(|_| inputs.api >= Api::new(0, 9));
    exporter::source_date_epoch(value.as_deref(), phase.output)
}

/// EXP-40.
fn project(inputs: &Inputs) -> Result<ProjectMetadata> {
    let path = inputs.path("project-metadata");
    match read_document(&path) {
        Ok(text) => ProjectMetadata::parse(&text).context(|| format!("failed to read `{}`", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(ProjectMetadata::default()),
        Err(error) => Err(error).context(|| format!("failed to read `{}`", path.display())),
    }
}

/// EXP-35.
fn build_bom(group: &GroupDocument, inputs: &Inputs) -> Result<Vec<BomEntry>> {
    let mut all = Vec::new();
    for buildpack in &group.group {
        let path = inside(&inputs.path("layers"), Path::new(&escape_id(&buildpack.id)).join("build.toml"))?;
        let text = match read_document(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error).context(|| format!("cannot read `{}`", path.display())),
        };
        all.extend(bom(&text, &BomBuildpack { id: buildpack.id.clone(), version: buildpack.version.clone() })?);
    }
    Ok(all)
}

/// API-07: each member of the group must speak a Buildpack API that this program speaks.
///
/// # Errors
/// When one does not (exit code 12).
pub(super) fn check_apis(group: &GroupDocument) -> Result<()> {
    for member in group.group.iter().chain(&group.extensions) {
        if !Api::parse(&member.api).is_some_and(|api| BUILDPACK.contains(&api)) {
            return Err(Error::new(format!("buildpack API version '{}' is incompatible with the lifecycle", member.api)))
                .context(|| format!("failed to set API for Buildpack '{}@{}'", member.id, member.version))
                .code(INCOMPATIBLE_BUILDPACK);
        }
    }
    Ok(())
}
