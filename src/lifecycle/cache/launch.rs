//! What of an image's layers is kept beside an engine, so that they need not be asked of it: the engine gives whole images away only
//! (EXP-39, CACHE-16). The form is that of a cache in a folder, without its metadata.

use super::volume::Volume;
use crate::error::Result;
use crate::image::Digest;
use std::path::{Path, PathBuf};

/// A launch cache, as `-launch-cache` names it.
pub struct LaunchCache(Volume);

impl LaunchCache {
    /// Opens the cache in a folder, which must exist.
    ///
    /// # Errors
    /// When the folder is not there or cannot be written.
    pub fn open(folder: &Path) -> Result<Self> {
        Volume::open(folder).map(Self)
    }

    /// The tar of a layer, if it is there and whole.
    pub fn layer(&self, diff_id: &Digest) -> Option<PathBuf> {
        self.0.whole_layer(diff_id.as_str()).ok()
    }

    /// Keeps these layers and no others: those that `file` finds, and those that are there already.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn keep<'a>(&self, layers: impl Iterator<Item = &'a Digest>, file: impl Fn(&Digest) -> Option<PathBuf>) -> Result<()> {
        for diff_id in layers {
            let kept = Some(self.0.layer(diff_id.as_str())).filter(|path| path.is_file());
            if let Some(path) = kept.or_else(|| file(diff_id)) {
                self.0.stage(diff_id.as_str(), &path)?;
            }
        }
        self.0.commit()
    }
}
