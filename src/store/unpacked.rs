//! Layers as folders, unpacked once and shared by every image that has them.

use super::Store;
use crate::archive::{Ownership, SIDECAR, decompressed, unpack};
use crate::error::{Context, Result};
use crate::image::{Digest, Hashing, Layer};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// A layer's folder and what its files do not show.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// The tree, for use as a lower folder of an overlay.
    pub tree: PathBuf,
    /// The true owners: lines as [`crate::archive::SIDECAR`] says.
    pub owners: PathBuf,
}

impl Store {
    /// The layer as a folder; unpacks it at the first call. The tar is checked against its digest on the way.
    ///
    /// # Errors
    /// When the blob is missing or damaged, or the disk is full.
    pub fn unpacked(&self, layer: &Layer) -> Result<Unpacked> {
        let place = self.unpacked_place(&layer.diff_id);
        if !place.is_dir() {
            self.unpack(layer, &place).context(|| format!("cannot unpack the layer {}", layer.diff_id))?;
        }
        Ok(Unpacked { tree: place.join("tree"), owners: place.join(SIDECAR) })
    }

    pub(super) fn unpacked_place(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(match ownership() {
            Ownership::Keep => format!("{}.owned", diff_id.hex()),
            Ownership::Squash => diff_id.hex().to_string(),
        })
    }

    fn unpack(&self, layer: &Layer, place: &Path) -> Result<()> {
        let scratch = self.scratch()?;
        let tree = scratch.path().join("tree");
        fs::create_dir(&tree)?;
        let mut owners = BufWriter::new(File::create(scratch.path().join(SIDECAR))?);
        let mut tar = Hashing::new(decompressed(self.blob(&layer.blob.digest)?)?);
        unpack(&mut tar, &tree, ownership(), &mut owners)?;
        std::io::copy(&mut tar, &mut std::io::sink())?;
        owners.flush()?;
        let (found, _) = tar.finish();
        if found != layer.diff_id {
            return Err(crate::error::Error::new(format!("its tar has the digest {found}")).hint("run `cooper store verify`"));
        }
        // Nobody looks at the files' content again, so it must be on the disk before the name is.
        rustix::fs::syncfs(File::open(scratch.path())?).context(|| "cannot write to the disk")?;
        match fs::rename(scratch.path(), place) {
            // Another process was faster.
            Err(_) if place.is_dir() => Ok(()),
            other => other.context(|| format!("cannot make `{}`", place.display())),
        }
    }
}

/// Root can give files to others; everybody else owns what they unpack.
fn ownership() -> Ownership {
    if rustix::process::geteuid().is_root() { Ownership::Keep } else { Ownership::Squash }
}
