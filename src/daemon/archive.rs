//! Sends an image to an engine as `docker load` takes it: only the layers that the engine lacks have content (IMG-25).

use super::{Engine, EngineImage};
use crate::archive::{Entry, TarWriter};
use crate::error::{Context, Error, Result};
use crate::image::{Digest, Image, Layer, Reference, to_json};
use crate::output::Output;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// An image on its way to an engine.
pub struct Shipment<'a> {
    /// The image.
    pub image: &'a Image,
    /// The name that it gets.
    pub name: &'a Reference,
    /// How many of its lowest layers the engine has in another image.
    pub present: usize,
    /// Finds the files of layers, compressed or not.
    pub files: &'a mut dyn FnMut(&[Layer]) -> Result<Vec<PathBuf>>,
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
    /// Sends an image and returns what the engine made of it. Where the engine does not accept that it has the lowest layers, all are sent.
    ///
    /// # Errors
    /// When a layer cannot be found, or the engine refuses the image.
    pub fn send(&self, shipment: Shipment, output: &Output) -> Result<EngineImage> {
        let Shipment { image, name, present, files } = shipment;
        let describe = || format!("cannot load the image `{name}` into the engine");
        let present = if present > 0 && self.needs_all_layers()? { 0 } else { present.min(image.layers.len()) };
        let new = files(&image.layers[present..])?;
        let mut loaded = self.load(&mut |upload| write(upload, image, name, &new));
        if let Err(error) = &loaded
            && present > 0
        {
            output.detail(&format!("the engine wants all layers: {error:?}"));
            let all = files(&image.layers)?;
            loaded = self.load(&mut |upload| write(upload, image, name, &all));
        }
        loaded.context(describe)?;
        let made = self.image(&name.full())?.context(|| "the engine does not have it afterwards").context(describe)?;
        let diff_ids = |image: &Image| image.layers.iter().map(|layer| layer.diff_id.clone()).collect::<Vec<_>>();
        if diff_ids(&made.image) == diff_ids(image) {
            Ok(made)
        } else {
            Err(Error::new("the engine has other layers under this name afterwards")).context(describe)
        }
    }
}

/// The number of layers that two images share, from the lowest up.
pub fn shared_layers(one: &Image, other: &Image) -> usize {
    one.layers.iter().zip(&other.layers).take_while(|(one, other)| one.diff_id == other.diff_id).count()
}

/// Writes the archive; `files` are those of the highest layers.
fn write(out: impl Write, image: &Image, name: &Reference, files: &[PathBuf]) -> Result<()> {
    let mut tar = TarWriter::new(out);
    let time = Entry::NORMAL_TIME;
    let mut append = |name: &str, size: u64, content: &mut dyn io::Read| tar.append(&Entry::file(name, size, 0o644, 0, 0, time), content);
    let config = image.documents().config;
    let config_name = format!("{}.json", Digest::of(&config).hex());
    append(&config_name, config.len() as u64, &mut config.as_slice())?;
    let present = image.layers.len() - files.len();
    let mut names = Vec::new();
    for index in 0..present {
        // The engine looks for the layer by what lies below it, and does not open the file.
        let blank = format!("blank_{index}");
        append(&blank, 0, &mut io::empty())?;
        names.push(blank);
    }
    let mut written = BTreeSet::new();
    for (layer, path) in image.layers[present..].iter().zip(files) {
        let file_name = format!("{}.tar", layer.diff_id.hex());
        if written.insert(file_name.clone()) {
            let describe = || format!("cannot send the layer `{}`", path.display());
            let mut file = File::open(path).context(describe)?;
            let size = file.metadata().context(describe)?.len();
            append(&file_name, size, &mut file).context(describe)?;
        }
        names.push(file_name);
    }
    let manifest = to_json(&[Manifest { config: config_name, repo_tags: vec![name.familiar()], layers: names }]);
    append("manifest.json", manifest.len() as u64, &mut manifest.as_slice())?;
    let mut out = tar.finish()?;
    Ok(out.flush()?)
}
