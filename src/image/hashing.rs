//! Hashes what passes by.

use super::Digest;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read, Write};

/// Counts and hashes what is read from, or written to, what is inside.
pub struct Hashing<T> {
    /// What is inside.
    pub inner: T,
    hash: Sha256,
    size: u64,
}

impl<T> Hashing<T> {
    /// Nothing has passed yet.
    pub fn new(inner: T) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    /// How many bytes passed.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The digest of what passed, and what is inside.
    pub fn finish(self) -> (Digest, T) {
        (Digest::from_sha256(self.hash.finalize().into()), self.inner)
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
    }
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.pass(&buffer[..count]);
        Ok(count)
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.pass(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_have_the_digest_of_the_bytes() {
        let mut read = Hashing::new(&b"some bytes"[..]);
        let mut written = Hashing::new(Vec::new());
        io::copy(&mut read, &mut written).unwrap();
        assert_eq!((read.size(), written.size()), (10, 10));
        assert_eq!(read.finish().0, Digest::of(b"some bytes"));
        assert_eq!(written.finish(), (Digest::of(b"some bytes"), b"some bytes".to_vec()));
    }
}
