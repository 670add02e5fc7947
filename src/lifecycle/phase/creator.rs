//! The creator: all phases as one program (CRE-01).

use super::privileges::{become_user, with_home};
use super::{
    BAD_ARGUMENT, Inputs, Phase, analyzer, builder, caches, detector, exporter, failed_to, images, read, registries, restorer, run_image,
    write,
};
use crate::buildpack::GroupDocument;
use crate::error::{Advice, Context, Error, Result};
use crate::lifecycle::restorer::Restored;
use launcher::api::Api;

/// Exit codes of the phases (EXIT-02, EXIT-03).
const DETECT_WENT_WRONG: u8 = 22;
const ANALYZE_WENT_WRONG: u8 = 32;

/// Analyzes, detects, restores, builds and exports.
pub(super) fn run(inputs: &Inputs, phase: &Phase) -> Result<()> {
    inputs.warn_of_late_flags(phase);
    let app = inputs.images(1..=1)?.remove(0);
    let names: Vec<String> = std::iter::once(app).chain(inputs.texts("tag", "")).collect();
    let names = images::output_names(&names, inputs)?;
    let (layers, cache_folder, launch_cache) =
        (inputs.path("layers"), inputs.optional_path("cache-dir"), inputs.optional_path("launch-cache"));
    let engine = images::connect(inputs)?;
    let registries = registries::open(inputs, phase)?;
    phase.ensure_privileges(|| become_user(inputs.owner(), &[cache_folder.as_deref(), launch_cache.as_deref(), Some(&layers)]))?;
    let environment = with_home(phase.environment, inputs.owner())?;
    let hermetic = Phase { output: phase.output, environment: &environment };
    let images = images::open(engine, inputs, phase, &registries)?;
    let mut cache = caches::open(inputs, phase, &registries)?;
    if cache.is_none() && inputs.is_on("parallel") {
        phase.output.warn("Parallel export has been enabled, but it has not taken effect because no cache has been specified.");
    }
    let run_image = run_image::choose(&names[0], &images, inputs, phase)?;

    phase.output.heading("ANALYZING");
    let analyzed = phase.timed("Analyzer", || analyzer::analyze(&names, &run_image, &images, &registries, inputs, phase.output));
    let analyzed = analyzed.code(ANALYZE_WENT_WRONG).map_err(|error| failed_to("analyze", error))?;
    write(&inputs.path("analyzed"), &analyzed.to_toml()?)?;
    phase.output.heading("DETECTING");
    detector::detect(inputs, &hermetic, detector::Extensions::Find).map_err(|error| failed_to("detect", error))?;
    let group = GroupDocument::parse(&read(&inputs.path("group"), "group")?).context(|| "failed to read group file")?;
    if !group.extensions.is_empty() {
        // CRE-02.
        let message = "detected order contains extensions which is not supported by the creator";
        let error = Error::new(message).hint("use a platform that runs the phases one by one, as `cooper build`");
        return Err(failed_to("detect", error).code(DETECT_WENT_WRONG));
    }
    // CRE-03.
    let restored = if inputs.is_on("skip-restore") && inputs.api < Api::new(0, 10) {
        Restored::new()
    } else {
        phase.output.heading("RESTORING");
        restorer::restore(&group, &analyzed, cache.as_deref(), inputs, phase).map_err(|error| failed_to("restore", error))?
    };
    phase.output.heading("BUILDING");
    images.kept_open(|| builder::build(inputs, &hermetic)).map_err(|error| failed_to("build", error))?;
    phase.output.heading("EXPORTING");
    analyzed.required_run_image().code(BAD_ARGUMENT)?;
    let made = exporter::Made { group: &group, analyzed: &analyzed, restored: &restored, names: &names };
    exporter::export(&made, &images, cache.as_deref_mut(), inputs, phase).map_err(|error| failed_to("export", error))
}
