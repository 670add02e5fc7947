//! What the store promises.

use super::*;
use crate::archive::{Entry, TarWriter};

mod archives;
mod crash;
mod interop;
mod kill;

fn layer(store: &Store, name: &str) -> Layer {
    let write = |writer: &mut LayerWriter<BlobWriter>| {
        let mut tar = TarWriter::new(writer);
        tar.append(&Entry::file(name, 1, 0o644, 0, 0, 1), b"x".as_slice())?;
        tar.finish()?;
        Ok(())
    };
    store.put_layer(History::default(), write).unwrap()
}

fn image(store: &Store, name: &str) -> (Reference, Descriptor) {
    let image = Image { layers: vec![layer(store, name)], ..Image::default() };
    let reference = Reference::parse(name).unwrap();
    let manifest = store.put_image(&image).unwrap();
    store.tag(&reference, &manifest).unwrap();
    (reference, manifest)
}

fn open() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

#[test]
fn an_image_is_found_by_name_and_by_digest_and_is_whole() {
    let (_folder, store) = open();
    let (reference, manifest) = image(&store, "a");
    let found = store.find(&reference).unwrap().unwrap();
    assert_eq!(found.digest, manifest.digest);
    let pinned = Reference::parse(&format!("a@{}", manifest.digest)).unwrap();
    assert_eq!(store.find(&pinned).unwrap().unwrap().digest, manifest.digest);
    let tree = store.unpacked(&found.image.layers[0]).unwrap().tree;
    assert_eq!(fs::read(tree.join("a")).unwrap(), b"x");
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
fn pruning_keeps_what_has_a_name() {
    let (_folder, store) = open();
    let (kept, _) = image(&store, "kept");
    let (gone, _) = image(&store, "gone");
    for reference in [&kept, &gone] {
        store.unpacked(&store.find(reference).unwrap().unwrap().image.layers[0]).unwrap();
    }
    assert!(store.untag(&gone).unwrap() && !store.untag(&gone).unwrap());
    let pruned = store.prune().unwrap().unwrap();
    assert_eq!((pruned.blobs, pruned.layers), (3, 1));
    assert_eq!(store.verify().unwrap(), []);
    assert_eq!(store.list().unwrap().len(), 1);
}

#[test]
fn nobody_prunes_what_another_process_uses() {
    let (folder, store) = open();
    let other = Store::open(folder.path()).unwrap();
    assert_eq!(store.prune().unwrap(), None);
    drop(other);
    assert!(store.prune().unwrap().is_some());
}

#[test]
fn damage_is_found() {
    let (_folder, store) = open();
    let (reference, manifest) = image(&store, "a");
    let layer = store.find(&reference).unwrap().unwrap().image.layers[0].clone();
    fs::write(store.blob_path(&layer.blob.digest), "damaged").unwrap();
    assert_eq!(store.verify().unwrap().len(), 1);
    assert!(store.unpacked(&layer).is_err());
    fs::remove_file(store.blob_path(&manifest.digest)).unwrap();
    assert!(store.verify().unwrap().iter().any(|finding| finding.subject.ends_with("library/a:latest")));
}

#[test]
fn leftovers_of_a_killed_program_are_cleared() {
    let (folder, store) = open();
    let left = folder.path().join("tmp/work-left/locked");
    fs::create_dir_all(left.join("inner")).unwrap();
    fs::set_permissions(&left, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    drop(store);
    let _store = Store::open(folder.path()).unwrap();
    assert!(!folder.path().join("tmp/work-left").exists());
}

/// Skopeo and others may keep images here too, in other formats and for several machines.
#[test]
fn pruning_keeps_images_of_other_programs() {
    let (_folder, store) = open();
    let (reference, manifest) = image(&store, "ours");
    let layer = store.find(&reference).unwrap().unwrap().image.layers[0].clone();
    let text = fs::read_to_string(store.blob_path(&manifest.digest)).unwrap();
    let foreign = format!("{} ", text.replace("vnd.oci.image.manifest.v1", "vnd.docker.distribution.manifest.v2"));
    let child = store.put("application/vnd.docker.distribution.manifest.v2+json", foreign.as_bytes()).unwrap();
    let list = crate::image::Index { manifests: vec![child.clone()], ..Default::default() };
    let list = store.put(media_type::INDEX, &crate::image::to_json(&list)).unwrap();
    store.tag(&Reference::parse("foreign").unwrap(), &list).unwrap();
    assert!(store.untag(&reference).unwrap());
    store.unpacked(&layer).unwrap();
    let pruned = store.prune().unwrap().unwrap();
    assert_eq!((pruned.blobs, pruned.layers), (1, 0));
    assert!([&list.digest, &child.digest, &layer.blob.digest].iter().all(|digest| store.has_blob(digest)));
}
