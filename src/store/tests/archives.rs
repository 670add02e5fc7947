//! Archives of images as others may write them: what is missing, doubled or damaged is refused, and nothing of it is named.

use super::super::{Store, read_archive};
use crate::archive::{Entry, TarWriter};
use crate::image::{Digest, Reference};
use std::path::{Path, PathBuf};

enum Member<'a> {
    File(&'a str, Vec<u8>),
    Link(&'a str, &'a str),
}

use Member::{File, Link};

fn tar(members: &[Member]) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new());
    for member in members {
        match member {
            File(name, content) => {
                writer.append(&Entry::file(*name, content.len() as u64, 0o644, 0, 0, 0), content.as_slice()).unwrap();
            }
            Link(name, target) => writer.append(&Entry::symlink(*name, *target, 0, 0, 0), std::io::empty()).unwrap(),
        }
    }
    writer.finish().unwrap()
}

fn layer() -> Vec<u8> {
    tar(&[File("app", b"one".to_vec())])
}

fn config(diff_ids: &[&Digest]) -> Vec<u8> {
    serde_json::json!({ "os": "linux", "architecture": "amd64", "rootfs": { "type": "layers", "diff_ids": diff_ids } })
        .to_string()
        .into_bytes()
}

fn manifest(entries: &[(&str, &[&str], &[&str])]) -> Member<'static> {
    let entries = entries.iter().map(|(config, tags, layers)| serde_json::json!({ "Config": config, "RepoTags": tags, "Layers": layers }));
    File("manifest.json", serde_json::to_vec(&entries.collect::<Vec<_>>()).unwrap())
}

struct Place {
    folder: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: Store::open(&folder.path().join("store")).unwrap(), folder }
    }

    fn archive(&self, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join("archive.tar");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn read(&self, path: &Path, name: Option<&str>) -> crate::error::Result<super::super::Stored> {
        let name = name.map(|name| Reference::parse(name).unwrap());
        read_archive(&self.store, path, name.as_ref(), &"linux/amd64".parse().unwrap()).map(|found| found.stored)
    }
}

#[test]
fn what_is_wrong_with_an_archive_is_said() {
    let (place, diff_id) = (Place::new(), Digest::of(&layer()));
    let config_file = || File("c", config(&[&diff_id]));
    let layer_file = || File("l", layer());
    let tagged = |layers: &[&str]| manifest(&[("c", &["app:1"], layers)]);
    for (members, expected) in [
        (vec![], "neither `manifest.json` nor `index.json`"),
        (vec![File("manifest.json", b"{".to_vec())], "its `manifest.json` is damaged"),
        (vec![File("index.json", b"{".to_vec())], "its `index.json` is damaged"),
        (vec![File("manifest.json", b"[]".to_vec())], "it has no image"),
        (vec![tagged(&["l"]), layer_file()], "its configuration `c` is missing"),
        (vec![tagged(&["l"]), layer_file(), File("c", b"[]".to_vec())], "its configuration is damaged"),
        (vec![tagged(&["l"]), config_file()], "it is missing"),
        (vec![tagged(&["l", "l"]), config_file(), layer_file()], "it has 2 layers, its configuration 1"),
        (vec![tagged(&["l"]), config_file(), File("l", b"other".to_vec())], "it is damaged: its content has"),
        (vec![tagged(&["l"]), config_file(), layer_file(), layer_file()], "it has two files `l`"),
        (vec![tagged(&["l"]), config_file(), layer_file(), File("./l", vec![])], "it has two files `l`"),
        (vec![tagged(&["l"]), config_file(), Link("l", "m"), Link("m", "l")], "it is missing"),
        (vec![tagged(&["l"]), config_file(), Link("l", "../../../../etc/passwd")], "it is missing"),
        (vec![manifest(&[("c", &["a:1"], &["l"]), ("d", &["b:1"], &["l"])]), config_file(), layer_file()], "it has several images"),
        (vec![File("c", vec![b' '; 9 << 20]), tagged(&["l"])], "the document `c` is too long"),
    ] {
        let path = place.archive(&tar(&members));
        let error = format!("{:?}", place.read(&path, None).unwrap_err());
        assert!(error.starts_with("cannot read the archive") && error.contains(expected), "{expected}: {error}");
    }
    let whole = tar(&[tagged(&["l"]), config_file(), layer_file()]);
    for length in [0, 1, 511, 512, 700, whole.len() / 2, whole.len() - 1024 - 512] {
        assert!(place.read(&place.archive(&whole[..length]), None).is_err(), "{length}");
    }
    assert!(place.read(&place.archive(&whole), Some("other")).unwrap_err().causes()[0].contains("it has no image `other`"));
    let mut xz = vec![0xfd, b'7', b'z', b'X', b'Z', 0];
    xz.extend([0; 600]);
    assert!(format!("{:?}", place.read(&place.archive(&xz), None).unwrap_err()).contains("unxz"));
    assert!(place.store.list().unwrap().is_empty() && place.store.verify().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(place.store.root().join("tmp")).unwrap().count(), 0);
}

#[test]
fn an_image_of_many_forms_is_one_image() {
    let (place, diff_id) = (Place::new(), Digest::of(&layer()));
    let members = || vec![manifest(&[("c", &["app:1", "app:2"], &["./x/l"])]), File("c", config(&[&diff_id])), File("y/l", layer())];
    let mut digests = std::collections::BTreeSet::new();
    for link in ["../y/l", "/y/l", "./../y/../y/l"] {
        let path = place.archive(&tar(&[members(), vec![Link("x/l", link)]].into_iter().flatten().collect::<Vec<_>>()));
        for name in [None, Some("app:1"), Some("app:2")] {
            digests.insert(place.read(&path, name).unwrap().digest);
        }
    }
    assert_eq!(digests.len(), 1);
    let stored = place.store.read(digests.first().unwrap()).unwrap();
    assert_eq!((stored.image.layers.len(), &stored.image.layers[0].diff_id), (1, &diff_id));
    assert_eq!(place.store.documents(&stored).unwrap().config, config(&[&diff_id]));
    assert!(place.store.verify().unwrap().is_empty());
}
