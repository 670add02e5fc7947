//! gzip in blocks of a fixed size, on as many threads as the machine has. Each block is a member of its own, so the bytes depend neither on
//! the number of threads nor on how the writer is fed.

use flate2::{Compression, write::GzEncoder};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

/// Bytes that become one member.
const BLOCK: usize = 1 << 20;
/// The strongest of the fast levels, whose output did not depend on how zlib-rs was fed when that was measured.
const LEVEL: u32 = 4;

/// As many compress as fast as one thread can hash; more would only take memory.
const MOST_THREADS: usize = 8;

type Job = (Vec<u8>, SyncSender<io::Result<Vec<u8>>>);

/// Compresses what is written to it into `out`. [`Gzip::finish`] must be called at the end.
pub struct Gzip<W> {
    out: W,
    block: Vec<u8>,
    jobs: Option<SyncSender<Job>>,
    pending: VecDeque<Receiver<io::Result<Vec<u8>>>>,
    threads: usize,
    empty: bool,
}

impl<W: Write> Gzip<W> {
    pub fn new(out: W) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        Self { out, block: Vec::new(), jobs: None, pending: VecDeque::new(), threads, empty: true }
    }

    pub fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() || self.empty {
            let block = std::mem::take(&mut self.block);
            // The last block, often the only one, is not worth a thread.
            let compressed = member(&block)?;
            self.drain(0)?;
            self.out.write_all(&compressed)?;
        }
        self.drain(0)?;
        Ok(self.out)
    }

    fn submit(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        self.empty = false;
        let jobs = match &self.jobs {
            Some(jobs) => jobs,
            None => self.jobs.insert(start_workers(self.threads)?),
        };
        let (sender, receiver) = sync_channel(1);
        jobs.send((block, sender)).map_err(|_| io::Error::other("a compressing thread ended early"))?;
        self.pending.push_back(receiver);
        self.drain(2 * self.threads)
    }

    /// Writes finished blocks in order until at most `most` are pending.
    fn drain(&mut self, most: usize) -> io::Result<()> {
        while self.pending.len() > most {
            let Some(receiver) = self.pending.pop_front() else { return Ok(()) };
            let compressed = receiver.recv().map_err(|_| io::Error::other("a compressing thread ended early"))??;
            self.out.write_all(&compressed)?;
        }
        Ok(())
    }
}

impl<W: Write> Write for Gzip<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..count]);
        if self.block.len() == BLOCK {
            self.submit()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn start_workers(count: usize) -> io::Result<SyncSender<Job>> {
    let (sender, receiver) = sync_channel::<Job>(count);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..count {
        let receiver = Arc::clone(&receiver);
        thread::Builder::new().name("gzip".into()).spawn(move || {
            loop {
                let job = receiver.lock().map(|jobs| jobs.recv());
                let Ok(Ok((block, answer))) = job else { return };
                if answer.send(member(&block)).is_err() {
                    return;
                }
            }
        })?;
    }
    Ok(sender)
}

fn member(block: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(block.len() / 2 + 64), Compression::new(LEVEL));
    encoder.write_all(block)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn compress(bytes: &[u8], step: usize, threads: usize) -> Vec<u8> {
        let mut gzip = Gzip { threads, ..Gzip::new(Vec::new()) };
        bytes.chunks(step).for_each(|chunk| gzip.write_all(chunk).unwrap());
        gzip.finish().unwrap()
    }

    /// TAR-14.
    #[test]
    fn bytes_depend_on_the_content_only() {
        let bytes: Vec<u8> = (0..3_500_000u32).flat_map(|number| (number / 7).to_le_bytes()).take(3_500_000).collect();
        let once = compress(&bytes, bytes.len(), 1);
        for (step, threads) in [(777, 1), (65_536, 2), (1 << 20, 5)] {
            assert!(compress(&bytes, step, threads) == once, "{step} {threads}");
        }
        let mut again = Vec::new();
        flate2::read::MultiGzDecoder::new(once.as_slice()).read_to_end(&mut again).unwrap();
        assert!(again == bytes);
    }

    /// TAR-14. Another version of the encoder may write other bytes: that changes the digest of every image and must not happen unseen.
    #[test]
    fn bytes_are_those_of_the_pinned_encoder() {
        let bytes: Vec<u8> = (0..1_500_000u32).flat_map(|number| (number / 7).to_le_bytes()).take(1_500_000).collect();
        let digest = crate::image::Digest::of(&compress(&bytes, bytes.len(), 2));
        assert_eq!(digest.hex(), "9831bb2e09bc05f46a3514c8c71b37ca2a385dc76701750f37113c021b65442b");
    }

    #[test]
    fn nothing_is_a_valid_member() {
        let mut again = Vec::new();
        flate2::read::GzDecoder::new(compress(b"", 1, 1).as_slice()).read_to_end(&mut again).unwrap();
        assert!(again.is_empty());
    }
}
