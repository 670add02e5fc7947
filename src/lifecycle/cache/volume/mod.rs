//! The cache in a folder of the reference's form (CACHE-01 to CACHE-09): `committed` has each layer as an uncompressed tar, named by its
//! diffID, and the metadata; a commit fills `staging` and takes its place.

mod folder;

pub use folder::Volume;

use super::unpack::{bring, bring_sbom, unpack_checked};
use super::{Blob, Cache, CachedLayer, NewContents, RestoredLayer, Source, layer_id};
use crate::error::{Context, Result};
use crate::image::{Hashing, to_json};
use crate::lifecycle::documents::layers_metadata::{BuildpackLayer, BuildpackLayers, LayerSha};
use crate::lifecycle::layer::{self, Contents, Owner, Parents};
use crate::output::Output;
use crate::store::Store;
use launcher::file;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};

const METADATA: &str = "io.buildpacks.lifecycle.cache.metadata";

/// A cache in a folder, as `-cache-dir` names it.
pub struct VolumeCache {
    volume: Volume,
    metadata: CacheMetadata,
}

/// What is cached (CACHE-06).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheMetadata {
    /// The layer of the SBOM files.
    pub sbom: LayerSha,
    /// The layers of each buildpack.
    pub buildpacks: Vec<BuildpackLayers>,
}

impl CacheMetadata {
    /// The metadata of a build's buildpacks, without layers.
    pub fn of(new: &NewContents) -> Self {
        let entry = |(key, version): &(String, String)| BuildpackLayers {
            key: key.clone(),
            version: version.clone(),
            ..BuildpackLayers::default()
        };
        Self { buildpacks: new.buildpacks.iter().map(entry).collect(), ..Self::default() }
    }

    /// Notes what is cached of a layer.
    pub fn add(&mut self, layer: &CachedLayer, cached: BuildpackLayer) {
        let entry = self.buildpacks.iter_mut().find(|entry| entry.key == layer.buildpack);
        entry.map(|entry| entry.layers.insert(layer.name.clone(), cached));
    }
}

impl VolumeCache {
    /// Opens the cache in a folder, which must exist, and clears away what killed programs left (CACHE-03, CACHE-05).
    ///
    /// # Errors
    /// When the folder is not there or cannot be written.
    pub fn open(folder: &Path) -> Result<Self> {
        let volume = Volume::open(folder)?;
        let text = file::read(&volume.committed().join(METADATA), file::LARGEST_DOCUMENT).unwrap_or_default();
        Ok(Self { volume, metadata: serde_json::from_slice(&text).unwrap_or_default() })
    }

    /// Unpacks a layer into a new folder below `beside`; its hash is checked on the way (RES-08).
    fn unpack(&self, diff_id: &str, beside: &Path) -> Result<tempfile::TempDir> {
        let path = self.volume.layer(diff_id);
        let describe = || format!("cannot unpack the cached layer `{}`", path.display());
        let staged = tempfile::Builder::new().prefix(".restoring-").tempdir_in(beside).context(describe)?;
        let tar = BufReader::with_capacity(1 << 18, File::open(&path).context(describe)?);
        unpack_checked(tar, diff_id, staged.path()).context(describe)?;
        Ok(staged)
    }

    /// Stages a layer: the one that is there, if it is whole, or a new one (CACHE-07 to CACHE-09). Returns its diffID.
    fn stage(&self, id: &str, layer: &CachedLayer, parents: &Parents, output: &Output) -> Result<String> {
        let known = &layer.metadata.sha;
        if !known.is_empty() && self.volume.layer(known).is_file() {
            match self.volume.whole_layer(known).and_then(|tar| self.volume.stage(known, &tar)) {
                Ok(()) => {
                    output.line(&format!("Reusing cache layer '{id}'"));
                    return Ok(known.clone());
                }
                Err(error) => output.warn(&format!("Skipping reuse for layer {id}: {error}")),
            }
        }
        let contents = Contents::Folder { on_disk: layer.path.clone(), in_image: layer.rules.path.clone(), parents: parents.clone() };
        let diff_id = self.write(&contents, layer.rules.owner)?;
        output.line(&format!("{} cache layer '{id}'", if self.volume.layer(&diff_id).is_file() { "Reusing" } else { "Adding" }));
        output.detail(&format!("Layer '{id}' SHA: {diff_id}"));
        Ok(diff_id)
    }

    fn write(&self, contents: &Contents, owner: Owner) -> Result<String> {
        let file = tempfile::NamedTempFile::new_in(self.volume.staging())?;
        let mut tar = Hashing::new(BufWriter::with_capacity(1 << 18, file));
        layer::write(contents, owner, &mut tar)?;
        let (diff_id, file) = tar.finish();
        let diff_id = diff_id.to_string();
        let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.persist(self.volume.staged_layer(&diff_id)).context(|| "cannot write to the cache")?;
        Ok(diff_id)
    }
}

impl Cache for VolumeCache {
    fn buildpacks(&self) -> &[BuildpackLayers] {
        &self.metadata.buildpacks
    }

    fn exists(&self) -> bool {
        // It was made when it was opened.
        true
    }

    fn takes_blobs(&self) -> bool {
        false
    }

    fn restore(&self, id: &str, path: &Path, owner: Option<Owner>) -> Result<RestoredLayer> {
        let (buildpack, name) = id.rsplit_once(':').context(|| format!("`{id}` is no layer"))?;
        let cached = self.layers(buildpack).and_then(|layers| layers.get(name));
        let diff_id = cached.map(|layer| layer.sha.clone()).context(|| format!("the cache has no layer `{id}`"))?;
        let beside = path.parent().context(|| format!("`{}` is in no folder", path.display()))?;
        let unpacked = self.unpack(&diff_id, beside)?;
        let fingerprint = bring(unpacked.path(), id, path, owner)?;
        Ok(RestoredLayer { path: path.to_path_buf(), diff_id, blob: None::<Blob>, source: Source::Unpacked, fingerprint })
    }

    fn sbom(&self, layers: &Path) -> Result<Option<PathBuf>> {
        if self.metadata.sbom.sha.is_empty() {
            return Ok(None);
        }
        let unpacked = self.unpack(&self.metadata.sbom.sha, layers)?;
        bring_sbom(unpacked.path(), layers)
    }

    fn commit(&mut self, new: &NewContents, _store: &Store, output: &Output) -> Result<()> {
        let mut metadata = CacheMetadata::of(new);
        for layer in &new.layers {
            let id = layer_id(&layer.buildpack, &layer.name);
            if !layer.path.is_dir() {
                output.warn(&format!("Failed to cache layer '{id}' because it has no contents"));
                continue;
            }
            match self.stage(&id, layer, &new.parents, output) {
                Ok(sha) => {
                    let cached = BuildpackLayer { sha, ..layer.metadata.clone() };
                    metadata.add(layer, cached);
                }
                Err(error) => output.warn(&format!("Failed to cache layer '{id}': {error:?}")),
            }
        }
        if let Some(sbom) = &new.sbom {
            let contents = Contents::Folder { on_disk: sbom.clone(), in_image: new.sbom_in_image.clone(), parents: new.parents.clone() };
            let sha = self.write(&contents, new.owner)?;
            let what = if self.volume.layer(&sha).is_file() { "Reusing" } else { "Adding" };
            output.line(&format!("{what} cache layer 'buildpacksio/lifecycle:cache.sbom'"));
            metadata.sbom.sha = sha;
        }
        fs::write(self.volume.staging().join(METADATA), to_json(&metadata)).context(|| "cannot write the cache's metadata")?;
        self.volume.commit()?;
        self.metadata = metadata;
        Ok(())
    }
}
