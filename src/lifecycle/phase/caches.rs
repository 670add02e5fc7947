//! The cache of a phase, by its flags (IN-18, EXIT-10).

use super::{Inputs, Phase};
use crate::error::{Context, Error, Result};
use crate::lifecycle::cache::{Cache, VolumeCache};

/// Opens the cache; an image wins over a folder.
///
/// # Errors
/// When the cache cannot be opened.
pub(super) fn open(inputs: &Inputs, phase: &Phase) -> Result<Option<Box<dyn Cache>>> {
    if inputs.text("cache-image").is_some() {
        return Err(Error::new("failed to create image cache: this version cannot keep a cache in a registry")
            .hint("name a folder with `-cache-dir` instead"));
    }
    match inputs.optional_path("cache-dir") {
        Some(folder) => Ok(Some(Box::new(VolumeCache::open(&folder).context(|| "failed to create volume cache")?))),
        None => {
            phase.output.warn("No cached data will be used, no cache specified.");
            Ok(None)
        }
    }
}
