//! Which layers come back.

use super::*;
use crate::image::History;
use crate::lifecycle::cache::AppCache;
use crate::lifecycle::cache::Rules;
use crate::lifecycle::cache::{CachedLayer, NewContents};
use crate::lifecycle::documents::layers_metadata::BuildpackLayers;
use crate::lifecycle::layer::{self, Contents};

const OWNER: Owner = Owner { uid: 1001, gid: 1000 };
const IN_IMAGE: &str = "/layers/acme_x/one";

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

    fn layers(&self) -> PathBuf {
        self.root.path().join("layers-of-build")
    }

    fn cache(&self) -> AppCache {
        AppCache::open(&self.store.cache("app")).unwrap()
    }

    /// Caches a layer of one file.
    fn cached(&self, name: &str, metadata: BuildpackLayer) {
        let path = self.root.path().join("contents");
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("file"), "cached").unwrap();
        let of_image = metadata.launch.then(|| {
            let contents = Contents::Folder {
                on_disk: path.clone(),
                in_image: IN_IMAGE.into(),
                parents: crate::lifecycle::layer::Parents::Normal("/layers".into()),
            };
            let packed = self.store.put_layer(History::default(), |writer| layer::write(&contents, OWNER, writer).map(drop));
            packed.unwrap().blob
        });
        let rules = Rules::new(OWNER, IN_IMAGE);
        let layer = CachedLayer { buildpack: "acme/x".into(), name: name.into(), metadata, path, rules, of_image, untouched: None };
        let new = NewContents { buildpacks: vec![("acme/x".into(), "1".into())], layers: vec![layer], ..NewContents::default() };
        self.cache().commit(&new, &self.store, &Output::quiet()).unwrap();
    }

    fn restore(&self, of_image: Option<BuildpackLayer>, cache: bool, extent: Extent) -> Restored {
        let layers = of_image.into_iter().map(|layer| ("one".to_string(), layer)).collect();
        let buildpack = BuildpackLayers { key: "acme/x".into(), layers, ..BuildpackLayers::default() };
        let metadata = LayersMetadata { buildpacks: Some(vec![buildpack]), ..LayersMetadata::default() };
        let cache = cache.then(|| self.cache());
        let request = Restore {
            layers: &self.layers(),
            group: &[GroupElement { id: "acme/x".into(), ..GroupElement::default() }],
            metadata: &metadata,
            previous: None,
            cache: cache.as_ref().map(|cache| cache as &dyn Cache),
            platform_api: Api::new(0, 15),
            owner: None,
            extent,
        };
        restore(&request, &self.store, &Output::quiet()).unwrap()
    }

    /// Whether metadata and contents are there.
    fn found(&self) -> (bool, bool) {
        let folder = self.layers().join("acme_x");
        (folder.join("one.toml").exists(), folder.join("one/file").exists())
    }
}

fn layer(build: bool, launch: bool, cache: bool, sha: &str) -> BuildpackLayer {
    BuildpackLayer { sha: sha.into(), data: serde_json::json!({ "n": 1, "f": 1.5 }), build, launch, cache }
}

/// RES-02, RES-05: every combination of flags, with and without the layer in the cache. What is expected: metadata, contents.
#[test]
fn metadata_and_contents_come_back_by_the_flags_of_the_layer() {
    let table = [
        // build, launch, cache, in the cache, metadata and contents are back
        (false, false, false, false, (false, false)),
        (true, false, false, false, (false, false)),
        (false, true, false, false, (true, false)),
        (true, true, false, false, (false, false)),
        (false, true, true, false, (false, false)),
        (false, true, true, true, (true, true)),
        (true, true, true, true, (true, true)),
        (true, true, true, false, (false, false)),
        (false, false, true, true, (true, true)),
        (true, false, true, true, (true, true)),
    ];
    for (build, launch, cache, in_cache, expected) in table {
        let place = Place::new();
        if in_cache {
            place.cached("one", layer(build, launch, cache, "sha256:1"));
        }
        let in_image = launch.then(|| layer(build, launch, cache, "sha256:1"));
        let restored = place.restore(in_image, true, Extent::Everything);
        assert_eq!(place.found(), expected, "build {build} launch {launch} cache {cache} in the cache {in_cache}");
        assert_eq!(restored.contains_key("acme/x:one"), expected.1);
    }
}

/// RES-03, VER-08: the cache is enough where the image says nothing.
#[test]
fn a_launch_layer_comes_back_from_the_cache_alone() {
    let place = Place::new();
    place.cached("one", layer(false, true, true, "sha256:1"));
    place.restore(None, true, Extent::Everything);
    assert_eq!(place.found(), (true, true));
}

/// RES-06: an image that is newer than the cache.
#[test]
fn neither_comes_back_when_the_digests_differ() {
    let place = Place::new();
    place.cached("one", layer(false, true, true, "sha256:1"));
    place.restore(Some(layer(false, true, true, "sha256:2")), true, Extent::Everything);
    assert_eq!(place.found(), (false, false));
}

/// RES-11: the specification ties SBOM files to their layers; the reference brings all that it finds.
#[test]
fn an_sbom_file_comes_back_with_its_layer_only() {
    for (in_cache, comes) in [("sha256:1", true), ("sha256:2", false)] {
        let place = Place::new();
        place.cached("one", layer(false, true, true, in_cache));
        let left = place.layers().join("sbom/launch/acme_x/one/sbom.cdx.json");
        fs::create_dir_all(left.parent().unwrap()).unwrap();
        fs::write(&left, "{}").unwrap();
        place.restore(Some(layer(false, true, true, "sha256:1")), true, Extent::Everything);
        assert_eq!(place.found(), (comes, comes));
        assert_eq!((place.layers().join("acme_x/one.sbom.cdx.json").exists(), left.exists()), (comes, false));
    }
}

/// RES-04, RES-24.
#[test]
fn metadata_has_no_types_and_keeps_whole_numbers() {
    let place = Place::new();
    place.restore(Some(layer(false, true, false, "sha256:1")), true, Extent::Everything);
    let text = fs::read_to_string(place.layers().join("acme_x/one.toml")).unwrap();
    assert_eq!(text, "[metadata]\nf = 1.5\nn = 1\n");
}

/// RES-12, RES-13.
#[test]
fn nothing_comes_back_without_a_cache_or_when_it_is_not_wanted() {
    for (cache, extent) in [(false, Extent::Everything), (true, Extent::StoreOnly)] {
        let place = Place::new();
        place.cached("one", layer(false, true, true, "sha256:1"));
        let restored = place.restore(Some(layer(false, true, true, "sha256:1")), cache, extent);
        assert_eq!((place.found(), restored.len()), ((false, false), 0));
    }
}

/// RES-08: damaged contents are left out, and their metadata with them.
#[test]
fn damaged_contents_do_not_come_back() {
    let place = Place::new();
    place.cached("one", layer(false, false, true, ""));
    fs::write(place.store.cache("app").join("layers/acme_x_one-1/file"), "CACHED").unwrap();
    crate::store::remove_tree(&place.store.cache("app").join("blobs")).unwrap();
    place.restore(None, true, Extent::Everything);
    assert_eq!(place.found(), (false, false));
}
