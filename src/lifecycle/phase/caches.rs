//! The cache of a phase, by its flags (IN-18, EXIT-10).

use super::{BAD_ARGUMENT, Inputs, Phase};
use crate::error::{Advice, Context, Result};
use crate::image::{Platform, Reference};
use crate::lifecycle::cache::{Cache, Former, ImageCache, VolumeCache};
use crate::registry::Registries;
use launcher::api::Api;
use std::sync::Arc;

/// Opens the cache; an image wins over a folder.
///
/// # Errors
/// When the cache cannot be opened.
pub(super) fn open(inputs: &Inputs, phase: &Phase, registries: &Arc<Registries>) -> Result<Option<Box<dyn Cache>>> {
    if let Some(name) = image(inputs)? {
        let former = if inputs.api < Api::new(0, 13) { Former::IsDeleted } else { Former::Stays };
        let cache = ImageCache::open(registries.clone(), &name, &Platform::here(), former, phase.output)
            .context(|| "failed to create image cache")?;
        return Ok(Some(Box::new(cache)));
    }
    match inputs.optional_path("cache-dir") {
        Some(folder) => Ok(Some(Box::new(VolumeCache::open(&folder).context(|| "failed to create volume cache")?))),
        None => {
            phase.output.warn("No cached data will be used, no cache specified.");
            Ok(None)
        }
    }
}

/// The name of the cache image, where there is one (IMG-02, CACHE-11).
///
/// # Errors
/// When it is none (exit code 3).
pub(super) fn image(inputs: &Inputs) -> Result<Option<Reference>> {
    let parse = |name: String| {
        Reference::parse_new(&name).context(|| format!("failed to resolve inputs: `{name}` cannot name a cache image")).code(BAD_ARGUMENT)
    };
    inputs.text("cache-image").map(parse).transpose()
}
