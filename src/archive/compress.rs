//! gzip in blocks of a fixed size, on as many threads as the machine has. Each block is a member of its own, so the bytes depend neither on
//! the number of threads nor on how the writer is fed. Blocks that would not become smaller are stored: much of what is large in images is
//! compressed already, and to find that out costs less than to try.

use libdeflater::{CompressionLvl, Compressor};
use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;

/// Changes when equal tars become other blobs: what is kept under a key of what it was made of is then made anew.
pub const ENCODER: u32 = 2;

/// Bytes that become one member.
const BLOCK: usize = 1 << 20;
/// Stronger levels take more than one and a half times as long for a twentieth less.
const LEVEL: i32 = 1;
/// As many compress as fast as a few threads can hash; more would only take memory.
const MOST_THREADS: usize = 8;
/// How many pieces of a block are tried, and their length.
const SAMPLES: usize = 8;
const SAMPLE: usize = 4 << 10;

/// Compresses what is written to it into `out`. [`Gzip::finish`] must be called at the end.
pub struct Gzip<W> {
    out: W,
    block: Vec<u8>,
    pending: VecDeque<Member>,
    encoder: Encoder,
    workers: Option<&'static Workers>,
    empty: bool,
}

/// A member of the file, or where it will come from.
enum Member {
    Done(Vec<u8>),
    Coming(Receiver<io::Result<Vec<u8>>>, Permit),
}

impl<W: Write> Gzip<W> {
    pub fn new(out: W) -> Self {
        Self { out, block: Vec::new(), pending: VecDeque::new(), encoder: Encoder::default(), workers: None, empty: true }
    }

    pub fn finish(mut self) -> io::Result<W> {
        if !self.block.is_empty() || self.empty {
            // The last block, often the only one, is not worth a thread.
            let member = self.encoder.member(&self.block)?;
            self.pending.push_back(Member::Done(member));
        }
        self.drain(0)?;
        Ok(self.out)
    }

    fn submit(&mut self) -> io::Result<()> {
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        self.empty = false;
        let workers = *self.workers.get_or_insert_with(|| WORKERS.get_or_init(Workers::start));
        self.pending.push_back(match workers.submit(block) {
            Ok(coming) => coming,
            Err(block) => Member::Done(self.encoder.member(&block)?),
        });
        self.drain(workers.most)
    }

    /// Writes members in their order while they are there, and waits for the first while more than `most` are pending.
    fn drain(&mut self, most: usize) -> io::Result<()> {
        loop {
            let waits = self.pending.len() > most;
            let member = match self.pending.pop_front() {
                None => return Ok(()),
                Some(Member::Done(member)) => member,
                Some(Member::Coming(coming, _permit)) if waits => coming.recv().map_err(|_| ended_early())??,
                Some(Member::Coming(coming, permit)) => match coming.try_recv() {
                    Ok(member) => member?,
                    Err(TryRecvError::Disconnected) => return Err(ended_early()),
                    Err(TryRecvError::Empty) => {
                        self.pending.push_front(Member::Coming(coming, permit));
                        return Ok(());
                    }
                },
            };
            self.out.write_all(&member)?;
        }
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

/// A few bytes as one member, as small as they get.
///
/// # Errors
/// When there is no memory for them.
pub fn gzip_smallest(bytes: &[u8]) -> io::Result<Vec<u8>> {
    gzip(&mut Compressor::new(CompressionLvl::best()), bytes)
}

type Job = (Vec<u8>, SyncSender<io::Result<Vec<u8>>>);

/// The threads that compress for the whole program.
struct Workers {
    jobs: SyncSender<Job>,
    /// How many blocks they may have. Who has more compresses them himself, so memory does not grow with the number of layers that are made at
    /// once.
    most: usize,
    /// How many they have, finished ones included that are not written yet.
    taken: AtomicUsize,
}

static WORKERS: OnceLock<Workers> = OnceLock::new();

impl Workers {
    fn start() -> Self {
        let wanted = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
        let (jobs, receiver) = sync_channel::<Job>(2 * wanted);
        let receiver = Arc::new(Mutex::new(receiver));
        let start_one = |_: &usize| {
            let receiver = Arc::clone(&receiver);
            thread::Builder::new().name("gzip".into()).spawn(move || work(&receiver)).is_ok()
        };
        // Where no thread can be had, there are none to send blocks to.
        let started = (0..wanted).take_while(start_one).count();
        Self { jobs, most: 2 * started, taken: AtomicUsize::new(0) }
    }

    /// Hands a block to the threads, or back where they have enough.
    fn submit(&'static self, block: Vec<u8>) -> Result<Member, Vec<u8>> {
        let take = |taken| (taken < self.most).then_some(taken + 1);
        if self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_err() {
            return Err(block);
        }
        let permit = Permit(self);
        let (sender, receiver) = sync_channel(1);
        self.jobs.send((block, sender)).map_err(|refused| refused.0.0)?;
        Ok(Member::Coming(receiver, permit))
    }
}

/// The right to have a block with the threads.
struct Permit(&'static Workers);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    let mut encoder = Encoder::default();
    loop {
        let job = jobs.lock().map(|jobs| jobs.recv());
        let Ok(Ok((block, answer))) = job else { return };
        // Nobody may want it any more.
        drop(answer.send(encoder.member(&block)));
    }
}

fn ended_early() -> io::Error {
    io::Error::other("a compressing thread ended early")
}

/// Makes members.
struct Encoder {
    strong: Compressor,
    /// Copies, and says so.
    none: Compressor,
    samples: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        let level = |level| CompressionLvl::new(level).unwrap_or_default();
        Self { strong: Compressor::new(level(LEVEL)), none: Compressor::new(level(0)), samples: Vec::with_capacity(SAMPLES * SAMPLE) }
    }
}

impl Encoder {
    fn member(&mut self, block: &[u8]) -> io::Result<Vec<u8>> {
        let encoder = if self.shrinks(block)? { &mut self.strong } else { &mut self.none };
        gzip(encoder, block)
    }

    /// Whether pieces of a block become a thirtieth smaller at least.
    fn shrinks(&mut self, block: &[u8]) -> io::Result<bool> {
        if block.len() < 2 * SAMPLES * SAMPLE {
            return Ok(true);
        }
        self.samples.clear();
        for start in (0..SAMPLES).map(|index| index * (block.len() / SAMPLES)) {
            self.samples.extend_from_slice(&block[start..start + SAMPLE]);
        }
        let compressed = gzip(&mut self.strong, &self.samples)?;
        Ok(compressed.len() < self.samples.len() - self.samples.len() / 30)
    }
}

fn gzip(encoder: &mut Compressor, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut member = vec![0; encoder.gzip_compress_bound(bytes.len())];
    let length = encoder.gzip_compress(bytes, &mut member).map_err(io::Error::other)?;
    member.truncate(length);
    Ok(member)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn compress(bytes: &[u8], step: usize) -> Vec<u8> {
        let mut gzip = Gzip::new(Vec::new());
        bytes.chunks(step).for_each(|chunk| gzip.write_all(chunk).unwrap());
        gzip.finish().unwrap()
    }

    fn decompress(bytes: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut all).unwrap();
        all
    }

    fn numbers(count: usize) -> Vec<u8> {
        (0..count as u32).flat_map(|number| (number / 7).to_le_bytes()).take(count).collect()
    }

    /// Bytes in which nothing repeats.
    fn noise(count: usize) -> Vec<u8> {
        use sha2::{Digest, Sha256};
        (0..count as u64 / 32 + 1).flat_map(|index| Sha256::digest(index.to_le_bytes())).take(count).collect()
    }

    /// TAR-14.
    #[test]
    fn bytes_depend_on_the_content_only() {
        let bytes = numbers(3_500_000);
        let once = compress(&bytes, bytes.len());
        for step in [777, 65_536, 1 << 20] {
            assert!(compress(&bytes, step) == once, "{step}");
        }
        // So many at once that most blocks are compressed by who has them.
        thread::scope(|scope| {
            let threads: Vec<_> = (0..20).map(|_| scope.spawn(|| compress(&bytes, 65_536))).collect();
            assert!(threads.into_iter().all(|thread| thread.join().unwrap() == once));
        });
        assert!(decompress(&once) == bytes);
    }

    /// TAR-14. Another version of the encoder may write other bytes: that changes the digest of every image and must not happen unseen.
    #[test]
    fn bytes_are_those_of_the_pinned_encoder() {
        let digest = crate::image::Digest::of(&compress(&[numbers(1_500_000), noise(1_500_000)].concat(), 1 << 20));
        assert_eq!(digest.hex(), "39ce899c1cbc76c19dd07f9ae35f79da36a33692dffbe58b0190e37381b9e7ce");
    }

    #[test]
    fn what_does_not_become_smaller_is_stored() {
        let bytes = noise(3 << 20);
        let stored = compress(&bytes, 1 << 20);
        assert!(stored.len() < bytes.len() + bytes.len() / 1000, "{}", stored.len());
        assert!(decompress(&stored) == bytes);
        let mixed = [&bytes[..1 << 20], &numbers(1 << 20)].concat();
        assert!(compress(&mixed, 1 << 20).len() < (3 << 20) / 2);
    }

    #[test]
    fn nothing_is_a_valid_member() {
        assert!(decompress(&compress(b"", 1)).is_empty());
    }
}
