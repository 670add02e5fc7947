//! Sends an image to an engine as `docker load` takes it: only the layers that the engine lacks have content (IMG-25).

use super::{Engine, EngineImage, Kind};
use crate::archive::{Entry, TarWriter};
use crate::error::{Context, Error, Result};
use crate::image::{Descriptor, Digest, Documents, Image, Index, Layer, Reference, layout, to_json};
use crate::output::{Counted, Output, Progress};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

/// An image on its way to an engine.
pub struct Shipment<'a> {
    /// The image.
    pub image: &'a Image,
    /// Its documents.
    pub documents: &'a Documents,
    /// The name that it gets.
    pub name: &'a Reference,
    /// What of it the engine has.
    pub present: Present,
    /// Finds the files of layers, compressed or not.
    pub files: &'a mut dyn FnMut(&[Layer]) -> Result<Vec<PathBuf>>,
}

/// What an engine has of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    #[default]
    Nothing,
    /// So many of the lowest layers, in another image.
    Lowest(usize),
    /// Blobs, which containerd knows by their digests. The files are the very blobs of the manifest.
    Blobs(BTreeSet<Digest>),
}

/// What `manifest.json` says of an image, as Docker reads it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Manifest {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

impl Engine {
    /// Sends an image and returns what the engine made of it. Where the engine does not accept that it has some layers, all are sent. An
    /// image that had the name before keeps it until the engine has the whole new one.
    ///
    /// # Errors
    /// When a layer cannot be found, or the engine refuses the image.
    pub fn send(&self, mut shipment: Shipment, output: &Output) -> Result<EngineImage> {
        let name = shipment.name.clone();
        let describe = || format!("cannot load the image `{name}` into the engine");
        let (mut present, nothing) = (shipment.present.clone(), shipment.present.of_nothing());
        if present != nothing && !present.fits(self.kind()?) {
            present = nothing.clone();
        }
        let mut loaded = self.send_once(&mut shipment, &present, output);
        if let Err(error) = &loaded
            && present != nothing
            && self.ping().is_ok()
        {
            output.detail(&format!("the engine wants all layers: {error:?}"));
            loaded = self.send_once(&mut shipment, &nothing, output);
        }
        loaded.context(describe)?;
        let made = self.named(&name)?.context(|| "the engine does not have it afterwards").context(describe)?;
        let diff_ids = |image: &Image| image.layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>();
        if diff_ids(&made.image) == diff_ids(shipment.image) {
            Ok(made)
        } else {
            Err(Error::new("the engine has other layers under this name afterwards")).context(describe)
        }
    }

    fn send_once(&self, shipment: &mut Shipment, present: &Present, output: &Output) -> Result<()> {
        let wanted: Vec<Layer> = present.missing(&shipment.image.layers).cloned().collect();
        let found = (shipment.files)(&wanted)?;
        let size = |path: &PathBuf| path.metadata().map_or(0, |metadata| metadata.len());
        let progress = output.progress(&format!("loading {}", shipment.name.familiar()), Some(found.iter().map(size).sum()));
        let files: Vec<(&Layer, &PathBuf)> = wanted.iter().zip(&found).collect();
        self.load(&mut |upload| {
            let mut archive = Archive { tar: TarWriter::new(upload), name: self.called(shipment.name), progress: &progress };
            match present {
                Present::Nothing | Present::Lowest(_) => archive.write_docker(shipment, &files)?,
                Present::Blobs(_) => archive.write_layout(shipment, &files)?,
            }
            Ok(archive.tar.finish()?.flush()?)
        })
    }
}

impl Present {
    /// The same form of archive with everything in it.
    fn of_nothing(&self) -> Self {
        match self {
            Self::Nothing => Self::Nothing,
            Self::Lowest(_) => Self::Lowest(0),
            Self::Blobs(_) => Self::Blobs(BTreeSet::new()),
        }
    }

    /// Whether an engine can do without what it has.
    fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Nothing => true,
            Self::Lowest(_) => kind == Kind::Docker,
            Self::Blobs(_) => kind == Kind::Containerd,
        }
    }

    fn missing<'a>(&'a self, layers: &'a [Layer]) -> Box<dyn Iterator<Item = &'a Layer> + 'a> {
        match self {
            Self::Nothing => Box::new(layers.iter()),
            Self::Lowest(count) => Box::new(layers.iter().skip(*count)),
            Self::Blobs(there) => Box::new(layers.iter().filter(|layer| !there.contains(&layer.blob.digest))),
        }
    }
}

/// The number of layers that two images share, from the lowest up.
pub fn shared_layers(one: &Image, other: &Image) -> usize {
    one.layers.iter().zip(&other.layers).take_while(|(one, other)| one.diff_id == other.diff_id).count()
}

struct Archive<'a, W: Write> {
    tar: TarWriter<W>,
    /// What the engine calls the image.
    name: String,
    progress: &'a Progress,
}

impl<W: Write> Archive<'_, W> {
    /// Writes the image in Docker's own form. The files are those of the highest layers.
    fn write_docker(&mut self, shipment: &Shipment, files: &[(&Layer, &PathBuf)]) -> Result<()> {
        let config = &shipment.documents.config;
        let config_name = format!("{}.json", Digest::of(config).hex());
        self.document(&config_name, config)?;
        let mut names = Vec::new();
        for index in 0..shipment.image.layers.len() - files.len() {
            // The engine looks for the layer by what lies below it, and does not open the file.
            let blank = format!("blank_{index}");
            self.document(&blank, &[])?;
            names.push(blank);
        }
        let mut written = BTreeSet::new();
        for (layer, path) in files {
            let file_name = format!("{}.tar", layer.diff_id.hex());
            if written.insert(file_name.clone()) {
                self.file(&file_name, path)?;
            }
            names.push(file_name);
        }
        let manifest = Manifest { config: config_name, repo_tags: vec![self.name.clone()], layers: names };
        self.document("manifest.json", &to_json(&[manifest]))
    }

    /// Writes the image as an OCI layout, which keeps its digest.
    fn write_layout(&mut self, shipment: &Shipment, files: &[(&Layer, &PathBuf)]) -> Result<()> {
        let place = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
        let documents = shipment.documents;
        let mut written = BTreeSet::new();
        for (layer, path) in files {
            if written.insert(&layer.blob.digest) {
                self.file(&place(&layer.blob.digest), path)?;
            }
        }
        self.document(&place(&Digest::of(&documents.config)), &documents.config)?;
        self.document(&place(&documents.descriptor.digest), &documents.manifest)?;
        let tag = shipment.name.tag().unwrap_or("latest");
        let mut entry: Descriptor = documents.descriptor.clone();
        entry.annotations.insert("io.containerd.image.name".into(), self.name.clone());
        entry.annotations.insert(layout::NAME.into(), tag.into());
        self.document("index.json", &to_json(&Index { manifests: vec![entry], ..Index::default() }))?;
        self.document("oci-layout", layout::MARKER.as_bytes())
    }

    fn document(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        Ok(self.tar.append(&Entry::file(name, bytes.len() as u64, 0o644, 0, 0, Entry::NORMAL_TIME), bytes)?)
    }

    fn file(&mut self, name: &str, path: &PathBuf) -> Result<()> {
        let describe = || format!("cannot send the layer `{}`", path.display());
        let file = File::open(path).context(describe)?;
        let size = file.metadata().context(describe)?.len();
        let counted = Counted { inner: file, progress: self.progress };
        self.tar.append(&Entry::file(name, size, 0o644, 0, 0, Entry::NORMAL_TIME), counted).context(describe)
    }
}
