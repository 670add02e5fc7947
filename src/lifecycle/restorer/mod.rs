//! Restore: give the buildpacks what they left behind the last time (Platform spec, restorer; Buildpack spec, "Layer Types").

mod metadata;
mod sbom;

pub use sbom::{EXTENSIONS as SBOM_EXTENSIONS, LARGEST as LARGEST_SBOM};

use super::cache::{Cache, RestoredLayer, layer_id};
use super::documents::layers_metadata::{BuildpackLayer, LayersMetadata};
use super::documents::toml_of_json;
use super::layer::Owner;
use crate::buildpack::{GroupElement, escape_id};
use crate::error::{Advice, Context, Result};
use crate::image::Image;
use crate::output::Output;
use crate::store::Store;
use launcher::api::Api;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What is restored, and for whom.
pub struct Restore<'a> {
    /// The layers folder on this machine.
    pub layers: &'a Path,
    /// The buildpacks that will build.
    pub group: &'a [GroupElement],
    /// What the previous image is made of.
    pub metadata: &'a LayersMetadata,
    /// The previous image, whose SBOM layer is read.
    pub previous: Option<&'a Image>,
    /// The cache, where there is one.
    pub cache: Option<&'a dyn Cache>,
    /// The Platform API that the platform speaks.
    pub platform_api: Api,
    /// Whom the files must belong to on this machine, where that is not this process's user.
    pub owner: Option<Owner>,
    /// How much is restored.
    pub extent: Extent,
}

/// How much is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything that the last build left.
    Everything,
    /// What buildpacks keep in `store.toml` only (`--clear-cache`, skip-layers).
    StoreOnly,
}

/// The layers whose contents are there again, by `BUILDPACK:LAYER`.
pub type Restored = BTreeMap<String, RestoredLayer>;

/// Restores what the buildpacks left behind the last time.
///
/// # Errors
/// When the layers folder cannot be written. What cannot be restored is left out with a warning.
pub fn restore(request: &Restore, store: &Store, output: &Output) -> Result<Restored> {
    restore_all(request, store, output).code(42)
}

fn restore_all(request: &Restore, store: &Store, output: &Output) -> Result<Restored> {
    restore_stores(request)?;
    if request.extent == Extent::StoreOnly {
        output.line("Skipping buildpack layer analysis");
        return Ok(Restored::new());
    }
    if request.cache.is_some_and(|cache| !cache.exists()) {
        output.line("Layer cache not found");
    }
    let mut restored = Restored::new();
    let mut layers = Vec::new();
    for layer in metadata::choose(request, output) {
        if restore_layer(request, &layer, &mut restored, output)? {
            layers.push(layer);
        }
    }
    if request.platform_api >= Api::new(0, 8) {
        sbom::restore(request, &layers, store, output)?;
    }
    Ok(restored)
}

/// RES-01.
fn restore_stores(request: &Restore) -> Result<()> {
    for GroupElement { id: buildpack, .. } in request.group {
        let Some(kept) = request.metadata.buildpack(buildpack).and_then(|layers| layers.store.as_ref()) else { continue };
        write_metadata(&request.folder(buildpack)?.join("store.toml"), &kept.metadata, request.owner)?;
    }
    Ok(())
}

/// Restores metadata and contents of one layer, or neither. Says whether they are there.
fn restore_layer(request: &Restore, layer: &metadata::Chosen, restored: &mut Restored, output: &Output) -> Result<bool> {
    let id = layer_id(&layer.buildpack, &layer.name);
    let folder = request.folder(&layer.buildpack)?;
    if layer.metadata.cache {
        let Some(contents) = restore_contents(request, layer, &id, &folder, output) else { return Ok(false) };
        restored.insert(id, contents);
    }
    write_metadata(&folder.join(format!("{}.toml", layer.name)), &layer.metadata.data, request.owner)?;
    Ok(true)
}

fn restore_contents(request: &Restore, layer: &metadata::Chosen, id: &str, folder: &Path, output: &Output) -> Option<RestoredLayer> {
    let cache = request.cache?;
    let cached = cache.layers(&layer.buildpack)?.get(&layer.name)?;
    if cached.sha != layer.metadata.sha {
        output.line(&format!("Removing \"{id}\", wrong sha"));
        return None;
    }
    match cache.restore(id, &folder.join(&layer.name), request.owner) {
        Ok(contents) => {
            output.line(&format!("Restoring data for \"{id}\" from cache"));
            Some(contents)
        }
        // The reference leaves the metadata, and the build then fails for want of contents; without either, the buildpack makes both anew.
        Err(error) => {
            output.warn(&format!("Skipping restore for layer {id}: {error:?}"));
            None
        }
    }
}

impl Restore<'_> {
    /// The folder of a buildpack in the layers folder; it is made where it is missing.
    fn folder(&self, buildpack: &str) -> Result<PathBuf> {
        let folder = self.layers.join(escape_id(buildpack));
        if !folder.exists() {
            fs::create_dir_all(&folder).context(|| format!("cannot make `{}`", folder.display()))?;
            give(&folder, self.owner)?;
        }
        Ok(folder)
    }
}

/// Writes a TOML file with the table `[metadata]` and nothing else (RES-04).
fn write_metadata(path: &Path, data: &serde_json::Value, owner: Option<Owner>) -> Result<()> {
    let describe = || format!("cannot write `{}`", path.display());
    let mut document = toml::Table::new();
    document.extend(toml_of_json(data).map(|metadata| ("metadata".to_string(), metadata)));
    fs::write(path, toml::to_string(&document).context(describe)?).context(describe)?;
    give(path, owner)
}

fn give(path: &Path, owner: Option<Owner>) -> Result<()> {
    owner.map_or(Ok(()), |owner| super::cache::give(path, owner))
}

#[cfg(test)]
mod tests;
