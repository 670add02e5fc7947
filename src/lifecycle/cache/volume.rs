//! The cache in a folder of the reference's form (CACHE-01 to CACHE-09): `committed` has each layer as an uncompressed tar, named by its
//! diffID, and the metadata; a commit fills `staging` and takes its place.

use super::unpack::{bring, bring_sbom, unpack_checked};
use super::{Blob, Cache, CachedLayer, NewContents, RestoredLayer, Source, layer_id};
use crate::error::{Context, Error, Result};
use crate::image::{Digest, to_json};
use crate::lifecycle::documents::layers_metadata::{BuildpackLayer, BuildpackLayers, LayerSha};
use crate::lifecycle::layer::{self, Contents, Owner, Parents};
use crate::output::Output;
use crate::store::{Store, remove_tree};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

const METADATA: &str = "io.buildpacks.lifecycle.cache.metadata";
const COMMITTED: &str = "committed";
const BACKUP: &str = "committed-backup";
const STAGING: &str = "staging";

/// A cache in a folder, as `-cache-dir` names it.
pub struct VolumeCache {
    folder: PathBuf,
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
        let describe = || format!("cannot open the cache `{}`", folder.display());
        if !folder.is_dir() {
            return Err(Error::new("there is no such folder")).context(describe);
        }
        if !folder.join(COMMITTED).exists() && folder.join(BACKUP).exists() {
            // A commit was killed between its two renames.
            fs::rename(folder.join(BACKUP), folder.join(COMMITTED)).context(describe)?;
        }
        for leftover in [STAGING, BACKUP] {
            remove_tree(&folder.join(leftover)).context(describe)?;
        }
        for wanted in [STAGING, COMMITTED] {
            fs::create_dir_all(folder.join(wanted)).context(describe)?;
        }
        let text = fs::read(folder.join(COMMITTED).join(METADATA)).unwrap_or_default();
        Ok(Self { folder: folder.to_path_buf(), metadata: serde_json::from_slice(&text).unwrap_or_default() })
    }

    fn committed(&self, diff_id: &str) -> PathBuf {
        self.folder.join(COMMITTED).join(format!("{diff_id}.tar"))
    }

    fn staged(&self, diff_id: &str) -> PathBuf {
        self.folder.join(STAGING).join(format!("{diff_id}.tar"))
    }

    /// Unpacks a layer into a new folder below `beside`; its hash is checked on the way (RES-08).
    fn unpack(&self, diff_id: &str, beside: &Path) -> Result<tempfile::TempDir> {
        let path = self.committed(diff_id);
        let describe = || format!("cannot unpack the cached layer `{}`", path.display());
        let staged = tempfile::Builder::new().prefix(".restoring-").tempdir_in(beside).context(describe)?;
        let tar = BufReader::with_capacity(1 << 18, File::open(&path).context(describe)?);
        unpack_checked(tar, diff_id, staged.path()).context(describe)?;
        Ok(staged)
    }

    /// Stages a layer: the one that is there, if it is whole, or a new one (CACHE-07 to CACHE-09). Returns its diffID.
    fn stage(&self, id: &str, layer: &CachedLayer, output: &Output) -> Result<String> {
        let known = &layer.metadata.sha;
        if !known.is_empty() && self.committed(known).is_file() {
            match self.reuse(known) {
                Ok(()) => {
                    output.line(&format!("Reusing cache layer '{id}'"));
                    return Ok(known.clone());
                }
                Err(error) => output.warn(&format!("Skipping reuse for layer {id}: {error}")),
            }
        }
        let contents = Contents::Folder { on_disk: layer.path.clone(), in_image: layer.rules.path.clone(), parents: Parents::OnDisk };
        let diff_id = self.write(&contents, layer.rules.owner)?;
        output.line(&format!("{} cache layer '{id}'", if self.committed(&diff_id).is_file() { "Reusing" } else { "Adding" }));
        output.detail(&format!("Layer '{id}' SHA: {diff_id}"));
        Ok(diff_id)
    }

    fn reuse(&self, diff_id: &str) -> Result<()> {
        let path = self.committed(diff_id);
        let mut tar = Hashing { inner: File::open(&path)?, hash: Sha256::new() };
        io::copy(&mut tar, &mut io::sink())?;
        let found = Digest::from_sha256(tar.hash.finalize().into());
        if found.as_str() != diff_id {
            return Err(Error::new(format!("the cached layer `{}` is damaged", path.display())));
        }
        let target = self.staged(diff_id);
        if fs::hard_link(&path, &target).is_err() {
            fs::copy(&path, &target)?;
        }
        Ok(())
    }

    fn write(&self, contents: &Contents, owner: Owner) -> Result<String> {
        let file = tempfile::NamedTempFile::new_in(self.folder.join(STAGING))?;
        let mut tar = Hashing { inner: BufWriter::with_capacity(1 << 18, file), hash: Sha256::new() };
        layer::write(contents, owner, &mut tar)?;
        let diff_id = Digest::from_sha256(tar.hash.finalize().into()).to_string();
        let file = tar.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.persist(self.staged(&diff_id)).context(|| "cannot write to the cache")?;
        Ok(diff_id)
    }

    /// CACHE-04.
    fn take_place(&self) -> Result<()> {
        let path = |name: &str| self.folder.join(name);
        let describe = || format!("cannot commit the cache `{}`", self.folder.display());
        fs::rename(path(COMMITTED), path(BACKUP)).context(describe)?;
        if let Err(error) = fs::rename(path(STAGING), path(COMMITTED)) {
            fs::rename(path(BACKUP), path(COMMITTED)).context(describe)?;
            return Err(error).context(describe);
        }
        remove_tree(&path(BACKUP)).context(describe)
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
            match self.stage(&id, layer, output) {
                Ok(sha) => {
                    let cached = BuildpackLayer { sha, ..layer.metadata.clone() };
                    metadata.add(layer, cached);
                }
                Err(error) => output.warn(&format!("Failed to cache layer '{id}': {error:?}")),
            }
        }
        if let Some(sbom) = &new.sbom {
            let contents = Contents::Folder { on_disk: sbom.clone(), in_image: new.sbom_in_image.clone(), parents: Parents::OnDisk };
            let sha = self.write(&contents, new.owner)?;
            let what = if self.committed(&sha).is_file() { "Reusing" } else { "Adding" };
            output.line(&format!("{what} cache layer 'buildpacksio/lifecycle:cache.sbom'"));
            metadata.sbom.sha = sha;
        }
        fs::write(self.folder.join(STAGING).join(METADATA), to_json(&metadata)).context(|| "cannot write the cache's metadata")?;
        self.take_place()?;
        self.metadata = metadata;
        Ok(())
    }
}

struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
