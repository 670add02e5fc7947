//! Images in a Docker or Podman engine (IMG-17, IMG-25, IMG-26, IMG-31). The engine knows layers by their diffIDs; a launch cache beside it
//! has those of the last image, so that the engine need not be asked for them.

use super::{Found, Saved};
use crate::archive::Form;
use crate::daemon::{Engine, EngineImage, Kind, Present, Shipment, shared_layers};
use crate::error::{Context, Result};
use crate::image::{Digest, Image, Layer, Reference};
use crate::lifecycle::cache::LaunchCache;
use crate::lifecycle::documents::report::ImageReport;
use crate::output::Output;
use crate::store::Store;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How often an engine is asked for a sign of life during a build.
const BETWEEN_PINGS: Duration = Duration::from_millis(500);

/// The images of an engine.
pub struct Daemon {
    engine: Engine,
    launch_cache: Option<LaunchCache>,
}

impl Daemon {
    /// The images of an engine, and the launch cache where there is one.
    pub fn new(engine: Engine, launch_cache: Option<LaunchCache>) -> Self {
        Self { engine, launch_cache }
    }

    /// Finds the image of a name or an ID (IMG-04).
    pub fn find(&self, name: &str) -> Result<Option<Found>> {
        Ok(self.engine.image(name)?.map(|image| found(name, image)))
    }

    /// Finds the image of a name, as this engine calls it.
    pub fn named(&self, name: &Reference) -> Result<Option<Found>> {
        Ok(self.engine.named(name)?.map(|image| found(&name.to_string(), image)))
    }

    /// Brings a layer into the store (ANA-13).
    pub fn fetch(&self, found: &Found, layer: &Layer, store: &Store) -> Result<()> {
        let Some(cached) = self.cached(&layer.diff_id) else {
            let wanted = std::slice::from_ref(&layer.diff_id);
            return self.engine.fetch(&found.identifier, wanted, Form::Tar, store, &|_| ()).map(drop);
        };
        let mut blob = store.new_blob()?;
        io::copy(&mut File::open(&cached)?, &mut blob).context(|| format!("cannot copy the layer `{}`", cached.display()))?;
        blob.commit(&layer.diff_id)
    }

    /// Sends an image and gives it all its names.
    ///
    /// # Errors
    /// When the image cannot be sent; a name that is refused is told of in what is returned.
    pub fn save(&self, image: &Image, names: &[Reference], sources: &[&Found], store: &Store, output: &Output) -> Result<Saved> {
        let (first, others) = names.split_first().context(|| "the image has no name")?;
        let present = sources.iter().map(|source| shared_layers(image, &source.image)).max().unwrap_or(0);
        let files = &mut |layers: &[Layer]| self.files(layers, sources, store, output);
        let shipment = Shipment { image, documents: &image.documents(), name: first, present: Present::Lowest(present), files };
        let sent = self.engine.send(shipment, output).context(|| "saving image")?;
        let others = others.iter().map(|name| (name.clone(), self.engine.tag(&sent.id, name)));
        let names = std::iter::once((first.clone(), Ok(()))).chain(others).collect();
        self.keep(image, sources, store).context(|| "failed to commit cache")?;
        let report = ImageReport { image_id: sent.id.clone(), ..ImageReport::default() };
        Ok(Saved { identifier: sent.id.chars().take(12).collect(), names, report })
    }

    /// Keeps the connection open while `work` is done, which may take longer than an engine waits (CRE-06).
    pub fn kept_open<T>(&self, work: impl FnOnce() -> T) -> T {
        let (done, waiting) = channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                while waiting.recv_timeout(BETWEEN_PINGS) == Err(RecvTimeoutError::Timeout) {
                    // Whoever needs the connection will say what is wrong with it.
                    self.engine.ping().ok();
                }
            });
            let result = work();
            drop(done);
            result
        })
    }

    fn cached(&self, diff_id: &Digest) -> Option<PathBuf> {
        self.launch_cache.as_ref()?.layer(diff_id)
    }

    /// The files of layers: new ones are in the store, others in the launch cache, and what is in neither is fetched from the engine.
    fn files(&self, layers: &[Layer], sources: &[&Found], store: &Store, output: &Output) -> Result<Vec<PathBuf>> {
        let at_hand = |diff_id: &Digest| Some(store.blob_path(diff_id)).filter(|path| path.is_file()).or_else(|| self.cached(diff_id));
        let mut files: Vec<Option<PathBuf>> = layers.iter().map(|layer| at_hand(&layer.diff_id)).collect();
        if files.contains(&None) && self.engine.kind()? == Kind::Docker {
            // The store may have them as layers of its own images; a whole image of the engine has to be read for a single one.
            let known = store.known_layers()?;
            for (layer, file) in layers.iter().zip(&mut files) {
                *file = file.take().or_else(|| known.get(&layer.diff_id).map(|blob| store.blob_path(&blob.digest)));
            }
        }
        for source in sources {
            let missing = layers.iter().zip(&files).filter(|(_, file)| file.is_none()).map(|(layer, _)| &layer.diff_id);
            let wanted: Vec<Digest> =
                missing.filter(|diff_id| source.image.layers.iter().any(|layer| layer.diff_id == **diff_id)).cloned().collect();
            if wanted.is_empty() {
                continue;
            }
            let progress = output.progress(&format!("fetching layers of {}", source.name), None);
            self.engine.fetch(&source.identifier, &wanted, Form::Tar, store, &|bytes| progress.add(bytes))?;
            for (layer, file) in layers.iter().zip(&mut files).filter(|(layer, _)| wanted.contains(&layer.diff_id)) {
                *file = Some(store.blob_path(&layer.diff_id));
            }
        }
        let found = files.into_iter().zip(layers);
        found.map(|(file, layer)| file.context(|| format!("nothing has the layer {}", layer.diff_id))).collect()
    }

    /// EXP-39: the layers above the run image, which comes first of the sources.
    fn keep(&self, image: &Image, sources: &[&Found], store: &Store) -> Result<()> {
        let Some(cache) = &self.launch_cache else { return Ok(()) };
        let base = sources.first().map_or(0, |run| shared_layers(image, &run.image));
        let in_store = |diff_id: &Digest| Some(store.blob_path(diff_id)).filter(|path| path.is_file());
        cache.keep(image.layers[base..].iter().map(|layer| &layer.diff_id), in_store)
    }
}

fn found(name: &str, image: EngineImage) -> Found {
    Found { name: name.to_string(), identifier: image.id, image: image.image }
}
