//! What is in an image: the SBOM files as buildpacks and the launcher wrote them, and one document for each format that joins them with the
//! packages of the operating system. Start with [`Images::sbom`].

mod entries;
pub mod label;
mod system;

use super::images::Images;
use super::transfer::Opened;
use crate::error::{Context, Result};
use crate::image::{CREATED, Digest, Documents, Image, Layer, Reference};
use crate::lifecycle::documents::LIFECYCLE_METADATA_LABEL;
use crate::lifecycle::documents::layers_metadata::LayersMetadata;
use sbom::{Document, Format, ImageLayer, Inventory, Subject};
use std::fs;
use std::path::Path;
use walkdir::WalkDir;

/// An image whose packages are asked for.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// It.
    pub image: &'a Image,
    /// Its documents.
    pub documents: &'a Documents,
    /// What a person calls it, without a tag.
    pub name: &'a str,
    /// The registry that has the layers which the store has not.
    pub registry: Option<&'a Reference>,
}

/// All packages of an image.
pub struct Merged {
    /// They.
    pub inventory: Inventory,
    /// What a reader must know.
    pub notes: Vec<String>,
    name: String,
    created: String,
    subject: Subject,
}

impl Merged {
    /// The document of a format. Equal images have equal ones, wherever they are.
    pub fn document(&self, format: Format) -> Vec<u8> {
        let document = Document {
            name: &self.name,
            created: &self.created,
            tool: "cooper",
            version: env!("CARGO_PKG_VERSION"),
            subject: Some(&self.subject),
            notes: &self.notes,
        };
        sbom::write(format, &self.inventory, &document)
    }
}

impl Opened {
    /// The images, as [`Images::sbom`] takes them, with the name that all places share.
    pub fn about<'a>(&'a self, name: &'a str) -> impl Iterator<Item = About<'a>> {
        self.documented().map(move |(image, documents)| About { image, documents, name, registry: self.registry() })
    }
}

/// What an image is called in documents: the last part of its name, which is the same wherever it is.
pub fn name_of(name: &Reference) -> &str {
    name.repository().rsplit('/').next().unwrap_or_default()
}

impl Images<'_> {
    /// All packages of an image: what its SBOM files say and what the databases of its operating system do. Of the layers of one in a registry only
    /// those are fetched that are needed.
    ///
    /// # Errors
    /// When a layer cannot be had or read.
    pub fn sbom(&self, about: &About) -> Result<Merged> {
        let mut notes = Vec::new();
        let mut inventory = match self.sbom_layer(about)? {
            Some((layer, metadata)) => {
                let tree = self.store.unpacked(layer)?.tree;
                entries::read(&tree, layer, &metadata, &mut notes)?
            }
            None => {
                notes.push("the image has no SBOM files of buildpacks: only packages of its operating system are listed".into());
                Inventory::default()
            }
        };
        let found = system::find(about, self).context(|| "cannot list the packages of the operating system")?;
        inventory.join(found.inventory);
        notes.extend(found.notes);
        Ok(Merged { inventory, notes, name: about.name.to_string(), created: created(about.image), subject: subject(about) })
    }

    /// The layer with SBOM files, in the store, and what the image says of its layers; nothing where it has none.
    fn sbom_layer<'a>(&self, about: &About<'a>) -> Result<Option<(&'a Layer, LayersMetadata)>> {
        let metadata = about.image.label(LIFECYCLE_METADATA_LABEL).and_then(|label| LayersMetadata::from_label(label).ok());
        let Some(metadata) = metadata else { return Ok(None) };
        let Some(digest) = metadata.sbom.as_ref().map(|sbom| sbom.sha.clone()).filter(|sha| !sha.is_empty()) else { return Ok(None) };
        let layer = about.image.layers.iter().find(|layer| layer.diff_id.as_str() == digest);
        let layer = layer.context(|| format!("the image lacks the layer with its SBOM files, {digest}"))?;
        if let Some(registry) = about.registry {
            self.registries.fetch_layer(registry, layer, self.store)?;
        }
        Ok(Some((layer, metadata)))
    }

    /// Writes the SBOM files of an image into a folder, at the paths that they have in the image, and returns how many there are (CLI-43, SBOM-15).
    ///
    /// # Errors
    /// When they cannot be had or written.
    pub fn write_sbom_files(&self, about: &About, folder: &Path) -> Result<usize> {
        let Some((layer, _)) = self.sbom_layer(about)? else { return Ok(0) };
        let tree = self.store.unpacked(layer)?.tree;
        copy_files(&tree, folder).context(|| format!("cannot write the SBOM files into `{}`", folder.display()))
    }
}

/// Writes the merged documents into a folder.
///
/// # Errors
/// When they cannot be written.
pub fn write_documents(merged: &Merged, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).context(|| format!("cannot make `{}`", folder.display()))?;
    for format in Format::ALL {
        let path = folder.join(file_name(format));
        fs::write(&path, merged.document(format)).context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

/// What the file with a merged document is called.
pub fn file_name(format: Format) -> String {
    format!("sbom.{}", format.ending())
}

/// When the image was made, as far as documents can say it: in whole seconds of UTC.
fn created(image: &Image) -> String {
    let time = image.config.created.parse::<jiff::Timestamp>();
    time.map_or_else(|_| CREATED.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

fn subject(about: &About) -> Subject {
    let layer =
        |layer: &Layer| ImageLayer { diff_id: layer.diff_id.to_string(), media_type: layer.blob.media_type.clone(), size: layer.blob.size };
    Subject {
        digest: about.documents.descriptor.digest.to_string(),
        config: Digest::of(&about.documents.config).to_string(),
        media_type: about.documents.descriptor.media_type.clone(),
        os: about.image.config.os.clone(),
        architecture: about.image.config.architecture.clone(),
        layers: about.image.layers.iter().map(layer).collect(),
    }
}

/// Copies the regular files of a folder and returns how many there are; links are not followed. What is not there has none.
///
/// # Errors
/// When something cannot be read or written.
pub(super) fn copy_files(from: &Path, to: &Path) -> Result<usize> {
    let mut count = 0;
    fs::create_dir_all(to)?;
    for entry in WalkDir::new(from).min_depth(1).sort_by_file_name() {
        let entry = match entry {
            Err(error) if error.depth() == 0 => return Ok(0),
            other => other.context(|| "cannot list them")?,
        };
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(Path::new("")));
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)?;
        } else if entry.file_type().is_file() {
            fs::write(&target, fs::read(entry.path())?)?;
            count += 1;
        }
    }
    Ok(count)
}
