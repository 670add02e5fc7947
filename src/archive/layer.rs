//! Makes a layer's blob of its tar in one pass: digest of the tar, compression, digest of the blob.

use super::compress::Gzip;
use crate::image::Digest;
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

/// Takes a layer's tar and writes its blob. [`LayerWriter::finish`] must be called at the end.
pub struct LayerWriter<W: Write> {
    gzip: Gzip<Counted<W>>,
    tar: Sha256,
    tar_size: u64,
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
    pub fn new(out: W) -> Self {
        Self { gzip: Gzip::new(Counted { out, hash: Sha256::new(), size: 0 }), tar: Sha256::new(), tar_size: 0 }
    }

    /// Ends the blob.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn finish(self) -> io::Result<(Written, W)> {
        let blob = self.gzip.finish()?;
        let written = Written {
            diff_id: Digest::from_sha256(self.tar.finalize().into()),
            tar_size: self.tar_size,
            digest: Digest::from_sha256(blob.hash.finalize().into()),
            size: blob.size,
        };
        Ok((written, blob.out))
    }
}

impl<W: Write> Write for LayerWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.gzip.write(bytes)?;
        self.tar.update(&bytes[..count]);
        self.tar_size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Counted<W> {
    out: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
