//! Removes what no name needs any more.

use super::layout::blobs;
use super::{Store, lock};
use crate::error::{Context, Result};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pruned {
    /// Blobs that no image has.
    pub blobs: u64,
    /// Unpacked layers that no image has.
    pub layers: u64,
    /// Bytes on disk that became free.
    pub bytes: u64,
}

impl Store {
    /// Removes blobs and unpacked layers that no named image has. Does nothing and returns nothing while another process uses the store.
    ///
    /// # Errors
    /// When something cannot be read or removed.
    pub fn prune(&self) -> Result<Option<Pruned>> {
        lock::if_alone(&self._in_use, || self.prune_alone()).context(|| "cannot lock the store")?.transpose()
    }

    fn prune_alone(&self) -> Result<Pruned> {
        let mut kept = BTreeSet::new();
        let mut kept_layers = BTreeSet::new();
        for named in self.list()? {
            kept.extend(blobs(&named.stored).into_iter().map(|digest| self.blob_path(&digest)));
            kept_layers.extend(named.stored.image.layers.iter().map(|layer| self.unpacked_place(&layer.diff_id)));
        }
        let mut pruned = Pruned::default();
        for (folder, kept, count) in [("blobs/sha256", kept, &mut pruned.blobs), ("layers", kept_layers, &mut pruned.layers)] {
            for entry in fs::read_dir(self.root.join(folder)).context(|| format!("cannot read the store's `{folder}`"))? {
                let path = entry.context(|| format!("cannot read the store's `{folder}`"))?.path();
                if !kept.contains(&path) {
                    pruned.bytes += disk_usage(&path);
                    remove_tree(&path).context(|| format!("cannot remove `{}`", path.display()))?;
                    *count += 1;
                }
            }
        }
        Ok(pruned)
    }

    /// Clears `tmp` of what killed programs left, if nobody else uses the store now.
    pub(super) fn clear_stale(&self) -> Result<()> {
        let clear = || -> std::io::Result<()> {
            for entry in fs::read_dir(self.root.join("tmp"))? {
                remove_tree(&entry?.path())?;
            }
            Ok(())
        };
        lock::if_alone(&self._in_use, clear)?.transpose()?;
        Ok(())
    }
}

/// Removes a file or a folder with all that is in it, also where a build left folders that may not be written.
///
/// # Errors
/// When something cannot be removed.
pub fn remove_tree(path: &Path) -> std::io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !found.is_dir() {
        return fs::remove_file(path);
    }
    if found.permissions().mode() & 0o700 != 0o700 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    for entry in fs::read_dir(path)? {
        remove_tree(&entry?.path())?;
    }
    fs::remove_dir(path)
}

/// Bytes that a file or folder takes on disk; what cannot be read counts as nothing.
pub(super) fn disk_usage(path: &Path) -> u64 {
    walkdir::WalkDir::new(path).into_iter().flatten().filter_map(|entry| entry.metadata().ok()).map(|found| found.blocks() * 512).sum()
}
