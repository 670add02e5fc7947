//! Takes layers out of the cache, for a build, and back where it fails.

use super::copy::{copy_tree, give_tree};
use super::{AppCache, Contents, LAYERS, STAGING};
use crate::archive::decompressed;
use crate::error::{Context, Error, Result};
use crate::lifecycle::cache::unpack::unpack_checked;
use crate::lifecycle::cache::{Blob, Cache, RestoredLayer, Source};
use crate::lifecycle::layer::Owner;
use crate::lifecycle::layer::fingerprint::Fingerprint;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

impl AppCache {
    /// Brings the contents of a layer to `path`, which must not exist. `owner` is whom they must belong to on this machine, where that is
    /// not this process's user.
    ///
    /// # Errors
    /// When the cache has no usable contents; then nothing is at `path`.
    pub(super) fn restore_layer(&self, id: &str, path: &Path, owner: Option<Owner>) -> Result<RestoredLayer> {
        let contents = self.state.contents.get(id).context(|| format!("the cache has no contents of the layer `{id}`"))?;
        let place = self.contents_path(contents);
        let is_whole = Fingerprint::of(&place).is_ok_and(|fingerprint| fingerprint == contents.fingerprint);
        let blob = contents.blob.clone().filter(|blob| self.blob_path(blob).is_file());
        let diff_id = self.sha(id).unwrap_or_default();
        let (source, fingerprint) = match (&blob, is_whole) {
            (Some(_), true) if belongs_to(&place, owner) && fs::rename(&place, path).is_ok() => {
                (Source::Lent, contents.fingerprint.clone())
            }
            (_, true) => (Source::Copied, self.copy(&place, path, owner)?),
            (Some(blob), false) => (Source::Unpacked, self.unpack(blob, &diff_id, path, owner)?),
            (None, false) => return Err(Error::new(format!("the cached contents of the layer `{id}` are damaged"))),
        };
        Ok(RestoredLayer { path: path.to_path_buf(), diff_id, blob, source, fingerprint })
    }

    /// Takes back what a build that failed did not touch. What it did touch is restored from its blob the next time.
    pub(super) fn take_back_layers(&mut self, layers: &BTreeMap<String, RestoredLayer>) -> Result<()> {
        let mut state = self.state.clone();
        for (id, layer) in layers {
            let Some(contents) = state.contents.get_mut(id) else { continue };
            let place = self.contents_path(contents);
            if layer.source != Source::Copied && !place.exists() && layer.is_untouched() && fs::rename(&layer.path, &place).is_ok() {
                contents.fingerprint = layer.fingerprint.clone();
            }
        }
        if state == self.state { Ok(()) } else { self.save(state) }
    }

    fn sha(&self, id: &str) -> Option<String> {
        let (buildpack, layer) = id.rsplit_once(':')?;
        Some(self.layers(buildpack)?.get(layer)?.sha.clone())
    }

    fn copy(&self, place: &Path, path: &Path, owner: Option<Owner>) -> Result<Fingerprint> {
        let staged = self.staged()?;
        let copy = staged.path().join("copy");
        copy_tree(place, &copy)?;
        self.settle(&copy, path, owner)
    }

    fn unpack(&self, blob: &Blob, diff_id: &str, path: &Path, owner: Option<Owner>) -> Result<Fingerprint> {
        let staged = self.staged()?;
        let file = self.blob_path(blob);
        let describe = || format!("cannot unpack the cached layer `{}`", file.display());
        let tar = decompressed(File::open(&file).context(describe)?).context(describe)?;
        unpack_checked(tar, diff_id, staged.path()).context(describe)?;
        self.settle(&staged.path().join(blob.rules.path.trim_start_matches('/')), path, owner).context(describe)
    }

    fn settle(&self, staged: &Path, path: &Path, owner: Option<Owner>) -> Result<Fingerprint> {
        if let Some(owner) = owner {
            give_tree(staged, owner)?;
        }
        if fs::rename(staged, path).is_err() {
            copy_tree(staged, path).context(|| format!("cannot bring the cached layer to `{}`", path.display()))?;
            if let Some(owner) = owner {
                give_tree(path, owner)?;
            }
        }
        Fingerprint::of_new(path)
    }

    fn staged(&self) -> Result<tempfile::TempDir> {
        tempfile::tempdir_in(self.folder.join(STAGING)).context(|| format!("cannot write to the cache `{}`", self.folder.display()))
    }

    /// A name below `layers` that is free.
    pub(super) fn free_name(&self, id: &str) -> String {
        let readable: String =
            id.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '_' }).collect();
        let taken = |name: &String| {
            self.folder.join(LAYERS).join(name).symlink_metadata().is_ok()
                || self.state.contents.values().any(|contents: &Contents| &contents.folder == name)
        };
        let mut names = (1_u64..).map(|number| format!("{readable}-{number}"));
        names.find(|name| !taken(name)).unwrap_or(readable)
    }
}

/// Whether a folder belongs to whom a build needs it to belong to; an earlier build may have run as somebody else.
fn belongs_to(folder: &Path, owner: Option<Owner>) -> bool {
    let wanted = owner.map_or_else(|| rustix::process::geteuid().as_raw(), |owner| owner.uid);
    folder.symlink_metadata().is_ok_and(|found| found.uid() == wanted)
}
