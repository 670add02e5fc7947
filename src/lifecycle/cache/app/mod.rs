//! The cache that `cooper build` keeps: one folder for each app.
//!
//! ```text
//! metadata.json      what is cached; replaced as a whole, so a kill leaves the old or the new state
//! layers/NAME/       the contents of one layer, as the buildpack left them
//! blobs/HEX          the same layer as a tar: of a layer of the image a second name of the store's blob
//! sbom/NAME/         the SBOM files of the cached layers
//! ```
//!
//! A build must never damage the cache, and restoring must cost next to nothing. So a layer is *lent*: its folder is moved into the build, and
//! moved back when nothing in it was touched. A build that fails, is killed, or changes it loses that folder and nothing else, because
//! `blobs` still has the layer. Where a folder cannot be moved, it is *copied*. Hard links would be no cheaper, and a program that writes into
//! a file in place would write into the cache.
//! Start with [`AppCache`].

mod commit;
mod copy;
mod restore;

pub use copy::{give, give_tree};

use super::{Blob, Cache, NewContents, RestoredLayer};
use crate::error::{Context, Result};
use crate::lifecycle::documents::layers_metadata::BuildpackLayers;
use crate::lifecycle::layer::Owner;
use crate::lifecycle::layer::fingerprint::Fingerprint;
use crate::output::Output;
use crate::store::{Store, remove_tree};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The cache of one app. The caller holds the app's lock while it is open.
pub struct AppCache {
    folder: PathBuf,
    state: State,
}

/// What `metadata.json` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// The layers as the reference's cache metadata has them.
    buildpacks: Vec<BuildpackLayers>,
    /// Where the contents of each layer are, by `BUILDPACK:LAYER`.
    contents: BTreeMap<String, Contents>,
    /// The folder below `sbom`.
    sbom: Option<String>,
}

/// Where the contents of one layer are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Contents {
    /// The folder below `layers`.
    folder: String,
    /// What proves that the folder is as it was put there.
    fingerprint: Fingerprint,
    /// The layer as a tar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blob: Option<Blob>,
}

const LAYERS: &str = "layers";
const BLOBS: &str = "blobs";
const SBOM: &str = "sbom";
const STAGING: &str = "staging";

impl AppCache {
    /// Opens the cache in `folder`, making it where there is none, and clears away what killed builds left. A cache whose metadata cannot be
    /// understood is an empty one.
    pub fn open(folder: &Path) -> Result<Self> {
        let describe = || format!("cannot open the cache `{}`", folder.display());
        for name in [LAYERS, BLOBS, SBOM] {
            fs::create_dir_all(folder.join(name)).context(describe)?;
        }
        let state = match fs::read(folder.join("metadata.json")) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::NotFound => State::default(),
            Err(error) => return Err(error).context(describe),
        };
        let cache = Self { folder: folder.to_path_buf(), state };
        remove_tree(&cache.folder.join(STAGING)).context(describe)?;
        fs::create_dir(cache.folder.join(STAGING)).context(describe)?;
        cache.sweep().context(describe)?;
        Ok(cache)
    }

    fn contents_path(&self, contents: &Contents) -> PathBuf {
        self.folder.join(LAYERS).join(&contents.folder)
    }

    fn blob_path(&self, blob: &Blob) -> PathBuf {
        self.folder.join(BLOBS).join(blob.descriptor.digest.hex())
    }

    fn save(&mut self, state: State) -> Result<()> {
        let describe = || format!("cannot write the metadata of the cache `{}`", self.folder.display());
        let json = serde_json::to_vec(&state).context(describe)?;
        let mut file = tempfile::NamedTempFile::new_in(self.folder.join(STAGING)).context(describe)?;
        file.write_all(&json).context(describe)?;
        file.as_file().sync_data().context(describe)?;
        file.persist(self.folder.join("metadata.json")).context(describe)?;
        self.state = state;
        Ok(())
    }

    /// Removes what the metadata does not name.
    fn sweep(&self) -> Result<()> {
        let contents = self.state.contents.values();
        let layers: BTreeSet<String> = contents.clone().map(|contents| contents.folder.clone()).collect();
        let blobs = contents.filter_map(|contents| contents.blob.as_ref()).map(|blob| blob.descriptor.digest.hex().to_string()).collect();
        let sbom = self.state.sbom.iter().cloned().collect();
        for (folder, kept) in [(LAYERS, layers), (BLOBS, blobs), (SBOM, sbom)] {
            for entry in fs::read_dir(self.folder.join(folder))? {
                let entry = entry?;
                if !entry.file_name().to_str().is_some_and(|name| kept.contains(name)) {
                    remove_tree(&entry.path()).context(|| format!("cannot remove `{}`", entry.path().display()))?;
                }
            }
        }
        Ok(())
    }
}

impl Cache for AppCache {
    fn buildpacks(&self) -> &[BuildpackLayers] {
        &self.state.buildpacks
    }

    fn restore(&self, id: &str, path: &Path, owner: Option<Owner>) -> Result<RestoredLayer> {
        self.restore_layer(id, path, owner)
    }

    fn sbom(&self, _layers: &Path) -> Result<Option<PathBuf>> {
        Ok(self.state.sbom.as_ref().map(|name| self.folder.join(SBOM).join(name)))
    }

    fn provide(&self, blob: &Blob, store: &Store) -> bool {
        let digest = &blob.descriptor.digest;
        store.has_blob(digest) || fs::hard_link(self.blob_path(blob), store.blob_path(digest)).is_ok()
    }

    fn take_back(&mut self, restored: &BTreeMap<String, RestoredLayer>) -> Result<()> {
        self.take_back_layers(restored)
    }

    fn commit(&mut self, new: &NewContents, store: &Store, output: &Output) -> Result<()> {
        self.replace(new, store, output)
    }
}

#[cfg(test)]
mod tests;
