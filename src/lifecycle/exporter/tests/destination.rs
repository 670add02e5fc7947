//! Layers that are sent while they are made.

use super::*;
use crate::registry::tests::server::Registry;
use sha2::{Digest as _, Sha256};
use std::io::Write;

/// An app with a file of 6 MB that does not become smaller.
fn large_app() -> Project {
    let project = Project::new();
    project.write("app/small", "small");
    let mut large = fs::File::create(project.folders.app.join("large")).unwrap();
    for index in 0..200_000_u64 {
        large.write_all(&Sha256::digest(index.to_le_bytes())).unwrap();
    }
    fs::set_permissions(project.folders.app.join("large"), Permissions::from_mode(0o644)).unwrap();
    project
}

fn sent_to(registry: &Registry, project: &mut Project) -> Exported {
    let name = Reference::parse(&registry.name("team/app:1")).unwrap();
    project.destination = Some((Registries::new(Credentials::default(), Vec::new()), name));
    project.export().unwrap()
}

/// TAR-14.
/// Small layers are stored, because the registry may have them; a large one need not be on this machine.
#[test]
fn a_large_layer_goes_where_the_image_goes_and_is_the_same() {
    let mut project = large_app();
    let registry = Registry::start();
    let sent = sent_to(&registry, &mut project);
    let stored = |project: &Project, exported: &Exported| {
        exported.image.layers.iter().skip(1).map(|layer| project.store.has_blob(&layer.blob.digest)).collect::<Vec<_>>()
    };
    assert_eq!(stored(&project, &sent), [false, true, true]);
    project.destination = None;
    let kept = project.export().unwrap();
    assert_eq!(kept.image.documents().descriptor, sent.image.documents().descriptor);
    assert_eq!(stored(&project, &kept), [true, true, true]);
    let digest = &sent.image.layers[1].blob.digest;
    let name = Reference::parse(&registry.name("team/app:1")).unwrap();
    assert!(Registries::new(Credentials::default(), Vec::new()).has_blobs(&name, vec![digest]).unwrap());
}

#[test]
fn a_layer_that_cannot_be_sent_at_once_is_stored() {
    let mut project = large_app();
    let exported = sent_to(&Registry::start_read_only(), &mut project);
    assert!(exported.image.layers.iter().all(|layer| project.store.has_blob(&layer.blob.digest)));
}

/// IMG-27.
/// A repository that has images may have the layer too.
#[test]
fn what_a_repository_may_have_is_not_sent_before_it_was_asked() {
    let mut project = large_app();
    let registry = Registry::start();
    let sent = sent_to(&registry, &mut project);
    let (registries, name) = project.destination.as_ref().unwrap();
    let documents = project.run_image.documents();
    let blobs = [crate::registry::Blob { layer: project.run_image.layers[0].clone(), sources: Vec::new() }].into();
    registries.push(&crate::registry::Push { documents: &documents, blobs, store: &project.store, progress: None }, name).unwrap();
    let again = project.export().unwrap();
    assert_eq!(again.image.documents().descriptor, sent.image.documents().descriptor);
    assert!(again.image.layers.iter().all(|layer| project.store.has_blob(&layer.blob.digest)));
    let patches = registry.requests().iter().filter(|request| request.starts_with("PATCH ")).count();
    assert_eq!(patches, 1);
}
