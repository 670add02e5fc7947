//! What the cache promises.

use super::*;
use crate::archive::LayerWriter;
use crate::image::{History, Layer};
use crate::lifecycle::cache::{CachedLayer, Rules, Source};
use crate::lifecycle::documents::layers_metadata::BuildpackLayer;
use crate::lifecycle::layer;
use crate::output::Output;
use crate::store::{BlobWriter, Store};
use std::os::unix::fs::{PermissionsExt, symlink};

const OWNER: Owner = Owner { uid: 1001, gid: 1000 };
const ID: &str = "acme/python:venv";
const IN_IMAGE: &str = "/layers/acme_python/venv";

struct Place {
    root: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        Self { root, store }
    }

    fn cache(&self) -> AppCache {
        AppCache::open(&self.store.cache("app")).unwrap()
    }

    fn venv(&self) -> PathBuf {
        self.root.path().join("layers-of-build/venv")
    }

    /// The layer of the folder at `path` as it is in an image.
    fn packed(&self, path: &Path) -> Layer {
        let contents = layer::Contents::Folder {
            on_disk: path.to_path_buf(),
            in_image: IN_IMAGE.into(),
            parents: layer::Parents::Normal("/layers".into()),
        };
        let write = |writer: &mut LayerWriter<BlobWriter>| layer::write(&contents, OWNER, writer).map(drop);
        self.store.put_layer(History::default(), write).unwrap()
    }

    /// A build that made a layer, cached with or without being in the image.
    fn built(&self, launch: bool) -> Layer {
        let venv = self.venv();
        fs::create_dir_all(venv.join("bin")).unwrap();
        fs::write(venv.join("bin/tool"), "one").unwrap();
        fs::write(venv.join("secret"), "two").unwrap();
        symlink("tool", venv.join("bin/link")).unwrap();
        fs::set_permissions(venv.join("bin/tool"), fs::Permissions::from_mode(0o4755)).unwrap();
        fs::set_permissions(venv.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
        let packed = self.packed(&venv);
        self.commit(&packed, launch, None);
        packed
    }

    fn commit(&self, packed: &Layer, launch: bool, untouched: Option<RestoredLayer>) {
        let layer = CachedLayer {
            buildpack: "acme/python".into(),
            name: "venv".into(),
            metadata: BuildpackLayer { sha: packed.diff_id.to_string(), launch, cache: true, ..BuildpackLayer::default() },
            path: self.venv(),
            rules: Rules::new(OWNER, IN_IMAGE),
            of_image: launch.then(|| packed.blob.clone()),
            untouched,
        };
        let new = NewContents { buildpacks: vec![("acme/python".into(), "1".into())], layers: vec![layer], ..NewContents::default() };
        self.cache().commit(&new, &self.store, &Output::quiet()).unwrap();
    }

    fn restore(&self) -> Result<RestoredLayer> {
        self.cache().restore(ID, &self.venv(), None)
    }

    /// Takes the restored layer away, as a build that is killed leaves it to the store's clearing up.
    fn kill(&self) {
        remove_tree(&self.venv()).unwrap();
    }

    fn cached_folders(&self) -> usize {
        fs::read_dir(self.store.cache("app").join(LAYERS)).unwrap().count()
    }
}

/// RES-05, CACHE-18: a layer is lent, unpacked when the loan was lost, and the same in both cases, whether it is in the
/// image or not.
#[test]
fn a_layer_comes_back_whatever_became_of_the_build_before() {
    for launch in [true, false] {
        let place = Place::new();
        let packed = place.built(launch);
        assert!(!place.venv().exists());
        let lent = place.restore().unwrap();
        assert_eq!((lent.source, lent.diff_id.as_str()), (Source::Lent, packed.diff_id.as_str()));
        assert!(lent.is_untouched());
        assert_eq!(place.packed(&place.venv()).diff_id, packed.diff_id);
        place.kill();
        let unpacked = place.restore().unwrap();
        assert_eq!(unpacked.source, Source::Unpacked);
        assert!(unpacked.is_untouched());
        assert_eq!(place.packed(&place.venv()).diff_id, packed.diff_id, "set-user-ID and private files too");
    }
}

/// CACHE-08: what nobody touched goes back without being read.
#[test]
fn an_untouched_layer_is_taken_back() {
    let place = Place::new();
    let packed = place.built(true);
    for expected in [Source::Lent, Source::Lent] {
        let restored = place.restore().unwrap();
        assert_eq!(restored.source, expected);
        place.commit(&packed, true, Some(restored));
        assert_eq!(place.cached_folders(), 1);
    }
}

#[test]
fn a_failed_build_gives_back_what_it_did_not_touch() {
    let place = Place::new();
    place.built(true);
    for (touch, then) in [(false, Source::Lent), (true, Source::Unpacked), (false, Source::Lent)] {
        let restored = place.restore().unwrap();
        if touch {
            fs::write(place.venv().join("secret"), "changed").unwrap();
        }
        place.cache().take_back(&[(ID.to_string(), restored.clone())].into()).unwrap();
        if touch {
            place.kill();
        }
        let again = place.restore().unwrap();
        assert_eq!(again.source, then);
        assert_eq!(fs::read_to_string(place.venv().join("secret")).unwrap(), "two");
        place.kill();
    }
}

/// Without a tar the folder is not lent but copied, so that a build can do nothing to the cached one.
#[test]
fn a_layer_without_a_tar_is_copied() {
    let place = Place::new();
    let packed = place.built(false);
    let blobs = place.store.cache("app").join(BLOBS);
    remove_tree(&blobs).unwrap();
    let restored = place.restore().unwrap();
    assert_eq!(restored.source, Source::Copied);
    assert_eq!(place.packed(&place.venv()).diff_id, packed.diff_id);
    fs::write(place.venv().join("bin/tool"), "changed in place").unwrap();
    assert!(!restored.is_untouched());
    place.kill();
    let again = place.restore().unwrap();
    assert_eq!(fs::read_to_string(place.venv().join("bin/tool")).unwrap(), "one");
    place.commit(&packed, false, Some(again));
    assert_eq!(place.cached_folders(), 1);
    assert_eq!(fs::read_dir(blobs).unwrap().count(), 1, "the tar is made again");
}

/// RES-08: damage is noticed: of the folder, then of the tar.
#[test]
fn damage_is_noticed() {
    for launch in [true, false] {
        let place = Place::new();
        place.built(launch);
        let folder = place.store.cache("app").join(LAYERS).join("acme_python_venv-1");
        fs::write(folder.join("secret"), "TWO").unwrap();
        assert_eq!(place.restore().unwrap().source, Source::Unpacked);
        assert_eq!(fs::read_to_string(place.venv().join("secret")).unwrap(), "two");
        place.kill();
        let blob = fs::read_dir(place.store.cache("app").join(BLOBS)).unwrap().next().unwrap().unwrap().path();
        let mut bytes = fs::read(&blob).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::remove_file(&blob).unwrap();
        fs::write(&blob, bytes).unwrap();
        let error = format!("{:?}", place.restore().expect_err("nothing usable is left"));
        assert!(error.contains("damaged") || error.contains("cannot unpack"), "{error}");
        assert!(!place.venv().exists());
    }
}

/// CACHE-05.
#[test]
fn metadata_that_cannot_be_read_is_an_empty_cache() {
    let place = Place::new();
    place.built(true);
    fs::write(place.store.cache("app").join("metadata.json"), "{").unwrap();
    let cache = place.cache();
    assert!(!cache.exists());
    assert_eq!(place.cached_folders(), 0);
}

/// CACHE-07: what is not there is left out with a warning.
#[test]
fn a_layer_without_contents_is_not_cached() {
    let place = Place::new();
    let packed = place.built(true);
    place.restore().unwrap();
    place.kill();
    place.commit(&packed, true, None);
    assert!(place.cache().layers("acme/python").unwrap().is_empty());
}

/// The store may lose a blob that the cache still has.
#[test]
fn the_store_gets_a_lost_blob_back() {
    let place = Place::new();
    let packed = place.built(true);
    place.store.prune().unwrap().unwrap();
    assert!(!place.store.has_blob(&packed.blob.digest));
    let restored = place.restore().unwrap();
    assert!(place.cache().provide(restored.blob.as_ref().unwrap(), &place.store));
    assert!(place.store.has_blob(&packed.blob.digest));
}

/// A kill between any two steps of a commit: the old state is there, and nothing is left over.
#[test]
fn a_commit_that_was_killed_leaves_the_old_state() {
    let place = Place::new();
    let packed = place.built(true);
    let folder = place.store.cache("app");
    let before = fs::read(folder.join("metadata.json")).unwrap();
    // Lent, then a changed folder was moved in, with its blob and SBOM files; the metadata was being written.
    place.restore().unwrap();
    fs::write(place.venv().join("secret"), "changed").unwrap();
    fs::rename(place.venv(), folder.join(LAYERS).join("acme_python_venv-2")).unwrap();
    fs::write(folder.join(BLOBS).join("0".repeat(64)), "new").unwrap();
    fs::create_dir(folder.join(SBOM).join("1")).unwrap();
    fs::write(folder.join(STAGING).join("half"), "{").unwrap();
    drop(place.cache());
    let left = |name: &str| fs::read_dir(folder.join(name)).unwrap().count();
    assert_eq!([LAYERS, BLOBS, SBOM, STAGING].map(left), [0, 1, 0, 0]);
    assert_eq!(fs::read(folder.join("metadata.json")).unwrap(), before);
    assert_eq!(place.restore().unwrap().source, Source::Unpacked);
    assert_eq!(place.packed(&place.venv()).diff_id, packed.diff_id);
}
