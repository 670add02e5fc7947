//! What becomes of blobs that were not on the disk when the machine stopped.

use super::*;
use std::time::{Duration, SystemTime};

/// Stores a blob as a pull does.
fn pulled(store: &Store, content: &[u8]) -> Digest {
    let digest = Digest::of(content);
    let mut blob = store.new_blob_of_registry().unwrap();
    blob.write_all(content).unwrap();
    blob.commit(&digest).unwrap();
    digest
}

/// An image with a layer that was pulled.
fn pulled_image(store: &Store, name: &str, content: &[u8]) -> Digest {
    let digest = pulled(store, content);
    let blob = Descriptor::new(media_type::LAYER, content.len() as u64, digest.clone());
    let image = Image { layers: vec![Layer { blob, diff_id: digest.clone(), history: History::default() }], ..Image::default() };
    store.tag(&Reference::parse(name).unwrap(), &store.put_image(&image).unwrap()).unwrap();
    digest
}

fn note(store: &Store, digest: &Digest) -> PathBuf {
    store.root().join("unsynced").join(digest.hex())
}

fn names(store: &Store) -> Vec<String> {
    store.list().unwrap().into_iter().map(|named| Reference::parse(&named.name).unwrap().familiar()).collect()
}

#[test]
fn what_a_stopped_machine_damaged_goes_with_its_names() {
    let (folder, store) = open();
    let [whole, short, empty] = ["whole", "short", "empty"].map(|name| pulled_image(&store, name, name.as_bytes()));
    image(&store, "built");
    fs::write(store.blob_path(&short), "sho").unwrap();
    fs::write(store.blob_path(&empty), "").unwrap();
    // The notes are of another start of the machine, or lost their content as the blobs did.
    fs::write(note(&store, &whole), "another").unwrap();
    fs::write(note(&store, &short), "another").unwrap();
    fs::write(note(&store, &empty), "").unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(
        store.lost().iter().map(|name| Reference::parse(name).unwrap().familiar()).collect::<Vec<_>>(),
        ["empty:latest", "short:latest"]
    );
    assert_eq!(names(&store), ["built:latest", "whole:latest"]);
    assert_eq!(store.verify().unwrap(), []);
    assert!([&whole, &short, &empty].iter().all(|digest| !note(&store, digest).exists()));
    drop(store);
    assert!(Store::open(folder.path()).unwrap().lost().is_empty());
}

#[test]
fn a_note_goes_when_the_blob_is_surely_on_the_disk() {
    let (folder, store) = open();
    let [new, old, gone] = ["new", "old", "gone"].map(|content| pulled(&store, content.as_bytes()));
    for digest in [&old, &gone] {
        let written = SystemTime::now() - Duration::from_secs(3600);
        File::options().write(true).open(note(&store, digest)).unwrap().set_modified(written).unwrap();
    }
    fs::remove_file(store.blob_path(&gone)).unwrap();
    drop(store);
    let store = Store::open(folder.path()).unwrap();
    assert_eq!([&new, &old, &gone].map(|digest| note(&store, digest).exists()), [true, false, false]);
    assert!(store.has_blob(&new) && store.has_blob(&old));
    // What is built is on the disk before it counts.
    image(&store, "built");
    assert_eq!(fs::read_dir(store.root().join("unsynced")).unwrap().count(), 1);
}
