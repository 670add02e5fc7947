//! Content named by its digest.

use super::unsynced;
use crate::error::{Context, Result};
use crate::image::{Descriptor, Digest, History, Layer};
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// A blob that is being written; gone again unless it is committed.
pub struct BlobWriter {
    file: NamedTempFile,
    root: PathBuf,
    on_disk: OnDisk,
}

/// When a blob must be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnDisk {
    /// Before it counts.
    First,
    /// Some time after that; see [`unsynced`].
    Later,
    /// Never: its store is nobody's after this program.
    Never,
}

impl BlobWriter {
    pub(super) fn new(root: &Path, on_disk: OnDisk) -> Result<Self> {
        let file = tempfile::Builder::new().prefix("blob-").tempfile_in(root.join("tmp")).context(|| "cannot write to the store")?;
        Ok(Self { file, root: root.to_path_buf(), on_disk })
    }

    /// Puts the blob in its place. `digest` is the digest of what was written.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn commit(self, digest: &Digest) -> Result<()> {
        let target = self.root.join("blobs/sha256").join(digest.hex());
        if target.is_file() {
            return Ok(());
        }
        let describe = || format!("cannot store the blob {digest}");
        let must_wait = match self.on_disk {
            OnDisk::First => true,
            OnDisk::Later => !unsynced::note(&self.root, digest).context(describe)?,
            OnDisk::Never => false,
        };
        if must_wait {
            self.file.as_file().sync_data().context(describe)?;
        }
        fs::set_permissions(self.file.path(), fs::Permissions::from_mode(0o644)).context(describe)?;
        self.file.persist(target).context(describe)?;
        Ok(())
    }
}

/// A layer that was made and is not yet in the store; gone again unless it is committed.
pub struct NewLayer {
    pub(super) descriptor: Descriptor,
    pub(super) diff_id: Digest,
    pub(super) blob: BlobWriter,
}

impl NewLayer {
    /// Digest of its tar.
    pub fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    /// Puts it into the store.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn commit(self, history: History) -> Result<Layer> {
        self.blob.commit(&self.descriptor.digest)?;
        Ok(Layer { blob: self.descriptor, diff_id: self.diff_id, history })
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
