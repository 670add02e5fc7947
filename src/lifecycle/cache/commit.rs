//! Puts the layers of a successful build into the cache.

use super::copy::copy_tree;
use super::restore::{RestoredLayer, Source};
use super::{BLOBS, Blob, Cache, Contents, SBOM, State, layer_id};
use crate::error::{Context, Result};
use crate::lifecycle::documents::layers_metadata::{BuildpackLayer, BuildpackLayers};
use crate::lifecycle::layer::fingerprint::Fingerprint;
use crate::output::Output;
use crate::store::Store;
use std::fs;
use std::path::{Path, PathBuf};

/// A layer with `cache = true` as the build left it.
#[derive(Clone, Debug)]
pub struct CachedLayer {
    /// The buildpack's ID.
    pub buildpack: String,
    /// The layer's name.
    pub name: String,
    /// What is known of it.
    pub metadata: BuildpackLayer,
    /// Its contents.
    pub path: PathBuf,
    /// The layer as the image holds it, where it is in the image.
    pub blob: Option<Blob>,
    /// What was restored, where nobody touched it since.
    pub untouched: Option<RestoredLayer>,
}

/// The layers of a successful build that are to be cached.
#[derive(Clone, Debug, Default)]
pub struct NewContents {
    /// Each buildpack of the group, as ID and version.
    pub buildpacks: Vec<(String, String)>,
    /// The layers.
    pub layers: Vec<CachedLayer>,
    /// The folder of the SBOM files of cached layers, where there is one.
    pub sbom: Option<PathBuf>,
}

impl Cache {
    /// Replaces what is cached. The contents of the layers are moved, so this is the last step of a build; a layer that cannot be cached is
    /// left out with a warning. `store` has the blobs.
    pub fn commit(&mut self, new: &NewContents, store: &Store, output: &Output) -> Result<()> {
        let mut state = State { buildpacks: new.buildpacks.iter().map(empty_entry).collect(), ..State::default() };
        for layer in &new.layers {
            let id = layer_id(&layer.buildpack, &layer.name);
            match self.put(&id, layer, store) {
                Ok(contents) => {
                    output.detail(&format!("Caching layer '{id}'"));
                    state.contents.insert(id, contents);
                    let entry = state.buildpacks.iter_mut().find(|entry| entry.key == layer.buildpack);
                    entry.map(|entry| entry.layers.insert(layer.name.clone(), layer.metadata.clone()));
                }
                Err(error) => output.warn(&format!("the layer `{id}` is not cached: {error:?}")),
            }
        }
        state.sbom = new.sbom.as_deref().map(|sbom| self.put_sbom(sbom)).transpose()?;
        self.save(state)?;
        self.sweep()
    }

    fn put(&self, id: &str, layer: &CachedLayer, store: &Store) -> Result<Contents> {
        let blob = layer.blob.clone().filter(|blob| self.keep_blob(blob, store));
        let before = self.state.contents.get(id);
        if let (Some(restored), Some(before)) = (&layer.untouched, before) {
            let place = self.contents_path(before);
            let is_there = match restored.source {
                Source::Copied => true,
                Source::Lent | Source::Unpacked => !place.exists() && fs::rename(&layer.path, &place).is_ok(),
            };
            if is_there {
                let fingerprint = if restored.source == Source::Copied { &before.fingerprint } else { restored.fingerprint() };
                return Ok(Contents { folder: before.folder.clone(), fingerprint: fingerprint.clone(), blob });
            }
        }
        let folder = self.free_name(id);
        let place = self.folder.join(super::LAYERS).join(&folder);
        move_tree(&layer.path, &place)?;
        Ok(Contents { fingerprint: Fingerprint::of(&place)?, folder, blob })
    }

    /// Gives the store's blob a second name in the cache. Without it the layer is cached, but will be copied instead of lent.
    fn keep_blob(&self, blob: &Blob, store: &Store) -> bool {
        let place = self.folder.join(BLOBS).join(blob.descriptor.digest.hex());
        place.is_file() || fs::hard_link(store.blob_path(&blob.descriptor.digest), place).is_ok()
    }

    fn put_sbom(&self, sbom: &Path) -> Result<String> {
        let mut names = (1_u64..).map(|number| number.to_string());
        let name = names.find(|name| !self.folder.join(SBOM).join(name).exists()).unwrap_or_default();
        copy_tree(sbom, &self.folder.join(SBOM).join(&name)).context(|| "cannot cache the SBOM files")?;
        Ok(name)
    }

    /// Makes sure that the store has a blob that the cache has; says whether it has it now.
    pub fn provide(&self, blob: &Blob, store: &Store) -> bool {
        let digest = &blob.descriptor.digest;
        store.has_blob(digest) || fs::hard_link(self.blob_path(blob), store.blob_path(digest)).is_ok()
    }
}

fn empty_entry((id, version): &(String, String)) -> BuildpackLayers {
    BuildpackLayers { key: id.clone(), version: version.clone(), ..BuildpackLayers::default() }
}

fn move_tree(from: &Path, to: &Path) -> Result<()> {
    if fs::rename(from, to).is_ok() { Ok(()) } else { copy_tree(from, to) }
}
