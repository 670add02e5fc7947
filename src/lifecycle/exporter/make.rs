//! Makes the layers of an image, several at once: each folder is read, packed, hashed, compressed and stored in one pass. A layer that the
//! previous image has too is hashed first, because hashing costs a tenth of compressing; only if it differs is it read once more.

use super::Blobs;
use super::buildpack_layers::Previous;
use crate::archive::LayerWriter;
use crate::error::{Context, Error, Result};
use crate::image::{Digest, History, Layer};
use crate::lifecycle::layer::{Contents, Owner, write};
use crate::output::{Output, Progress};
use crate::store::{BlobWriter, Store};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One layer to make.
pub struct Job<'a> {
    /// What messages call it, as `acme/python:venv`.
    pub id: String,
    /// What the image's history says of it.
    pub created_by: String,
    /// What it holds.
    pub contents: Contents<'a>,
    /// What is known of it beforehand.
    pub known: Known,
}

/// What is known of a layer beforehand. A layer that is known has its blob in the store or with the previous image.
pub enum Known {
    /// Nothing.
    Nothing,
    /// It was this one in the previous image, and may be again.
    Previous(Layer),
    /// It is this one: nobody touched its files since it was made, or they are not at hand.
    Unchanged(Layer),
}

/// A layer that is in the store.
#[derive(Debug)]
pub struct Made {
    /// The layer.
    pub layer: Layer,
    /// Whether it was there before.
    pub reused: bool,
    /// Files that no layer can hold.
    pub left_out: Vec<String>,
}

/// Makes all layers and returns them in the order of the jobs.
pub fn make(jobs: &[Job], owner: Owner, store: &Store, output: &Output) -> Result<Vec<Made>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<Made>)>> = Mutex::new(Vec::new());
    let work = || {
        while let Some((index, job)) = take(jobs, &next) {
            let made = make_one(job, owner, store, output).context(|| format!("cannot export the layer `{}`", job.id));
            let failed = made.is_err();
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, made));
            if failed {
                next.store(jobs.len(), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, made)| made).collect()
}

fn take<'a>(jobs: &'a [Job<'a>], next: &AtomicUsize) -> Option<(usize, &'a Job<'a>)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(index).map(|job| (index, job))
}

fn make_one(job: &Job, owner: Owner, store: &Store, output: &Output) -> Result<Made> {
    let history = History { created_by: job.created_by.clone(), ..History::default() };
    let reused = |layer: &Layer, left_out| Made { layer: Layer { history: history.clone(), ..layer.clone() }, reused: true, left_out };
    match &job.known {
        Known::Unchanged(layer) => return Ok(reused(layer, Vec::new())),
        Known::Previous(layer) => {
            let mut hashed = Hashed(Sha256::new());
            let left_out = write(&job.contents, owner, &mut hashed)?;
            if Digest::from_sha256(hashed.0.finalize().into()) == layer.diff_id {
                return Ok(reused(layer, left_out));
            }
        }
        Known::Nothing => {}
    }
    let mut left_out = Vec::new();
    let progress = output.progress(&job.id, None);
    let layer = store.put_layer(history.clone(), |writer: &mut LayerWriter<BlobWriter>| {
        left_out = write(&job.contents, owner, &mut Counted { writer, progress: &progress })?;
        Ok(())
    })?;
    Ok(Made { layer, reused: false, left_out })
}

struct Counted<'a, W> {
    writer: W,
    progress: &'a Progress,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.writer.write(bytes)?;
        self.progress.add(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

struct Hashed(Sha256);

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The layer of the previous image with this diffID, if its blob is at hand.
pub fn find(previous: &Previous, diff_id: &str, store: &Store) -> Option<Layer> {
    let found = previous.layers().iter().find(|layer| layer.diff_id.as_str() == diff_id)?;
    (previous.blobs == Blobs::WithImage || store.has_blob(&found.blob.digest)).then(|| found.clone())
}

/// The error for a layer whose files are not at hand and cannot be reused.
pub fn cannot_reuse(id: &str) -> Error {
    Error::new(format!("cannot reuse '{id}', previous image has no metadata for layer '{id}'"))
}
