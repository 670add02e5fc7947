//! The layers that buildpacks left in the layers folder: which are in the image, which are kept for the next build.

use super::make::{Job, Known, cannot_reuse, find};
use super::{Blobs, Export};
use crate::buildpack::{LayerToml, escape_id, layer_names};
use crate::error::{Context, Error, Result};
use crate::image::{Digest, History, Image, Layer, media_type};
use crate::lifecycle::cache::{Blob, CachedLayer, RestoredLayer, Rules, layer_id};
use crate::lifecycle::documents::json_of_table;
use crate::lifecycle::documents::layers_metadata::{BuildpackLayer, BuildpackLayers, LayersMetadata, StoreMetadata};
use crate::lifecycle::layer::{Contents, inside};
use crate::store::Store;
use launcher::file::read_document;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What a buildpack left in the layers folder.
pub struct Found {
    /// What the label will say of it; the digests come when the layers are made.
    pub metadata: BuildpackLayers,
    /// Its layers, sorted by name.
    pub layers: Vec<FoundLayer>,
}

/// One layer of a buildpack.
pub struct FoundLayer {
    /// `BUILDPACK:LAYER`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its contents on this machine; none where the buildpack wants the previous ones.
    pub path: Option<PathBuf>,
    /// What is known of it.
    pub metadata: BuildpackLayer,
    /// What was restored, where nobody touched it since.
    pub untouched: Option<RestoredLayer>,
}

/// Reads what each buildpack of the group left.
pub fn read(request: &Export) -> Result<Vec<Found>> {
    request.group.iter().map(|buildpack| read_one(request, &buildpack.id, &buildpack.version)).collect()
}

fn read_one(request: &Export, id: &str, version: &str) -> Result<Found> {
    let folder = inside(&request.folders.layers, escape_id(id))?;
    let mut layers = Vec::new();
    let mut malformed = Vec::new();
    for name in layer_names(&folder)? {
        let path = inside(&folder, format!("{name}.toml"))?;
        inside(&folder, &name)?;
        let text = read_document(&path).context(|| format!("cannot read `{}`", path.display()))?;
        match LayerToml::parse(&text) {
            Ok(document) => layers.push(found_layer(request, id, name, &folder, &document)),
            Err(error) => malformed.push((layer_id(id, &name), error)),
        }
    }
    let ids: Vec<&str> = malformed.iter().map(|(id, _)| id.as_str()).collect();
    let message = format!("cannot parse metadata for layers '[{}]'", ids.join(" "));
    if let Some((_, error)) = malformed.into_iter().next() {
        return Err(error).context(|| message);
    }
    let store = read_store(&inside(&folder, "store.toml")?)?;
    Ok(Found { metadata: BuildpackLayers { key: id.into(), version: version.into(), store, ..BuildpackLayers::default() }, layers })
}

fn found_layer(request: &Export, buildpack: &str, name: String, folder: &Path, document: &LayerToml) -> FoundLayer {
    let id = layer_id(buildpack, &name);
    let path = folder.join(&name);
    let untouched = request.restored.get(&id).filter(|restored| restored.path == path && restored.is_untouched()).cloned();
    let metadata = BuildpackLayer {
        sha: String::new(),
        data: document.metadata.as_ref().map_or(serde_json::Value::Null, json_of_table),
        build: document.types.build,
        launch: document.types.launch,
        cache: document.types.cache,
    };
    FoundLayer { id, name, path: path.is_dir().then_some(path), metadata, untouched }
}

/// EXP-10.
fn read_store(path: &Path) -> Result<Option<StoreMetadata>> {
    let describe = || format!("cannot read `{}`", path.display());
    let text = match read_document(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(describe),
    };
    let document: toml::Table = toml::from_str(&text).context(describe)?;
    let metadata = document.get("metadata").and_then(toml::Value::as_table).map_or(serde_json::Value::Null, json_of_table);
    Ok(Some(StoreMetadata { metadata }))
}

/// The job that makes a launch layer, or brings back the previous one (EXP-06, EXP-07).
pub fn job<'a>(request: &Export, found: &Found, layer: &FoundLayer, previous: &Previous, store: &Store) -> Result<Job<'a>> {
    let buildpack = &found.metadata;
    let created_by = format!("Layer: '{}', Created by buildpack: {}@{}", layer.name, buildpack.key, buildpack.version);
    let in_image = in_image(request, &buildpack.key, &layer.name);
    let before = previous.metadata.buildpack(&buildpack.key).and_then(|before| before.layers.get(&layer.name));
    let before = before.map(|before| find(previous, &before.sha, store).ok_or(&before.sha));
    let (known, path) = match (&layer.path, before) {
        (Some(path), before) => (known(request, layer, &in_image, before.and_then(Result::ok), store), path.clone()),
        (None, _) if layer.metadata.cache => return Err(Error::new(format!("layer '{}' is cache=true but has no contents", layer.id))),
        (None, Some(Ok(before))) => (Known::Unchanged(before), PathBuf::new()),
        (None, Some(Err(sha))) => (Known::Unchanged(fetched(request, layer, sha, previous)?), PathBuf::new()),
        (None, None) => return Err(cannot_reuse(&layer.id)),
    };
    Ok(Job {
        id: layer.id.clone(),
        created_by,
        contents: Contents::Folder { on_disk: path, in_image, parents: request.folders.parents(&request.folders.layers_in_image) },
        known,
        cached: layer.metadata.cache && request.cache.is_some_and(|cache| cache.takes_blobs()),
    })
}

/// A layer of the previous image whose blob is not in the store yet.
fn fetched(request: &Export, layer: &FoundLayer, sha: &str, previous: &Previous) -> Result<Layer> {
    let describe = || format!("cannot reuse '{}': the store does not have the previous image's layer {sha}", layer.id);
    let before = previous.layers().iter().find(|layer| layer.diff_id.as_str() == sha);
    let (before, fetch) = before.zip(request.fetch).context(describe).context(|| "the previous image is not complete")?;
    fetch(before).context(describe)?;
    Ok(before.clone())
}

/// The previous image and what it says it is made of.
pub struct Previous<'a> {
    /// What it is made of.
    pub metadata: LayersMetadata,
    /// The image.
    pub image: Option<&'a Image>,
    /// Where its blobs are.
    pub blobs: Blobs,
}

impl Previous<'_> {
    /// Its layers.
    pub fn layers(&self) -> &[Layer] {
        self.image.map_or(&[], |image| &image.layers)
    }
}

/// A layer that nobody touched is the blob that it was, if it would be packed by the same rules.
fn known(request: &Export, layer: &FoundLayer, in_image: &str, before: Option<Layer>, store: &Store) -> Known {
    let rules = Rules::new(request.owner, in_image);
    let blob = layer.untouched.as_ref().and_then(|restored| Some((restored, restored.blob.as_ref()?)));
    let of_image = |blob: &Blob| blob.rules == rules && blob.descriptor.media_type == media_type::LAYER_GZIP;
    if let Some((restored, blob)) = blob.filter(|(_, blob)| of_image(blob))
        && request.cache.is_some_and(|cache| cache.provide(blob, store))
        && let Ok(diff_id) = Digest::parse(&restored.diff_id)
    {
        return Known::Unchanged(Layer { blob: blob.descriptor.clone(), diff_id, history: History::default() });
    }
    before.map_or(Known::Nothing, Known::Previous)
}

fn in_image(request: &Export, buildpack: &str, layer: &str) -> String {
    format!("{}/{}/{layer}", request.folders.layers_in_image, escape_id(buildpack))
}

/// What the cache gets of a layer; `made` is the layer as it is in the image.
pub fn cached(request: &Export, found: &Found, layer: &FoundLayer, made: Option<&Layer>) -> CachedLayer {
    let sha = made.map_or_else(String::new, |made| made.diff_id.to_string());
    CachedLayer {
        buildpack: found.metadata.key.clone(),
        name: layer.name.clone(),
        metadata: BuildpackLayer { sha, ..layer.metadata.clone() },
        path: request.folders.layers.join(escape_id(&found.metadata.key)).join(&layer.name),
        rules: Rules::new(request.owner, &in_image(request, &found.metadata.key, &layer.name)),
        of_image: made.map(|made| made.blob.clone()),
        untouched: layer.untouched.clone(),
    }
}
