//! What an image says of itself in its labels.

use super::Export;
use super::buildpack_layers::Found;
use super::layers::{CONFIG_ID, LAUNCHER_ID, PROCESS_TYPES_ID, SBOM_ID, is_app};
use super::make::{Job, Made};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::lifecycle::documents::build_metadata::BuildMetadataLabel;
use crate::lifecycle::documents::layers_metadata::{LayerSha, LayersMetadata, RunImageMetadata, Stack, StackRunImage};
use crate::lifecycle::documents::{BUILD_METADATA_LABEL, EXEC_ENV_LABEL, LIFECYCLE_METADATA_LABEL, PROJECT_METADATA_LABEL};
use crate::output::Output;
use launcher::api::Api;

/// What the label will say: the digests of the layers that were made, each under its name.
pub fn metadata(request: &Export, found: &[Found], jobs: &[Job], made: &[Made]) -> Result<LayersMetadata> {
    let sha = |id: &str| {
        let place = jobs.iter().position(|job| job.id == id);
        place.and_then(|place| made.get(place)).map(|made| made.layer.diff_id.to_string())
    };
    let one = |id: &str| LayerSha { sha: sha(id).unwrap_or_default() };
    let buildpacks = found.iter().map(|buildpack| {
        let launch = buildpack.layers.iter().filter(|layer| layer.metadata.launch);
        let mut entry = buildpack.metadata.clone();
        entry.layers = launch
            .map(|layer| {
                let mut metadata = layer.metadata.clone();
                metadata.sha = sha(&layer.id).unwrap_or_default();
                (layer.name.clone(), metadata)
            })
            .collect();
        entry
    });
    let app = jobs.iter().zip(made).filter(|(job, _)| is_app(job)).map(|(_, made)| LayerSha { sha: made.layer.diff_id.to_string() });
    let run_image = &request.run_image;
    let (names, has_run_toml) = (&run_image.names, request.platform_api >= Api::new(0, 12));
    let top_layer = run_image.image.top_layer().ok_or_else(|| Error::new("the run image has no layers"))?;
    Ok(LayersMetadata {
        app: Some(app.collect()),
        sbom: sha(SBOM_ID).map(|sha| LayerSha { sha }),
        buildpacks: Some(buildpacks.collect()),
        config: one(CONFIG_ID),
        launcher: one(LAUNCHER_ID),
        process_types: one(PROCESS_TYPES_ID),
        run_image: RunImageMetadata {
            top_layer: top_layer.to_string(),
            reference: run_image.reference.clone(),
            // EXP-29.
            image: if has_run_toml { names.image.clone() } else { String::new() },
            mirrors: if has_run_toml { names.mirrors.clone() } else { Vec::new() },
        },
        stack: Some(Stack { run_image: StackRunImage { image: names.image.clone(), mirrors: names.mirrors.clone() } }),
    })
}

/// EXP-24: the buildpacks' labels may replace those before them, but not the execution environment.
pub fn set_labels(image: &mut Image, request: &Export, metadata: &LayersMetadata, output: &Output) {
    let build = BuildMetadataLabel::new(request.metadata, &request.launcher.metadata, request.platform_api, request.bom);
    let mut labels = vec![
        (LIFECYCLE_METADATA_LABEL.to_string(), metadata.to_label()),
        (BUILD_METADATA_LABEL.to_string(), build.to_label()),
        (PROJECT_METADATA_LABEL.to_string(), request.project.to_label()),
    ];
    labels.extend(request.metadata.labels.iter().map(|label| (label.key.clone(), label.value.clone())));
    if request.platform_api >= Api::new(0, 15) {
        labels.push((EXEC_ENV_LABEL.to_string(), request.exec_env.to_string()));
    }
    for (key, value) in labels {
        output.step(&format!("Adding label '{key}'"));
        image.set_label(key, value);
    }
}
