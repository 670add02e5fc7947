use super::*;
use crate::image::{Config, Descriptor, Documents, History, Image, media_type};
use crate::output::Output;
use crate::store::Store;
use server::Registry;

mod odd;

#[path = "../../tests/support/registry.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod server;

fn registries() -> Registries {
    Registries::new(Credentials::default(), Vec::new())
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn layer(store: &Store, name: &str) -> Layer {
    store.put_layer(History::default(), |writer| Ok(std::io::Write::write_all(writer, name.as_bytes())?)).unwrap()
}

fn image(layers: Vec<Layer>) -> Image {
    let config = Config { os: "linux".into(), architecture: host_architecture().into(), ..Config::default() };
    Image { layers, config }
}

fn push(registries: &Registries, image: &Image, sources: &[&Reference], store: &Store, name: &Reference) -> Result<Documents> {
    let documents = image.documents();
    let sources: Vec<Source> = sources.iter().map(|name| Source((*name).clone())).collect();
    let blobs = image.layers.iter().map(|layer| Blob { layer: layer.clone(), sources: sources.clone() }).collect();
    registries.push_blobs(&Push { documents: &documents, blobs, store, progress: None }, name)?;
    registries.push_manifest(&documents, name)?;
    Ok(documents)
}

fn name(server: &Registry, repository: &str) -> Reference {
    Reference::parse(&server.name(repository)).unwrap()
}

/// IMG-13, IMG-17.
#[test]
fn what_is_pushed_is_pulled_again() {
    let server = Registry::start();
    let (_folder, source) = store();
    let image = image(vec![layer(&source, "one"), layer(&source, "two"), layer(&source, "one")]);
    let name = name(&server, "a/b:1");
    let documents = push(&registries(), &image, &[], &source, &name).unwrap();
    let (_other, target) = store();
    let pulled = pull(&registries(), &name, &target, &Output::quiet()).unwrap();
    assert_eq!(pulled.digest, documents.descriptor.digest);
    assert!(image.layers.iter().all(|layer| target.has_blob(&layer.blob.digest)));
    assert_eq!(target.find(&name).unwrap().unwrap().digest, pulled.digest);
    let Lookup::Found(remote) = registries().find(&name).unwrap() else { panic!("it is there") };
    assert_eq!(remote.identifier(), format!("{}/a/b@{}", server.host(), pulled.digest));
    assert!(matches!(registries().find(&Reference::parse(&server.name("a/b:2")).unwrap()).unwrap(), Lookup::Missing));
    assert_eq!(registries().tags(&name).unwrap(), ["1"]);
    // Nothing is fetched twice, and a tag that moved is followed.
    let before = server.requests().len();
    pull(&registries(), &name, &target, &Output::quiet()).unwrap();
    assert!(
        !server.requests()[before..]
            .iter()
            .any(|request| request.contains("blobs") && !request.contains(documents_config(&documents).as_str()))
    );
}

/// IMG-14.
#[test]
fn insecure_registries_are_named_by_the_beginning_of_names() {
    let insecure = Registries::new(Credentials::default(), ["r.test/team", "q.test:5000", "acme/", ""].map(str::to_string).to_vec());
    for (name, expected) in [
        ("r.test/team/app:1", true),
        ("r.test/teams", true),
        ("r.test/other", false),
        ("q.test:5000/x", true),
        ("q.test:50001/x", true),
        ("q.test/x", false),
        ("acme/app", true),
        ("app", false),
    ] {
        assert_eq!(insecure.is_insecure(&Reference::parse(name).unwrap()), expected, "{name}");
    }
}

fn documents_config(documents: &Documents) -> String {
    Descriptor::of(media_type::CONFIG, &documents.config).digest.to_string()
}
