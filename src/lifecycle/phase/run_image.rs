//! The run images that a builder offers: `run.toml`, before Platform API 0.12 `stack.toml` (IMG-29 to IMG-35, ANA-15).

use super::{BAD_ARGUMENT, Inputs, Phase};
use crate::error::{Advice, Context, Result};
use crate::image::Reference;
use crate::lifecycle::documents::run::RunImages;
use crate::lifecycle::images::Images;
use launcher::api::Api;
use launcher::file::read_document;
use std::path::PathBuf;

/// The run images on offer; none where there is no file.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn offered(inputs: &Inputs, phase: &Phase) -> Result<RunImages> {
    let (path, found) = read(inputs)?;
    if found.is_none() {
        phase.output.line(&format!("No run metadata found at path \"{}\"", path.display()));
    }
    Ok(found.unwrap_or_default())
}

/// The names of all run images on offer; none where the file cannot be read, which is told when they are chosen from.
pub(super) fn names(inputs: &Inputs) -> Vec<String> {
    let offered = read(inputs).map(|(_, found)| found.unwrap_or_default()).unwrap_or_default();
    offered.images.iter().flat_map(|entry| entry.all().map(str::to_string).collect::<Vec<_>>()).collect()
}

fn read(inputs: &Inputs) -> Result<(PathBuf, Option<RunImages>)> {
    let (path, parse): (_, fn(&str) -> Result<RunImages>) =
        if inputs.api >= Api::new(0, 12) { (inputs.path("run"), RunImages::parse) } else { (inputs.path("stack"), RunImages::parse_stack) };
    let describe = || format!("failed to read `{}`", path.display());
    match read_document(&path) {
        Ok(text) => parse(&text).context(describe).map(|found| (path.clone(), Some(found))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((path, None)),
        Err(error) => Err(error).context(describe),
    }
}

/// The run image for an app: the one that was named, or the builder's first, by its name that is nearest to the app.
///
/// # Errors
/// When there is none (exit code 3).
pub(super) fn choose(app: &Reference, images: &Images, inputs: &Inputs, phase: &Phase) -> Result<String> {
    if let Some(named) = inputs.text("run-image") {
        Reference::parse(&named).context(|| format!("failed to resolve inputs: `{named}` names no image")).code(BAD_ARGUMENT)?;
        return Ok(named);
    }
    let offered = offered(inputs, phase).code(BAD_ARGUMENT)?;
    let first = offered.images.first();
    let first = first.context(|| "failed to resolve inputs: -run-image is required when there is no run metadata available");
    first.code(BAD_ARGUMENT)?.nearest(app.registry(), |name| images.can_read(name)).code(BAD_ARGUMENT)
}
