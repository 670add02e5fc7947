//! Takes layers out of the cache, for a build, and back where it fails.

use super::copy::{copy_tree, give_tree};
use super::{Blob, Cache, Contents, LAYERS, STAGING};
use crate::archive::{Ownership, decompressed, unpack};
use crate::error::{Context, Error, Result};
use crate::image::Digest;
use crate::lifecycle::layer::Owner;
use crate::lifecycle::layer::fingerprint::Fingerprint;
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A layer whose contents are in the layers folder again.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoredLayer {
    /// Where its contents are now.
    pub path: PathBuf,
    /// Digest of the layer's tar.
    pub diff_id: String,
    /// The layer as a tar.
    pub blob: Option<Blob>,
    /// How it came out of the cache.
    pub source: Source,
    /// What the folder's fingerprint stays while nobody touches it.
    fingerprint: Fingerprint,
}

/// How a layer came out of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Its folder was moved; the cache has only the blob.
    Lent,
    /// Its folder was copied, because it could not be moved; the cache still has it.
    Copied,
    /// It was unpacked from the blob, because the folder was damaged or missing.
    Unpacked,
}

impl RestoredLayer {
    /// Whether nobody touched the contents since they were restored.
    pub fn is_untouched(&self) -> bool {
        // A folder that is gone was touched.
        Fingerprint::of(&self.path).is_ok_and(|fingerprint| fingerprint == self.fingerprint)
    }

    /// The fingerprint of the untouched contents.
    pub(super) fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl Cache {
    /// Brings the contents of a layer to `path`, which must not exist. `owner` is whom they must belong to on this machine, where that is
    /// not this process's user.
    ///
    /// # Errors
    /// When the cache has no usable contents; then nothing is at `path`.
    pub fn restore(&self, id: &str, path: &Path, owner: Option<Owner>) -> Result<RestoredLayer> {
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
    pub fn take_back<'a>(&mut self, layers: impl IntoIterator<Item = (&'a String, &'a RestoredLayer)>) -> Result<()> {
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
        let mut tar = Hashing { tar, hash: Sha256::new() };
        let mut owners = Vec::new();
        unpack(&mut tar, staged.path(), Ownership::Squash, &mut owners).context(describe)?;
        std::io::copy(&mut tar, &mut std::io::sink()).context(describe)?;
        let found = Digest::from_sha256(tar.hash.finalize().into());
        if found.as_str() != diff_id {
            return Err(Error::new(format!("the cached layer `{}` is damaged: it is {found}, not {diff_id}", file.display())));
        }
        set_modes(staged.path(), &owners).context(describe)?;
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

/// Sets the modes that unpacking had to leave out; each entry is `UID GID MODE PATH`.
fn set_modes(root: &Path, owners: &[u8]) -> Result<()> {
    let lines: Vec<&[u8]> = owners.split(|byte| *byte == 0).collect();
    // The deepest first, because a folder may become one that cannot be entered.
    for line in lines.iter().rev() {
        let mut fields = line.splitn(4, |byte| *byte == b' ').skip(2);
        let (Some(mode), Some(path)) = (fields.next(), fields.next()) else { continue };
        let mode = u32::from_str_radix(&String::from_utf8_lossy(mode), 8).context(|| "bad mode")?;
        let path = root.join(OsStr::from_bytes(path));
        let found = path.symlink_metadata()?;
        // A link has no mode of its own: setting one would change what it points to.
        if !found.is_symlink() && found.permissions().mode() & 0o7777 != mode {
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}

struct Hashing<R> {
    tar: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.tar.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
