//! Puts the layers of a successful build into the cache.

use super::copy::copy_tree;
use super::{AppCache, BLOBS, Contents, SBOM, State};
use crate::error::{Context, Result};
use crate::image::{Descriptor, Hashing};
use crate::lifecycle::cache::{Blob, CachedLayer, NewContents, Source, layer_id};
use crate::lifecycle::documents::layers_metadata::{BuildpackLayer, BuildpackLayers};
use crate::lifecycle::layer::{self, fingerprint::Fingerprint};
use crate::output::Output;
use crate::store::Store;
use std::fs;
use std::io::BufWriter;
use std::path::Path;

/// The media type of a tar that is not compressed.
const UNCOMPRESSED: &str = "application/vnd.oci.image.layer.v1.tar";

impl AppCache {
    /// Replaces what is cached. The contents of the layers are moved, so this is the last step of a build; a layer that cannot be cached is
    /// left out with a warning. `store` has the blobs.
    pub(super) fn replace(&mut self, new: &NewContents, store: &Store, output: &Output) -> Result<()> {
        let mut state = State { buildpacks: new.buildpacks.iter().map(empty_entry).collect(), ..State::default() };
        for layer in &new.layers {
            let id = layer_id(&layer.buildpack, &layer.name);
            match self.put(&id, layer, store) {
                Ok((contents, sha)) => {
                    output.detail(&format!("Caching layer '{id}'"));
                    state.contents.insert(id, contents);
                    let metadata = BuildpackLayer { sha, ..layer.metadata.clone() };
                    let entry = state.buildpacks.iter_mut().find(|entry| entry.key == layer.buildpack);
                    entry.map(|entry| entry.layers.insert(layer.name.clone(), metadata));
                }
                Err(error) => output.warn(&format!("the layer `{id}` is not cached: {error:?}")),
            }
        }
        state.sbom = new.sbom.as_deref().map(|sbom| self.put_sbom(sbom)).transpose()?;
        self.save(state)?;
        self.sweep()
    }

    /// Puts a layer into the cache; returns where it is, and the digest of its tar.
    fn put(&self, id: &str, layer: &CachedLayer, store: &Store) -> Result<(Contents, String)> {
        let (blob, sha) = self.put_blob(layer, store)?;
        let before = self.state.contents.get(id);
        if let (Some(restored), Some(before)) = (&layer.untouched, before) {
            let place = self.contents_path(before);
            let is_there = match restored.source {
                Source::Copied => true,
                Source::Lent | Source::Unpacked => !place.exists() && fs::rename(&layer.path, &place).is_ok(),
            };
            if is_there {
                let fingerprint = if restored.source == Source::Copied { &before.fingerprint } else { &restored.fingerprint };
                return Ok((Contents { folder: before.folder.clone(), fingerprint: fingerprint.clone(), blob }, sha));
            }
        }
        let folder = self.free_name(id);
        let place = self.folder.join(super::LAYERS).join(&folder);
        move_tree(&layer.path, &place)?;
        Ok((Contents { fingerprint: Fingerprint::of(&place)?, folder, blob }, sha))
    }

    /// Makes sure that the cache has the layer as a tar: the image's, the one that it has, or a new one. Without a second name of the image's
    /// blob the layer is cached all the same, but will be copied instead of lent.
    fn put_blob(&self, layer: &CachedLayer, store: &Store) -> Result<(Option<Blob>, String)> {
        if let Some(descriptor) = &layer.of_image {
            let place = self.folder.join(BLOBS).join(descriptor.digest.hex());
            let is_there = place.is_file() || fs::hard_link(store.blob_path(&descriptor.digest), &place).is_ok();
            let blob = Blob { descriptor: descriptor.clone(), rules: layer.rules.clone() };
            return Ok((is_there.then_some(blob), layer.metadata.sha.clone()));
        }
        let kept = layer.untouched.as_ref().and_then(|restored| Some((restored.blob.clone()?, restored.diff_id.clone())));
        if let Some((blob, sha)) = kept.filter(|(blob, _)| self.blob_path(blob).is_file()) {
            return Ok((Some(blob), sha));
        }
        self.pack(layer).context(|| "cannot pack it for the next build")
    }

    /// Packs a layer that is in no image. It is not compressed: that would cost every build more than it saves on disk.
    fn pack(&self, layer: &CachedLayer) -> Result<(Option<Blob>, String)> {
        let file = tempfile::NamedTempFile::new_in(self.folder.join(super::STAGING))?;
        let mut tar = Hashing::new(BufWriter::with_capacity(1 << 18, file));
        let contents = layer::Contents::Folder {
            on_disk: layer.path.clone(),
            in_image: layer.rules.path.clone(),
            parents: layer::Parents::Normal("/".into()),
        };
        layer::write(&contents, layer.rules.owner, &mut tar)?;
        let size = tar.size();
        let (digest, file) = tar.finish();
        let file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.persist(self.folder.join(BLOBS).join(digest.hex())).context(|| "cannot write to the cache")?;
        let sha = digest.to_string();
        let blob = Blob { descriptor: Descriptor::new(UNCOMPRESSED, size, digest), rules: layer.rules.clone() };
        Ok((Some(blob), sha))
    }

    fn put_sbom(&self, sbom: &Path) -> Result<String> {
        let mut names = (1_u64..).map(|number| number.to_string());
        let name = names.find(|name| !self.folder.join(SBOM).join(name).exists()).unwrap_or_default();
        copy_tree(sbom, &self.folder.join(SBOM).join(&name)).context(|| "cannot cache the SBOM files")?;
        Ok(name)
    }
}

fn empty_entry((id, version): &(String, String)) -> BuildpackLayers {
    BuildpackLayers { key: id.clone(), version: version.clone(), ..BuildpackLayers::default() }
}

fn move_tree(from: &Path, to: &Path) -> Result<()> {
    if fs::rename(from, to).is_ok() { Ok(()) } else { copy_tree(from, to) }
}
