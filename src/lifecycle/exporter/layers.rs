//! Which layers an image gets above its run image, and in which order.

use super::buildpack_layers::{self, Found, Previous};
use super::make::{Job, Known, find};
use super::{Export, sbom, slices};
use crate::error::{Error, Result};
use crate::lifecycle::documents::layers_metadata::LayersMetadata;
use crate::lifecycle::layer::{Contents, inside};
use crate::store::Store;
use launcher::api::Api;

/// A layer of the lifecycle itself, as messages call it.
pub const LAUNCHER_ID: &str = "buildpacksio/lifecycle:launcher";
/// A layer of the lifecycle itself, as messages call it.
pub const CONFIG_ID: &str = "buildpacksio/lifecycle:config";
/// A layer of the lifecycle itself, as messages call it.
pub const PROCESS_TYPES_ID: &str = "buildpacksio/lifecycle:process-types";
/// A layer of the lifecycle itself, as messages call it.
pub const SBOM_ID: &str = "buildpacksio/lifecycle:launch.sbom";

/// EXP-05: buildpack layers, SBOM, app, launcher, configuration, process types.
pub fn jobs<'a>(request: &'a Export, found: &[Found], previous: &Previous, store: &Store) -> Result<Vec<Job<'a>>> {
    let mut jobs = Vec::new();
    for buildpack in found {
        for layer in buildpack.layers.iter().filter(|layer| layer.metadata.launch) {
            jobs.push(buildpack_layers::job(request, buildpack, layer, previous, store)?);
        }
    }
    let before = |sha: &str| find(previous, sha, store).map_or(Known::Nothing, Known::Previous);
    let folder = |id: &str, name: &str, created_by: &str, known| Job {
        id: id.into(),
        created_by: created_by.into(),
        contents: Contents::Folder {
            on_disk: request.folders.layers.join(name),
            in_image: format!("{}/{name}", request.folders.layers_in_image),
            parents: request.folders.parents(&request.folders.layers_in_image),
        },
        known,
        cached: false,
    };
    let metadata = &previous.metadata;
    if request.platform_api >= Api::new(0, 8) && inside(&request.folders.layers, sbom::LAUNCH)?.is_dir() {
        let known = before(metadata.sbom.as_ref().map_or("", |sbom| &sbom.sha));
        jobs.push(folder(SBOM_ID, sbom::LAUNCH, "Software Bill-of-Materials", known));
    }
    jobs.extend(app_jobs(request, metadata, &before)?);
    jobs.push(Job {
        id: LAUNCHER_ID.into(),
        created_by: "Buildpacks Application Launcher".into(),
        contents: Contents::Launcher(request.launcher.program),
        known: before(&metadata.launcher.sha),
        cached: false,
    });
    jobs.push(folder(CONFIG_ID, "config", "Buildpacks Launcher Config", before(&metadata.config.sha)));
    let process_types = process_types(request);
    if let Some(kind) = process_types.iter().find(|kind| kind.is_empty() || kind.contains(['/', '>', '<', ':', '|', '&', '\\'])) {
        // BLD-19: metadata.toml may be anybody's.
        return Err(Error::new(format!("`{kind}` cannot be the type of a process, because it names a link")));
    }
    if !process_types.is_empty() {
        jobs.push(Job {
            id: PROCESS_TYPES_ID.into(),
            created_by: "Buildpacks Process Types".into(),
            contents: Contents::ProcessTypes(process_types),
            known: before(&metadata.process_types.sha),
            cached: false,
        });
    }
    Ok(jobs)
}

pub fn process_types(request: &Export) -> Vec<String> {
    request.metadata.processes.iter().map(|process| process.kind.clone()).collect()
}

/// SLC-01, SLC-09: one layer for each slice, one for the rest.
fn app_jobs<'a>(request: &'a Export, before: &LayersMetadata, known: &dyn Fn(&str) -> Known) -> Result<Vec<Job<'a>>> {
    let folders = request.folders;
    let patterns: Vec<Vec<String>> = request.metadata.slices.iter().map(|slice| slice.paths.clone()).collect();
    let files = match patterns.is_empty() {
        true => vec![None],
        false => slices::divide(&folders.app, &folders.app_in_image, &patterns)?.into_iter().map(Some).collect(),
    };
    let earlier = before.app.as_deref().unwrap_or_default();
    let jobs = files.into_iter().enumerate().map(|(index, files)| Job {
        id: format!("slice-{}", index + 1),
        created_by: if patterns.is_empty() { "Application Layer".into() } else { format!("Application Slice: {}", index + 1) },
        contents: Contents::Slice {
            on_disk: &folders.app,
            in_image: &folders.app_in_image,
            files,
            parents: folders.parents(&folders.app_in_image),
        },
        known: earlier.get(index).map_or(Known::Nothing, |layer| known(&layer.sha)),
        cached: false,
    });
    Ok(jobs.collect())
}

pub fn is_app(job: &Job) -> bool {
    matches!(job.contents, Contents::Slice { .. })
}
