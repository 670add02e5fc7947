//! The analyzer as a program.

use super::privileges::become_user;
use super::{Inputs, Phase, caches, images, registries, run_image, write};
use crate::archive::{Ownership, decompressed, unpack};
use crate::error::{Advice, Context, Result};
use crate::image::Reference;
use crate::lifecycle::analyzer::{self, Identified};
use crate::lifecycle::documents::analyzed::Analyzed;
use crate::lifecycle::images::{Found, Images, check_write};
use crate::output::Output;
use crate::registry::Registries;
use crate::store::{Store, remove_tree};
use launcher::api::Api;
use std::io;
use std::path::Path;

/// Exit code of an analysis that goes wrong (EXIT-03).
const ANALYZE_WENT_WRONG: u8 = 32;

/// Looks at the previous image and the run image, writes `analyzed.toml`, and restores the SBOM files of the previous image.
pub(super) fn run(inputs: &Inputs, phase: &Phase) -> Result<()> {
    inputs.warn_of_late_flags(phase);
    let app = inputs.images(1..=1)?.remove(0);
    let names: Vec<String> = std::iter::once(app).chain(inputs.texts("tag", "")).collect();
    let names = images::output_names(&names, inputs)?;
    let layers = inputs.path("layers");
    let engine = images::connect(inputs)?;
    let registries = registries::open(inputs, phase)?;
    let launch_cache = inputs.optional_path("launch-cache");
    phase.ensure_privileges(|| become_user(inputs.owner(), &[Some(&layers), launch_cache.as_deref()]))?;
    let images = images::open(engine, inputs, phase, &registries)?;
    let run_image = run_image::choose(&names[0], &images, inputs, phase)?;
    let analyzed = phase.timed("Analyzer", || analyze(&names, &run_image, &images, &registries, inputs, phase.output));
    let analyzed = analyzed.code(ANALYZE_WENT_WRONG)?;
    write(&inputs.path("analyzed"), &analyzed.to_toml()?)
}

/// Analyzes an app whose first name is the main one; `run_image` is the name of the run image.
///
/// # Errors
/// When the images cannot be read (exit code 32 is the caller's to set).
pub(super) fn analyze(
    names: &[Reference],
    run_image: &str,
    images: &Images,
    registries: &Registries,
    inputs: &Inputs,
    output: &Output,
) -> Result<Analyzed> {
    let previous_name = inputs.text("previous-image").unwrap_or_else(|| names[0].to_string());
    images.check_access(&[&previous_name, run_image], &[])?;
    if let Some(cache) = caches::image(inputs)? {
        check_write(registries, &cache)?;
    }
    images.check_access(&[], names)?;
    let previous = images.find(&previous_name).context(|| "getting previous image")?;
    let previous = previous.filter(|found| {
        let complete = images.is_complete(found);
        if !complete {
            output.line(&format!("Ignoring image \"{}\" because it was corrupt", found.name));
        }
        complete
    });
    let run = images.find(run_image).context(|| "getting run image")?;
    let run = run.context(|| format!("the run image `{run_image}` does not exist")).hint("name another one with `-run-image`")?;
    let identified = |found: &Found| (found.identifier.clone(), found.name.clone());
    let (run_identifier, run_name) = identified(&run);
    let run_image = Identified { image: &run.image, reference: &run_identifier, name: &run_name };
    let of_previous = previous.as_ref().map(identified);
    let previous_image = previous.as_ref().zip(of_previous.as_ref());
    let previous_image = previous_image.map(|(found, (reference, name))| Identified { image: &found.image, reference, name });
    let mut analyzed = analyzer::analyze(&previous_name, previous_image.as_ref(), &run_image, output)?;
    if inputs.api < Api::new(0, 12)
        && let Some(run_image) = &mut analyzed.run_image
    {
        // ANA-08.
        (run_image.image, run_image.target) = (String::new(), None);
    }
    if inputs.api >= Api::new(0, 8) && !inputs.is_on("skip-layers") && !inputs.is_on("skip-restore") && analyzed.previous_image.is_some() {
        restore_sbom(&analyzed, previous.as_ref(), images, &inputs.path("layers"), output).context(|| "retrieving launch SBOM layer")?;
    }
    Ok(analyzed)
}

/// ANA-06: puts the SBOM files of the previous image below `<layers>/sbom/launch`.
fn restore_sbom(analyzed: &Analyzed, previous: Option<&Found>, images: &Images, layers: &Path, output: &Output) -> Result<()> {
    let (Some(previous), Some(sbom)) = (previous, &analyzed.metadata.sbom) else { return Ok(()) };
    let Some(layer) = previous.image.layers.iter().find(|layer| layer.diff_id.as_str() == sbom.sha) else { return Ok(()) };
    output.line("Restoring data for SBOM from previous image");
    let scratch = tempfile::tempdir_in(layers).context(|| format!("cannot write to `{}`", layers.display()))?;
    let store = Store::open_passing(&scratch.path().join("store"))?;
    images.fetch(previous, layer, &store)?;
    let unpacked = scratch.path().join("unpacked");
    std::fs::create_dir(&unpacked).context(|| format!("cannot make `{}`", unpacked.display()))?;
    unpack(decompressed(store.blob(&layer.blob.digest)?)?, &unpacked, Ownership::Squash, &mut io::sink())?;
    // In the layer it has the path of the layers folder in the image.
    let in_image = previous.image.config.variable("CNB_LAYERS_DIR").unwrap_or("/layers");
    let found = unpacked.join(in_image.trim_start_matches('/')).join("sbom/launch");
    if !found.is_dir() {
        return Ok(());
    }
    let target = layers.join("sbom/launch");
    remove_tree(&target).context(|| format!("cannot remove `{}`", target.display()))?;
    std::fs::create_dir_all(layers.join("sbom")).context(|| format!("cannot make `{}`", target.display()))?;
    std::fs::rename(&found, &target).context(|| format!("cannot make `{}`", target.display()))
}
