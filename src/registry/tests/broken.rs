//! Connections that break, before a real registry.

use super::*;
use fault::{Break, Faulty};
use sha2::Digest as _;

#[path = "../../../tests/support/fault.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod fault;

/// A layer whose blob has about so many bytes.
fn large_layer(store: &Store, bytes: u64) -> Layer {
    let noise = (0..bytes / 32).flat_map(|index| sha2::Sha256::digest(index.to_le_bytes()));
    let noise: Vec<u8> = noise.collect();
    store.put_layer(History::default(), |writer| Ok(std::io::Write::write_all(writer, &noise)?)).unwrap()
}

fn behind(proxy: &Faulty) -> Reference {
    Reference::parse(&format!("{}/a:1", proxy.host())).unwrap()
}

/// IMG-16.
/// Wherever the connection breaks, the image arrives whole, and no name is given to a part of it.
#[test]
fn images_arrive_whatever_byte_is_the_last() {
    let server = Registry::start();
    let (_folder, store) = store();
    let image = image(vec![large_layer(&store, 100_000), layer(&store, "small")]);
    for (index, bytes) in [0, 1, 17, 60, 150, 230, 400, 700, 1_100, 2_000, 50_000, 101_000].into_iter().enumerate() {
        for (kind, at) in [("sent", Break::Sent(bytes)), ("answered", Break::Answered(bytes))] {
            let proxy = Faulty::start(&server.host(), move |connection| (1..3).contains(&connection).then_some(at));
            let name = Reference::parse(&format!("{}/{kind}-{index}:1", proxy.host())).unwrap();
            let documents = push(&registries(), &image, &[], &store, &name).unwrap_or_else(|error| panic!("{at:?}: {error:?}"));
            let proxy = Faulty::start(&server.host(), move |connection| (1..3).contains(&connection).then_some(at));
            let name = Reference::parse(&format!("{}/{kind}-{index}:1", proxy.host())).unwrap();
            let (_other, target) = self::store();
            let pulled = pull(&registries(), &wanted(&name), &target, &Output::quiet()).unwrap_or_else(|error| panic!("{at:?}: {error:?}"));
            assert_eq!(pulled.digest, documents.descriptor.digest);
        }
    }
}

/// IMG-16.
#[test]
fn a_registry_that_is_never_there_is_an_error_after_some_tries() {
    let server = Registry::start();
    let proxy = Faulty::start(&server.host(), |connection| (connection > 0).then_some(Break::Answered(0)));
    let (_folder, store) = store();
    let error = push(&registries(), &image(vec![layer(&store, "one")]), &[], &store, &behind(&proxy)).unwrap_err();
    let said = format!("{error:?}");
    assert!(said.contains("cannot send the layer") && said.contains("tried 6 times"), "{said}");
    assert!(registries().tags(&Reference::parse(&server.name("a:1")).unwrap()).unwrap().is_empty());
}
