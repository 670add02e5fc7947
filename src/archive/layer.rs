//! Makes a layer's blob of its tar in one pass: digest of the tar, compression, digest of the blob.

use super::compress::Gzip;
use crate::image::{Digest, Hashing};
use sha2::{Digest as _, Sha256};
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
pub struct LayerWriter<W: Write> {
    encoder: Encoder<W>,
    tar_size: u64,
}

enum Encoder<W: Write> {
    Gzip(Box<Gzip<Hashing<W>>>, Sha256),
    /// The blob's digest is the tar's.
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
        let out = Hashing::new(out);
        let encoder = match form {
            Form::Gzip => Encoder::Gzip(Box::new(Gzip::new(out)), Sha256::new()),
            Form::Tar => Encoder::Tar(out),
        };
        Self { encoder, tar_size: 0 }
    }

    /// Ends the blob.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn finish(self) -> io::Result<(Written, W)> {
        let (tar, blob) = match self.encoder {
            Encoder::Gzip(gzip, tar) => (Some(Digest::from_sha256(tar.finalize().into())), gzip.finish()?),
            Encoder::Tar(blob) => (None, blob),
        };
        let size = blob.size();
        let (digest, out) = blob.finish();
        Ok((Written { diff_id: tar.unwrap_or_else(|| digest.clone()), tar_size: self.tar_size, digest, size }, out))
    }
}

impl<W: Write> Write for LayerWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.encoder {
            Encoder::Gzip(gzip, tar) => {
                let count = gzip.write(bytes)?;
                tar.update(&bytes[..count]);
                count
            }
            Encoder::Tar(blob) => blob.write(bytes)?,
        };
        self.tar_size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
