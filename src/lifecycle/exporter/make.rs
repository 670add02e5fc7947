//! Makes the layers of an image, several at once: each folder is read, packed, hashed, compressed and stored in one pass. A layer that the
//! previous image has too is hashed first, because hashing costs a tenth of compressing; only if it differs is it read once more.

use super::Blobs;
use super::buildpack_layers::Previous;
use super::destination::Destination;
use crate::archive::{Form, LayerWriter};
use crate::error::{Context, Error, Result};
use crate::image::{Descriptor, Hashing, History, Layer, media_type};
use crate::lifecycle::layer::{Contents, Owner, write};
use crate::output::{Counted, Output, Progress};
use crate::store::{BlobWriter, Store};
use std::io;
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
    /// Whether the cache takes its blob from the store.
    pub cached: bool,
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

/// Makes layers.
pub struct Maker<'a> {
    /// Who owns the files in them.
    pub owner: Owner,
    /// What their blobs are.
    pub form: Form,
    /// Where the blobs go.
    pub store: &'a Store,
    /// Where large ones go instead, while they are made.
    pub destination: Option<Destination<'a>>,
    /// Who hears of it.
    pub output: &'a Output,
}

impl Maker<'_> {
    /// Makes all layers and returns them in the order of the jobs.
    pub fn make(&self, jobs: &[Job]) -> Result<Vec<Made>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, Result<Made>)>> = Mutex::new(Vec::new());
        let work = || {
            while let Some((index, job)) = take(jobs, &next) {
                let made = self.make_one(job).context(|| format!("cannot export the layer `{}`", job.id));
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

    /// Makes the blobs of the layers that are the same as before and lie on others now, where their files are at hand. The first `unmoved`
    /// lie on the same.
    pub fn make_moved(&self, jobs: &[Job], made: &mut [Made], unmoved: usize) -> Result<()> {
        for (job, made) in jobs.iter().zip(made).skip(unmoved).filter(|(_, made)| made.reused) {
            if let Known::Previous(_) = job.known {
                made.layer = self.pack(job).context(|| format!("cannot export the layer `{}`", job.id))?.0;
            }
        }
        Ok(())
    }

    fn make_one(&self, job: &Job) -> Result<Made> {
        let reused = |layer: &Layer, left_out| Made { layer: Layer { history: job.history(), ..layer.clone() }, reused: true, left_out };
        match &job.known {
            Known::Unchanged(layer) => return Ok(reused(layer, Vec::new())),
            Known::Previous(layer) => {
                let mut tar = Hashing::new(io::sink());
                let left_out = write(&job.contents, self.owner, &mut tar)?;
                if tar.finish().0 == layer.diff_id {
                    return Ok(reused(layer, left_out));
                }
            }
            Known::Nothing => {}
        }
        let (layer, left_out) = self.pack(job)?;
        Ok(Made { layer, reused: false, left_out })
    }

    /// Packs the files of a layer. Returns the ones that no layer can hold too.
    fn pack(&self, job: &Job) -> Result<(Layer, Vec<String>)> {
        let progress = self.output.progress(&job.id, None);
        if let Some(destination) = self.destination.filter(|_| !job.cached && self.form == Form::Gzip) {
            match self.send(job, destination, &progress) {
                Ok(sent) => return Ok(sent),
                // From the store it can be sent as often as that takes.
                Err(error) => self.output.detail(&format!("Layer '{}' is stored and sent later: {error:?}", job.id)),
            }
        }
        let mut left_out = Vec::new();
        let layer = self.store.new_layer(self.form, |writer: &mut LayerWriter<BlobWriter>| {
            left_out = write(&job.contents, self.owner, &mut Counted { inner: writer, progress: &progress })?;
            Ok(())
        })?;
        Ok((layer.commit(job.history())?, left_out))
    }

    /// Packs the files of a layer and sends the blob at the same time.
    fn send(&self, job: &Job, destination: Destination, progress: &Progress) -> Result<(Layer, Vec<String>)> {
        let mut writer = LayerWriter::new(destination.begin(), self.form);
        let left_out = write(&job.contents, self.owner, &mut Counted { inner: &mut writer, progress })?;
        let (written, outgoing) = writer.finish().context(|| "cannot send the layer")?;
        outgoing.finish(&written, self.store)?;
        let blob = Descriptor::new(media_type::LAYER_GZIP, written.size, written.digest);
        Ok((Layer { blob, diff_id: written.diff_id, history: job.history() }, left_out))
    }
}

impl Job<'_> {
    fn history(&self) -> History {
        History { created_by: self.created_by.clone(), ..History::default() }
    }
}

fn take<'a>(jobs: &'a [Job<'a>], next: &AtomicUsize) -> Option<(usize, &'a Job<'a>)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(index).map(|job| (index, job))
}

/// The layer of the previous image with this diffID, if its blob is at hand.
pub fn find(previous: &Previous, diff_id: &str, store: &Store) -> Option<Layer> {
    let found = previous.layers().iter().find(|layer| layer.diff_id.as_str() == diff_id)?;
    (previous.blobs != Blobs::InStore || store.has_blob(&found.blob.digest)).then(|| found.clone())
}

/// The error for a layer whose files are not at hand and cannot be reused.
pub fn cannot_reuse(id: &str) -> Error {
    Error::new(format!("cannot reuse '{id}', previous image has no metadata for layer '{id}'"))
}
