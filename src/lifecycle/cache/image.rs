//! The cache in an image of a registry (CACHE-10 to CACHE-15): its layers are the cached ones, a label has the metadata. A layer that did not
//! change is not sent again.

use super::unpack::{bring, bring_sbom, unpack_checked};
use super::volume::CacheMetadata;
use super::{Blob as CachedBlob, Cache, CachedLayer, NewContents, RestoredLayer, Source as Origin, layer_id};
use crate::archive::decompressed;
use crate::error::{Context, Result};
use crate::image::{CREATED, Config, Descriptor, Digest, Hashing, History, Image, Layer, Platform, Reference, to_json};
use crate::lifecycle::documents::layers_metadata::{BuildpackLayer, BuildpackLayers};
use crate::lifecycle::layer::{self, Contents, Owner, Parents};
use crate::output::Output;
use crate::registry::{Blob, Lookup, Push, Registries, Remote, Source};
use crate::store::Store;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The label with the metadata.
const METADATA: &str = "io.buildpacks.lifecycle.cache.metadata";
/// What messages call the layer of the SBOM files.
const SBOM_ID: &str = "buildpacksio/lifecycle:cache.sbom";
/// A tar of nothing is its end. Some engines refuse what has no bytes.
const EMPTY_TAR: [u8; 1024] = [0; 1024];

/// What becomes of the image that the cache was in before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Former {
    /// It stays, without a name.
    Stays,
    /// It is deleted, as platforms before Platform API 0.13 expect (CACHE-12).
    IsDeleted,
}

/// A cache in an image, as `-cache-image` names it.
pub struct ImageCache {
    registries: Arc<Registries>,
    name: Reference,
    original: Option<Remote>,
    former: Former,
    metadata: CacheMetadata,
    platform: Platform,
}

impl ImageCache {
    /// Opens the cache of a build for a platform in the image of a name; an image that is missing, damaged or of another platform is an empty cache.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn open(registries: Arc<Registries>, name: &Reference, platform: &Platform, former: Former, output: &Output) -> Result<Self> {
        let mut original = match registries.find_for(name, platform).context(|| format!("accessing cache image \"{name}\""))? {
            Lookup::Found(remote) => Some(*remote),
            Lookup::Missing | Lookup::OtherPlatforms(_) => None,
        };
        let processor = |remote: &Remote| remote.image.config.architecture.clone();
        if let Some(other) = original.as_ref().map(processor).filter(|other| !other.is_empty() && *other != platform.architecture) {
            output.line(&format!("Ignoring cache image \"{name}\" because it is of builds for {other}"));
            original = None;
        }
        if let Some(remote) = &original {
            let digests = remote.image.layers.iter().map(|layer| &layer.blob.digest).collect();
            if !registries.has_blobs(name, digests).unwrap_or(false) {
                output.line(&format!("Ignoring cache image \"{name}\" because it was corrupt"));
                original = None;
            }
        }
        let label = original.as_ref().and_then(|remote| remote.image.label(METADATA));
        let metadata = label.and_then(|label| serde_json::from_str(label).ok()).unwrap_or_default();
        Ok(Self { registries, name: name.clone(), original, former, metadata, platform: platform.clone() })
    }

    fn cached(&self, diff_id: &str) -> Option<&Layer> {
        self.original.as_ref()?.image.layers.iter().find(|layer| layer.diff_id.as_str() == diff_id)
    }

    /// Unpacks a layer into a new folder in `beside`; its hash is checked on the way.
    fn unpack(&self, diff_id: &str, beside: &Path) -> Result<tempfile::TempDir> {
        let describe = || format!("cannot unpack the layer {diff_id} of the cache image `{}`", self.name);
        let layer = self.cached(diff_id).context(|| format!("failed to find cache layer with SHA '{diff_id}'"))?;
        let staged = tempfile::Builder::new().prefix(".restoring-").tempdir_in(beside).context(describe)?;
        let store = Store::open_passing(&staged.path().join("store"))?;
        self.registries.fetch_layer(&self.name, layer, &store)?;
        let tar = decompressed(store.blob(&layer.blob.digest)?).context(describe)?;
        let unpacked = tempfile::Builder::new().prefix(".restoring-").tempdir_in(beside).context(describe)?;
        unpack_checked(tar, diff_id, unpacked.path()).context(describe)?;
        Ok(unpacked)
    }

    /// The layer in the new image: one that is there, or a new one in the store (CACHE-07 to CACHE-09).
    fn stage(&self, id: &str, layer: &CachedLayer, parents: &Parents, store: &Store, output: &Output) -> Result<Layer> {
        let of_image = layer.of_image.as_ref().zip(Digest::parse(&layer.metadata.sha).ok());
        let contents = Contents::Folder { on_disk: layer.path.clone(), in_image: layer.rules.path.clone(), parents: parents.clone() };
        let (staged, reused) = match of_image {
            Some((_, diff_id)) if self.cached(diff_id.as_str()).is_some() => (self.cached(diff_id.as_str()).cloned(), true),
            // The image has just got the same layer.
            Some((blob, diff_id)) if store.has_blob(&blob.digest) => {
                (Some(Layer { blob: blob.clone(), diff_id, history: History::default() }), false)
            }
            Some(_) | None => self.write(&contents, layer.rules.owner, store).map(|(layer, reused)| (Some(layer), reused))?,
        };
        let staged = staged.context(|| format!("the cache lost the layer `{id}`"))?;
        output.line(&format!("{} cache layer '{id}'", if reused { "Reusing" } else { "Adding" }));
        output.detail(&format!("Layer '{id}' SHA: {}", staged.diff_id));
        Ok(staged)
    }

    /// Hashes first: an unchanged layer need not be compressed. Says whether the layer was there.
    fn write(&self, contents: &Contents, owner: Owner, store: &Store) -> Result<(Layer, bool)> {
        if self.original.is_some() {
            let mut tar = Hashing::new(std::io::sink());
            layer::write(contents, owner, &mut tar)?;
            let (diff_id, _) = tar.finish();
            if let Some(found) = self.cached(diff_id.as_str()) {
                return Ok((found.clone(), true));
            }
        }
        Ok((store.put_layer(History::default(), |writer| layer::write(contents, owner, writer).map(drop))?, false))
    }

    /// The image of these layers; one without any gets an empty one, because engines refuse it otherwise (CACHE-10).
    fn image(&self, layers: Vec<Layer>, metadata: &CacheMetadata, store: &Store) -> Result<Image> {
        let mut image = Image { config: Config { os: "linux".into(), created: CREATED.into(), ..Config::default() }, ..Image::default() };
        image.config.architecture.clone_from(&self.platform.architecture);
        image.set_label(METADATA, String::from_utf8_lossy(&to_json(metadata)).into_owned());
        let mut seen = std::collections::BTreeSet::new();
        image.layers = layers.into_iter().filter(|layer| seen.insert(layer.diff_id.clone())).collect();
        if image.layers.is_empty() {
            image.layers.push(store.put_layer(History::default(), |writer| Ok(writer.write_all(&EMPTY_TAR)?))?);
        }
        for layer in &mut image.layers {
            layer.history = History { created: CREATED.into(), ..History::default() };
            layer.blob = Descriptor::new(crate::image::media_type::LAYER_GZIP, layer.blob.size, layer.blob.digest.clone());
        }
        Ok(image)
    }

    fn save(&mut self, image: Image, store: &Store, output: &Output) -> Result<()> {
        let documents = image.documents();
        let sources: Vec<Source> = self.original.iter().map(|remote| Source(remote.name.clone())).collect();
        let blobs = image.layers.iter().map(|layer| Blob { layer: layer.clone(), sources: sources.clone() }).collect();
        let push = Push { documents: &documents, blobs, store, progress: None };
        // A damaged image may have the same documents, so each blob is looked for.
        self.registries.push_all(&push, &self.name).context(|| format!("saving image '{}'", self.name))?;
        if let Some(original) = self.original.as_ref().filter(|remote| remote.manifest.digest != documents.descriptor.digest)
            && self.former == Former::IsDeleted
            && let Err(error) = self.registries.delete(&self.name, &original.manifest.digest)
        {
            output.warn(&format!("Unable to delete cache image: {error:?}"));
        }
        Ok(())
    }
}

impl Cache for ImageCache {
    fn buildpacks(&self) -> &[BuildpackLayers] {
        &self.metadata.buildpacks
    }

    fn exists(&self) -> bool {
        self.original.is_some()
    }

    fn restore(&self, id: &str, path: &Path, owner: Option<Owner>) -> Result<RestoredLayer> {
        let (buildpack, name) = id.rsplit_once(':').context(|| format!("`{id}` is no layer"))?;
        let cached = self.layers(buildpack).and_then(|layers| layers.get(name));
        let diff_id = cached.map(|layer| layer.sha.clone()).context(|| format!("the cache has no layer `{id}`"))?;
        let beside = path.parent().context(|| format!("`{}` is in no folder", path.display()))?;
        let fingerprint = bring(self.unpack(&diff_id, beside)?.path(), id, path, owner)?;
        Ok(RestoredLayer { path: path.to_path_buf(), diff_id, blob: None::<CachedBlob>, source: Origin::Unpacked, fingerprint })
    }

    fn sbom(&self, layers: &Path) -> Result<Option<PathBuf>> {
        if self.metadata.sbom.sha.is_empty() {
            return Ok(None);
        }
        bring_sbom(self.unpack(&self.metadata.sbom.sha, layers)?.path(), layers)
    }

    fn commit(&mut self, new: &NewContents, store: &Store, output: &Output) -> Result<()> {
        if !self.exists() {
            output.line("Layer cache not found");
        }
        let mut metadata = CacheMetadata::of(new);
        let mut layers = Vec::new();
        for layer in &new.layers {
            let id = layer_id(&layer.buildpack, &layer.name);
            if !layer.path.is_dir() {
                output.warn(&format!("Failed to cache layer '{id}' because it has no contents"));
                continue;
            }
            match self.stage(&id, layer, &new.parents, store, output) {
                Ok(staged) => {
                    let cached = BuildpackLayer { sha: staged.diff_id.to_string(), ..layer.metadata.clone() };
                    metadata.add(layer, cached);
                    layers.push(staged);
                }
                Err(error) => output.warn(&format!("Failed to cache layer '{id}': {error:?}")),
            }
        }
        if let Some(sbom) = &new.sbom {
            let contents = Contents::Folder { on_disk: sbom.clone(), in_image: new.sbom_in_image.clone(), parents: new.parents.clone() };
            let (layer, reused) = self.write(&contents, new.owner, store)?;
            output.line(&format!("{} cache layer '{SBOM_ID}'", if reused { "Reusing" } else { "Adding" }));
            metadata.sbom.sha = layer.diff_id.to_string();
            layers.push(layer);
        }
        let image = self.image(layers, &metadata, store)?;
        self.save(image, store, output)
    }
}
