//! Removes what no name needs any more.

use super::{Store, index, lock};
use crate::error::{Context, Result};
use crate::image::{Config, Digest};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// A longer configuration is something else.
const MOST_CONFIG: u64 = 64 << 20;

/// What the names in the store need.
#[derive(Default)]
pub(super) struct Needed {
    pub blobs: BTreeSet<Digest>,
    tars: BTreeSet<Digest>,
}

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
        let mut needed = Needed::default();
        for manifest in index::read(&self.root)?.manifests {
            self.follow(&manifest.digest, &mut needed)?;
        }
        let kept: BTreeSet<_> = needed.blobs.iter().map(|digest| self.blob_path(digest)).collect();
        let kept_layers: BTreeSet<_> = needed.tars.iter().map(|diff_id| self.unpacked_place(diff_id)).collect();
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
        // What was learned of run images can be learned again.
        let learned = self.inventories();
        pruned.bytes += disk_usage(&learned);
        remove_tree(&learned).context(|| format!("cannot remove `{}`", learned.display()))?;
        Ok(pruned)
    }

    /// Notes all that the document with this digest points to. Other programs may have put it there, so it need not be of the kind that
    /// this one writes.
    pub(super) fn follow(&self, digest: &Digest, needed: &mut Needed) -> Result<()> {
        if !needed.blobs.insert(digest.clone()) || !self.has_blob(digest) {
            return Ok(());
        }
        let document: Value = self.document(digest)?;
        let digests = |list: &Value| -> Vec<Digest> {
            list.as_array().into_iter().flatten().filter_map(|entry| Digest::parse(entry["digest"].as_str()?).ok()).collect()
        };
        for manifest in digests(&document["manifests"]) {
            self.follow(&manifest, needed)?;
        }
        needed.blobs.extend(digests(&document["layers"]));
        let Some(config) = document["config"]["digest"].as_str().and_then(|digest| Digest::parse(digest).ok()) else { return Ok(()) };
        if self.has_blob(&config) && document["config"]["size"].as_u64().is_some_and(|size| size < MOST_CONFIG) {
            // What is attached to an image may have a configuration that is no JSON.
            if let Ok(config) = self.document::<Config>(&config) {
                needed.tars.extend(config.rootfs.diff_ids);
            }
        }
        needed.blobs.insert(config);
        Ok(())
    }

    /// Clears `tmp` of what killed programs left, if nobody else uses the store now.
    pub(super) fn clear_stale(&self) -> Result<()> {
        let clear = || -> std::io::Result<()> {
            for entry in fs::read_dir(self.root.join("tmp"))? {
                // What a killed program started may still write there; then the next who opens the store clears it.
                drop(remove_tree(&entry?.path()));
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
    // What a killed program leaves may still be cleared away by what it started.
    match remove_present(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn remove_present(path: &Path) -> std::io::Result<()> {
    let found = fs::symlink_metadata(path)?;
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
