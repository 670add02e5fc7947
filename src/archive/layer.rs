//! Makes a layer's blob of its tar in one pass: digest of the tar, compression, digest of the blob.

use super::compress::Gzip;
use crate::image::{Digest, Hashing};
use std::io::{self, Write};

/// What a layer's blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Its tar, compressed: for registries, layouts and the store.
    Gzip,
    /// Its tar itself: for engines, which keep it so.
    Tar,
}

/// Takes a layer's tar and writes its blob. [`LayerWriter::finish`] must be called at the end.
pub enum LayerWriter<W: Write> {
    /// Hashes the tar, compresses it, and hashes the blob.
    Gzip(Box<Hashing<Gzip<Hashing<W>>>>),
    /// The blob is the tar.
    Tar(Hashing<W>),
}

/// What became of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Digest of the tar.
    pub diff_id: Digest,
    /// Bytes of the tar.
    pub tar_size: u64,
    /// Digest of the blob.
    pub digest: Digest,
    /// Bytes of the blob.
    pub size: u64,
}

impl<W: Write> LayerWriter<W> {
    /// A writer whose blob goes into `out`.
    pub fn new(out: W, form: Form) -> Self {
        let blob = Hashing::new(out);
        match form {
            Form::Gzip => Self::Gzip(Box::new(Hashing::new(Gzip::new(blob)))),
            Form::Tar => Self::Tar(blob),
        }
    }

    /// Ends the blob.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn finish(self) -> io::Result<(Written, W)> {
        let (tar, blob) = match self {
            Self::Gzip(tar) => {
                let tar_size = tar.size();
                let (diff_id, gzip) = tar.finish();
                (Some((diff_id, tar_size)), gzip.finish()?)
            }
            Self::Tar(blob) => (None, blob),
        };
        let size = blob.size();
        let (digest, out) = blob.finish();
        let (diff_id, tar_size) = tar.unwrap_or_else(|| (digest.clone(), size));
        Ok((Written { diff_id, tar_size, digest, size }, out))
    }
}

impl<W: Write> Write for LayerWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(tar) => tar.write(bytes),
            Self::Tar(blob) => blob.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
