//! Reports what passes by.

use super::Progress;
use std::io::{self, Read, Write};

/// Reports the bytes that are read from, or written to, what is inside.
pub struct Counted<'a, T> {
    /// What is inside.
    pub inner: T,
    /// Where to report them.
    pub progress: &'a Progress,
}

impl<T: Read> Read for Counted<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.progress.add(count as u64);
        Ok(count)
    }
}

impl<T: Write> Write for Counted<'_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.progress.add(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
