//! What the exporter promises, on real folders and a real store.

mod destination;
mod golden;
mod rebuild;

use super::*;
use crate::archive::decompressed;
use crate::image::{Config, Digest, History, Layer, Reference};
use crate::lifecycle::cache::AppCache;
use crate::lifecycle::documents::{EXEC_ENV_LABEL, PROJECT_METADATA_LABEL};
use crate::lifecycle::restorer::{Extent, Restore, restore};
use crate::registry::{Credentials, Registries};
use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A build of one app, again and again: a store, and a layers folder and an app that each build gets anew.
struct Project {
    root: tempfile::TempDir,
    store: Store,
    folders: Folders,
    owner: Owner,
    run_image: Image,
    group: Vec<GroupElement>,
    metadata: BuildMetadata,
    previous: Option<Image>,
    restored: Restored,
    process_type: Option<String>,
    launcher: Vec<u8>,
    destination: Option<(Registries, Reference)>,
}

impl Project {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(&root.path().join("store")).unwrap();
        let folders = Folders {
            layers: root.path().join("layers"),
            layers_in_image: "/layers".into(),
            app: root.path().join("app"),
            app_in_image: "/workspace".into(),
            place: Place::Elsewhere,
        };
        fs::create_dir_all(&folders.layers).unwrap();
        fs::create_dir_all(&folders.app).unwrap();
        fs::set_permissions(&folders.app, Permissions::from_mode(0o755)).unwrap();
        let base = store.put_layer(History { created_by: "base".into(), ..History::default() }, |_| Ok(())).unwrap();
        let mut run_image = Image { layers: vec![base], config: Config { os: "linux".into(), ..Config::default() } };
        run_image.config.config.env = Some(vec!["PATH=/bin".into()]);
        let owner = Owner { uid: 1001, gid: 1000 };
        let project = Self {
            root,
            store,
            folders,
            owner,
            run_image,
            group: Vec::new(),
            metadata: BuildMetadata::default(),
            previous: None,
            restored: Restored::new(),
            process_type: None,
            launcher: b"launcher".to_vec(),
            destination: None,
        };
        project.write("layers/config/metadata.toml", "processes = []\n");
        project
    }

    /// Writes a file below the project's folder, with modes that do not depend on the umask.
    fn write(&self, path: &str, content: &str) {
        let path = self.root.path().join(path);
        let missing: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        for folder in missing {
            fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    }

    fn cache(&self) -> AppCache {
        AppCache::open(&self.store.cache("app")).unwrap()
    }

    fn export(&self) -> Result<Exported> {
        let cache = self.cache();
        let request = Export {
            folders: &self.folders,
            owner: self.owner,
            group: &self.group,
            metadata: &self.metadata,
            run_image: RunImage {
                image: &self.run_image,
                reference: "r.io/run@sha256:44".into(),
                names: RunImageNames { image: "r.io/run:1".into(), mirrors: vec![] },
                extended: None,
            },
            previous: self.previous.as_ref(),
            restored: &self.restored,
            cache: Some(&cache),
            bom: &[],
            platform_api: Api::new(0, 15),
            previous_blobs: Blobs::InStore,
            fetch: None,
            destination: self.destination.as_ref().map(|(registries, name)| Destination { registries, name }),
            launcher: Launcher { program: &self.launcher, metadata: LauncherMetadata::default(), sboms: &[] },
            project: &ProjectMetadata::default(),
            process_type: self.process_type.as_deref(),
            exec_env: "production",
            created: None,
        };
        export(&request, &self.store, &Output::quiet())
    }

    /// Ends a build: the image becomes the previous one, the layers are cached, the layers folder goes.
    fn finish(&mut self, exported: Exported) -> Image {
        self.cache().commit(&exported.cache, &self.store, &Output::quiet()).unwrap();
        self.previous = Some(exported.image.clone());
        crate::store::remove_tree(&self.folders.layers).unwrap();
        fs::create_dir(&self.folders.layers).unwrap();
        self.write("layers/config/metadata.toml", "processes = []\n");
        self.restored = Restored::new();
        exported.image
    }

    /// Starts a build: what the last one left is restored.
    fn restore(&mut self) {
        let label = self.previous.as_ref().and_then(|image| image.label(LIFECYCLE_METADATA_LABEL));
        let metadata = label.map(|label| LayersMetadata::from_label(label).unwrap()).unwrap_or_default();
        let cache = self.cache();
        let request = Restore {
            layers: &self.folders.layers,
            group: &self.group,
            metadata: &metadata,
            previous: self.previous.as_ref(),
            cache: Some(&cache),
            owner: None,
            platform_api: Api::new(0, 15),
            extent: Extent::Everything,
        };
        self.restored = restore(&request, &self.store, &Output::quiet()).unwrap();
    }
}

/// The listing of a layer as `tar -tv --numeric-owner` prints it, without sizes.
fn listing(store: &Store, layer: &Layer) -> Vec<String> {
    let mut tar = Vec::new();
    decompressed(store.blob(&layer.blob.digest).unwrap()).unwrap().read_to_end(&mut tar).unwrap();
    assert_eq!(Digest::of(&tar), layer.diff_id);
    let mut lines = Vec::new();
    for member in tar::Archive::new(tar.as_slice()).entries().unwrap() {
        let member = member.unwrap();
        let header = member.header();
        assert_eq!(header.mtime().unwrap(), 315_532_801);
        let kind = match header.entry_type() {
            tar::EntryType::Directory => 'd',
            tar::EntryType::Symlink => 'l',
            _ => '-',
        };
        let target = member.link_name_bytes().map(|target| format!(" -> {}", String::from_utf8_lossy(&target))).unwrap_or_default();
        let mode = permissions(header.mode().unwrap());
        let (uid, gid) = (header.uid().unwrap(), header.gid().unwrap());
        lines.push(format!("{kind}{mode} {uid}/{gid} {}{target}", String::from_utf8_lossy(&member.path_bytes())));
    }
    lines
}

fn permissions(mode: u32) -> String {
    (0..9).rev().map(|bit| if mode >> bit & 1 == 1 { ['x', 'w', 'r'][bit as usize % 3] } else { '-' }).collect()
}
