use super::*;
use crate::image::{Config, Descriptor, Documents, History, Image, Platform, host_architecture, media_type};
use crate::output::Output;
use crate::store::Store;
use server::Registry;

mod broken;
mod odd;

#[path = "../../tests/support/registry.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
pub mod server;

fn registries() -> Registries {
    Registries::new(Credentials::default(), Vec::new())
}

fn wanted(name: &Reference) -> Wanted<'_> {
    Wanted { name, platform: Platform::here(), kept_as: name }
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
/// DIST-01, DIST-02, DIST-06, DIST-11.
#[test]
fn what_is_pushed_is_pulled_again() {
    let server = Registry::start();
    let (_folder, source) = store();
    let image = image(vec![layer(&source, "one"), layer(&source, "two"), layer(&source, "one")]);
    let name = name(&server, "a/b:1");
    let documents = push(&registries(), &image, &[], &source, &name).unwrap();
    let (_other, target) = store();
    let pulled = pull(&registries(), &wanted(&name), &target, &Output::quiet()).unwrap();
    assert_eq!(pulled.digest, documents.descriptor.digest);
    assert!(image.layers.iter().all(|layer| target.has_blob(&layer.blob.digest)));
    assert_eq!(target.find(&name).unwrap().unwrap().digest, pulled.digest);
    let Lookup::Found(remote) = registries().find(&name).unwrap() else { panic!("it is there") };
    assert_eq!(remote.identifier(), format!("{}/a/b@{}", server.host(), pulled.digest));
    assert!(matches!(registries().find(&Reference::parse(&server.name("a/b:2")).unwrap()).unwrap(), Lookup::Missing));
    assert_eq!(registries().tags(&name).unwrap(), ["1"]);
    // Nothing is fetched twice, and a tag that moved is followed.
    let before = server.requests().len();
    pull(&registries(), &wanted(&name), &target, &Output::quiet()).unwrap();
    assert!(
        !server.requests()[before..]
            .iter()
            .any(|request| request.contains("blobs") && !request.contains(documents_config(&documents).as_str()))
    );
}

/// IMG-14.
/// On this machine, as with `-insecure-registry` elsewhere, any certificate will do; otherwise it must be one that is vouched for.
#[test]
fn a_certificate_that_nobody_vouches_for_is_taken_only_where_that_was_said() {
    let server = Registry::start_with_certificate();
    let (_folder, store) = store();
    let name = name(&server, "a:1");
    let documents = push(&registries(), &image(vec![layer(&store, "one")]), &[], &store, &name).unwrap();
    let (_other, target) = self::store();
    assert_eq!(pull(&registries(), &wanted(&name), &target, &Output::quiet()).unwrap().digest, documents.descriptor.digest);
    let url = format!("https://{}/v2/", server.host());
    let request = crate::http::Request {
        method: crate::http::Method::GET,
        url: crate::http::Url::parse(&url).unwrap(),
        headers: Vec::new(),
        body: crate::http::Body::Empty,
    };
    let statuses = [Peer::Loopback, Peer::Unverified, Peer::Verified].map(|peer| {
        let client = Client::careful(peer, Trust::default()).unwrap();
        let sent = client.send(&request);
        sent.map(|response| response.status()).map_err(|failure| format!("{:?}", failure.into_error()))
    });
    assert_eq!([&statuses[0], &statuses[1]], [&Ok(200), &Ok(200)]);
    assert!(statuses[2].as_ref().is_err_and(|error| error.contains("certificate")), "{statuses:?}");
}

/// A mirror is asked first; what it lacks, or does not answer, comes from the registry.
#[test]
fn a_mirror_is_read_before_its_registry_and_never_written() {
    let (server, mirror) = (Registry::start(), Registry::start());
    let (_folder, source) = store();
    let image = image(vec![layer(&source, "one")]);
    let of_server = name(&server, "a/b:1");
    push(&registries(), &image, &[], &source, &name(&mirror, "cache/a/b:1")).unwrap();
    let documents = push(&registries(), &image, &[], &source, &of_server).unwrap();
    let with = |place: String| registries().with_mirrors(&[(server.host(), place)].into()).unwrap();
    for (place, served) in [(mirror.name("cache"), true), (mirror.host(), false), ("127.0.0.1:1".into(), false)] {
        let before = server.requests().len();
        let (_other, target) = self::store();
        let pulled = pull(&with(place.clone()), &wanted(&of_server), &target, &Output::quiet()).unwrap();
        assert_eq!(pulled.digest, documents.descriptor.digest);
        assert_eq!(server.requests()[before..].is_empty(), served, "{place}");
    }
    let Lookup::Found(remote) = with(mirror.name("cache")).find(&of_server).unwrap() else { panic!("it is there") };
    assert!(remote.identifier().starts_with(&server.name("a/b@")));
    let before = mirror.requests().len();
    push(&with(mirror.name("cache")), &image, &[], &source, &of_server).unwrap();
    assert_eq!(mirror.requests().len(), before);
    assert!(registries().with_mirrors(&[("r.test".into(), "no mirror".into())].into()).is_err());
}

/// Authorities that are named are trusted, and whom a registry wants to know is shown to it.
#[test]
fn registries_have_certificates_of_their_own() {
    let server = Registry::start_for_known();
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join(server.host());
    std::fs::create_dir(&own).unwrap();
    let certificates = Certificates { authorities: Vec::new(), folders: vec![folder.path().join("none"), folder.path().into()] };
    assert!(certificates.trust(&server.host()).unwrap().is_none());
    let with = || registries().with_certificates(certificates.clone());
    let name = name(&server, "a:1");
    assert!(with().find(&name).is_err());
    std::fs::copy(server.certificates().join("certificate"), own.join("client.cert")).unwrap();
    let error = format!("{:?}", with().find(&name).unwrap_err());
    assert!(error.contains("has no key"), "{error}");
    std::fs::copy(server.certificates().join("key"), own.join("client.key")).unwrap();
    assert!(matches!(with().find(&name).unwrap(), Lookup::Missing));

    // Whoever is not on this machine must show a certificate that is trusted.
    let request = crate::http::Request {
        method: crate::http::Method::GET,
        url: crate::http::Url::parse(&format!("https://{}/v2/", server.host())).unwrap(),
        headers: Vec::new(),
        body: crate::http::Body::Empty,
    };
    let status = || {
        let client = Client::careful(Peer::Verified, certificates.trust(&server.host()).unwrap().unwrap()).unwrap();
        client.send(&request).map(|response| response.status()).map_err(|failure| format!("{:?}", failure.into_error()))
    };
    assert!(status().unwrap_err().contains("certificate"));
    std::fs::copy(server.certificates().join("certificate"), own.join("ca.crt")).unwrap();
    assert_eq!(status(), Ok(200));
    std::fs::write(own.join("ca.crt"), "nothing").unwrap();
    let error = format!("{:?}", with().find(&name).unwrap_err());
    assert!(error.contains("ca.crt`") && error.contains("there is none in it"), "{error}");
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
