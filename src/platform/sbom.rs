//! SBOM files of an image, as buildpacks and the launcher wrote them (CLI-43, SBOM-15).

use super::images::Images;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Image, Reference};
use crate::lifecycle::documents::LIFECYCLE_METADATA_LABEL;
use crate::lifecycle::documents::layers_metadata::LayersMetadata;
use crate::registry::Lookup;
use std::fs;
use std::path::Path;
use walkdir::WalkDir;

/// Where the image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// In the store.
    Store,
    /// In the registry that its name says.
    Registry,
}

/// Writes the SBOM files of an image into a folder, at the paths that they have in the image, and returns how many there are.
///
/// # Errors
/// When there is no such image, it has no SBOM files, or they cannot be written.
pub fn download(name: &Reference, from: From, folder: &Path, images: &Images) -> Result<usize> {
    let (image, registry) = match from {
        From::Store => (images.of_store(name)?.image, None),
        From::Registry => match images.registries.find(name)? {
            Lookup::Found(remote) => (remote.image, Some(remote.name)),
            Lookup::Missing | Lookup::OtherPlatforms(_) => {
                return Err(Error::new(format!("the registry does not have `{}` for this machine", name.full())))
                    .hint("check the name and the tag");
            }
        },
    };
    let digest =
        layer_digest(&image).context(|| format!("`{name}` has no SBOM files")).hint("only images that buildpacks built have them")?;
    let layer = image.layers.iter().find(|layer| layer.diff_id.as_str() == digest);
    let layer = layer.context(|| format!("`{name}` lacks the layer with its SBOM files, {digest}"))?;
    if let Some(registry) = &registry {
        images.registries.fetch_layer(registry, layer, images.store)?;
    }
    let tree = images.store.unpacked(layer)?.tree;
    copy_files(&tree, folder).context(|| format!("cannot write the SBOM files into `{}`", folder.display()))
}

fn layer_digest(image: &Image) -> Option<String> {
    let metadata = LayersMetadata::from_label(image.label(LIFECYCLE_METADATA_LABEL)?).ok()?;
    metadata.sbom.map(|sbom| sbom.sha).filter(|sha| !sha.is_empty())
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
