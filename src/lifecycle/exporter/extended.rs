//! What extensions made of the run image: a sparse OCI layout that the extender left (EXP-02 to EXP-04, EXP-43).

use super::Blobs;
use crate::archive::{TarWriter, copy_with_time, decompressed};
use crate::error::{Context, Result};
use crate::image::{History, Image};
use crate::lifecycle::images::sparse::read_only_one;
use crate::lifecycle::images::{Found, Layouts};
use crate::output::Output;
use crate::store::Store;
use std::path::{Path, PathBuf};

/// The extended run image.
pub struct Extended {
    found: Found,
    here: Vec<bool>,
    folder: PathBuf,
}

/// Whether an image is used with all that extensions changed, or with its new layers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Configuration {
    /// Its configuration replaces the run image's.
    Extended,
    /// The run image's stays.
    RunImage,
}

/// What the new layers come on top of, and for.
pub struct Onto<'a> {
    /// The run image.
    pub run_image: &'a Image,
    /// Whose configuration counts.
    pub configuration: Configuration,
    /// Where the blobs go.
    pub blobs: Blobs,
}

/// The extended run image in `<extended>`, if there is one.
///
/// # Errors
/// When there are several, or it cannot be read.
pub fn read(extended: &Path) -> Result<Option<Extended>> {
    let folder = extended.join("run");
    let found = read_only_one(&folder).context(|| "cannot read the extended run image")?;
    Ok(found.map(|(found, here)| Extended { found, here, folder }))
}

impl Extended {
    /// Puts the new layers on top of the run image, with one time for all files in them; their blobs go into the store.
    ///
    /// # Errors
    /// When a layer is damaged.
    pub fn on(&self, onto: &Onto, store: &Store, output: &Output) -> Result<Image> {
        let mut image = onto.run_image.clone();
        let layouts = Layouts::new(self.folder.clone());
        for (number, layer) in self.found.image.layers.iter().enumerate().filter(|(number, _)| self.here[*number]) {
            let extension = layer.history.created_by.rsplit_once("extension: ").map_or("", |(_, extension)| extension);
            output.line(&format!("Adding layer '{extension}:extended-layer-{number}'"));
            layouts.fetch(&self.found, layer, store)?;
            let history = History { created_by: layer.history.created_by.clone(), ..History::default() };
            let normal = store.new_layer(onto.blobs.form(), |out| {
                let mut tar = TarWriter::new(out);
                copy_with_time(decompressed(store.blob(&layer.blob.digest)?)?, &mut tar)
            });
            let describe = || format!("cannot use the layer {} of the extended run image", layer.diff_id);
            image.layers.push(normal.and_then(|layer| layer.commit(history)).context(describe)?);
        }
        if onto.configuration == Configuration::Extended {
            image.config.config = self.found.image.config.config.clone();
        }
        Ok(image)
    }
}
