//! The rebaser as a program.

use super::privileges::become_user;
use super::{BAD_ARGUMENT, Inputs, Phase, images, registries, scratch, write};
use crate::error::{Advice, Context, Error, Result};
use crate::lifecycle::documents::report::Report;
use crate::lifecycle::rebaser::{Rebase, rebase, run_image_names};
use crate::store::Store;
use launcher::api::Api;

/// Exit code of a rebase that goes wrong (EXIT-06).
const REBASE_WENT_WRONG: u8 = 72;

/// Puts the app on a new run image and saves it under all names (REB-01 to REB-04, REB-20).
pub(super) fn run(inputs: &Inputs, phase: &Phase) -> Result<()> {
    inputs.warn_of_late_flags(phase);
    let names = inputs.images(1..)?;
    let names = images::output_names(&names, inputs)?;
    let wanted = match (inputs.text("run-image"), inputs.text("image")) {
        (Some(_), Some(_)) => {
            // IN-24.
            return Err(Error::new("failed to resolve inputs: supply only one of -run-image or (deprecated) -image")).code(BAD_ARGUMENT);
        }
        (wanted, deprecated) => wanted.or(deprecated),
    };
    let engine = images::connect(inputs)?;
    let registries = registries::open(inputs, phase)?;
    phase.ensure_privileges(|| become_user(inputs.owner(), &[]))?;
    let images = images::open(engine, inputs, phase, &registries)?;
    let previous = inputs.text("previous-image").filter(|_| inputs.api >= Api::new(0, 11));
    let app_name = previous.unwrap_or_else(|| names[0].to_string());
    let app = images.find(&app_name).and_then(|found| found.context(|| format!("there is no image `{app_name}`")));
    let app = app.context(|| "failed to set app image").code(REBASE_WENT_WRONG)?;
    let run_name = match wanted {
        Some(wanted) => wanted,
        None => {
            let offered = run_image_names(&app.image, inputs.api).code(REBASE_WENT_WRONG)?;
            let none = "-run-image is required when there is no run image metadata available";
            let offered = Some(offered).filter(|names| !names.image.is_empty()).context(|| none).code(REBASE_WENT_WRONG)?;
            offered.nearest(names[0].registry(), |name| images.can_read(name)).code(REBASE_WENT_WRONG)?
        }
    };
    let run = images.find(&run_name).and_then(|found| found.context(|| format!("there is no image `{run_name}`")));
    let run = run.context(|| "failed to access run image")?;
    let request = Rebase {
        app: &app.image,
        run: &run.image,
        run_reference: &run.identifier,
        run_name: &run_name,
        platform_api: inputs.api,
        force: inputs.is_on("force"),
        tags_are_patches: false,
    };
    let rebased = phase.timed("Rebaser", || rebase(&request, phase.output)).code(REBASE_WENT_WRONG)?;
    let scratch = scratch(inputs)?;
    let store = Store::open_passing(scratch.path())?;
    let image = images.save(&rebased, &names, &[&run, &app], &store, phase.output).code(REBASE_WENT_WRONG)?;
    write(&inputs.path("report"), &Report { build: None, image }.to_toml()?)
}
