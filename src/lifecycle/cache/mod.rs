//! What is kept from build to build: the contents of layers with `cache = true`. Where that is, is the platform's choice: in a folder of
//! `cooper build`'s own form ([`AppCache`]), in a folder of the reference's ([`VolumeCache`]), in an image ([`ImageCache`]). Start with [`Cache`].

mod app;
mod image;
mod launch;
mod unpack;
mod volume;

pub use app::{AppCache, give};
pub use image::{Former, ImageCache};
pub use launch::LaunchCache;
pub use volume::VolumeCache;

use super::documents::layers_metadata::{BuildpackLayer, BuildpackLayers};
use super::layer::fingerprint::Fingerprint;
use super::layer::{Owner, Parents};
use crate::archive::ENCODER;
use crate::error::Result;
use crate::image::Descriptor;
use crate::output::Output;
use crate::store::Store;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What earlier builds of an app left.
pub trait Cache {
    /// The cached layers of each buildpack.
    fn buildpacks(&self) -> &[BuildpackLayers];

    /// Brings the contents of a layer to `path`, which must not exist. `owner` is whom they must belong to on this machine, where that is
    /// not this process's user.
    ///
    /// # Errors
    /// When the cache has no usable contents; then nothing is at `path`.
    fn restore(&self, id: &str, path: &Path, owner: Option<Owner>) -> Result<RestoredLayer>;

    /// The folder with the SBOM files of the cached layers; it may be made below `layers`.
    ///
    /// # Errors
    /// When they are damaged.
    fn sbom(&self, layers: &Path) -> Result<Option<PathBuf>>;

    /// Makes sure that the store has a blob that the cache has; says whether it has it now.
    fn provide(&self, _blob: &Blob, _store: &Store) -> bool {
        false
    }

    /// Whether [`Cache::commit`] takes the blobs of layers that are in the image too from the store.
    fn takes_blobs(&self) -> bool {
        true
    }

    /// Replaces what is cached. The contents of the layers may be moved, so this is the last step of a build; a layer that cannot be cached is
    /// left out with a warning. `store` has the blobs.
    ///
    /// # Errors
    /// When the cache cannot be written; it is then as it was.
    fn commit(&mut self, new: &NewContents, store: &Store, output: &Output) -> Result<()>;

    /// Takes back what a build that failed did not touch, where contents are lent.
    ///
    /// # Errors
    /// When the cache cannot be written.
    fn take_back(&mut self, _restored: &BTreeMap<String, RestoredLayer>) -> Result<()> {
        Ok(())
    }

    /// What is cached of a buildpack, by the names of its layers.
    fn layers(&self, buildpack: &str) -> Option<&BTreeMap<String, BuildpackLayer>> {
        self.buildpacks().iter().find(|layers| layers.key == buildpack).map(|layers| &layers.layers)
    }

    /// Whether there is a cache, even if nothing is in it.
    fn exists(&self) -> bool {
        self.buildpacks().iter().any(|buildpack| !buildpack.layers.is_empty())
    }
}

/// A layer as a tar, and by which rules it was made of the folder. Of a layer of the image it is the image's blob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blob {
    /// The blob in `blobs`.
    pub descriptor: Descriptor,
    /// How the layer was made of the folder.
    pub rules: Rules,
}

/// What else than the files went into a layer: with other rules, the same files make another layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// Changes with what this program makes of equal files: [`ENCODER`].
    pub version: u32,
    /// The owner of the files in the image.
    pub owner: Owner,
    /// The folder's path in the image.
    pub path: String,
}

impl Rules {
    /// The rules of this version of the program.
    pub fn new(owner: Owner, path: &str) -> Self {
        Self { version: ENCODER, owner, path: path.to_string() }
    }
}

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
    /// How a tar is made of the contents.
    pub rules: Rules,
    /// The layer's blob in the store, where it is in the image.
    pub of_image: Option<Descriptor>,
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
    /// The same folder in the image, as `/layers/sbom/cache`.
    pub sbom_in_image: String,
    /// What the folders above the layers are like in a layer.
    pub parents: Parents,
    /// Who owns the files in the image.
    pub owner: Owner,
}

/// A layer whose contents are in the layers folder again.
#[derive(Clone, Debug, PartialEq)]
pub struct RestoredLayer {
    /// Where its contents are now.
    pub path: PathBuf,
    /// Digest of the layer's tar.
    pub diff_id: String,
    /// The layer as a tar.
    pub blob: Option<Blob>,
    /// How it came out of the cache.
    pub source: Source,
    /// What the folder's fingerprint stays while nobody touches it.
    pub fingerprint: Fingerprint,
}

/// How a layer came out of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Its folder was moved; the cache has only the blob.
    Lent,
    /// Its folder was copied, because it could not be moved; the cache still has it.
    Copied,
    /// It was unpacked from the blob, because the folder was damaged or missing.
    Unpacked,
}

impl RestoredLayer {
    /// Whether nobody touched the contents since they were restored.
    pub fn is_untouched(&self) -> bool {
        // A folder that is gone was touched.
        Fingerprint::of(&self.path).is_ok_and(|fingerprint| fingerprint == self.fingerprint)
    }
}

/// The name of a layer in the cache's metadata and in messages.
pub fn layer_id(buildpack: &str, layer: &str) -> String {
    format!("{buildpack}:{layer}")
}
