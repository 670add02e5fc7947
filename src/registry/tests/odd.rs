//! Registries that are slow, busy, lying or curious.

use super::*;
use crate::error::Error;
use server::{Answer, Asked, Odd, plain};
use std::sync::atomic::AtomicUsize;

#[path = "../../../tests/support/odd.rs"]
#[allow(dead_code, reason = "shared with the other tests")]
mod server;
mod uploads;

impl Odd {
    fn name(&self, repository: &str) -> Reference {
        Reference::parse(&format!("{}/{repository}", self.address)).unwrap()
    }
}

/// A small image, and what a sound registry answers of it.
fn sound() -> (Documents, impl Fn(&Asked) -> Option<Answer> + Send + Sync + Clone) {
    let image = image(vec![Layer {
        blob: Descriptor::of(media_type::LAYER_GZIP, b"layer"),
        diff_id: Digest::of(b"tar"),
        history: History::default(),
    }]);
    let documents = image.documents();
    let (manifest, config) = (documents.manifest.clone(), documents.config.clone());
    let answer = move |asked: &Asked| match asked.line.as_str() {
        line if line.contains("/manifests/") => plain(200, manifest.clone()),
        line if line.ends_with(Digest::of(b"layer").as_str()) => plain(200, "layer"),
        line if line.ends_with(Digest::of(&config).as_str()) => plain(200, config.clone()),
        _ => plain(404, ""),
    };
    (documents, answer)
}

fn find(registries: &Registries, name: &Reference) -> Result<Box<Remote>> {
    match registries.find(name)? {
        Lookup::Found(remote) => Ok(remote),
        other => Err(Error::new(format!("{other:?}"))),
    }
}

fn blob(registries: &Registries, name: &Reference, content: &[u8]) -> Result<Vec<u8>> {
    let received = std::cell::RefCell::new(Vec::new());
    let mut restart = || {
        received.borrow_mut().clear();
        Ok(())
    };
    let mut receive = |piece: &[u8]| {
        received.borrow_mut().extend_from_slice(piece);
        Ok(())
    };
    registries.read_blob(name, &Descriptor::of("", content), &mut restart, &mut receive)?;
    Ok(received.into_inner())
}

fn with_auth(value: serde_json::Value) -> Registries {
    let environment = Environment { registry_auth: Some(value.to_string()), ..Environment::default() };
    Registries::new(Credentials::read(environment).unwrap(), Vec::new())
}

/// IMG-16.
/// DIST-16, DIST-17.
#[test]
fn passing_faults_are_waited_for_and_refusals_are_not() {
    let count = AtomicUsize::new(0);
    let (documents, sound) = sound();
    let server = Odd::start(move |asked, _| match count.fetch_add(1, Ordering::Relaxed) {
        0 => plain(503, ""),
        1 => Some((429, vec![("retry-after", "0".into())], Vec::new())),
        2 => None,
        _ => sound(asked),
    });
    assert_eq!(find(&registries(), &server.name("a:1")).unwrap().manifest.digest, documents.descriptor.digest);
    assert_eq!(server.lines().iter().filter(|line| line.contains("manifests")).count(), 4);
    for status in [400, 401, 403, 405, 429] {
        let server = Odd::start(move |_, _| plain(status, r#"{"errors":[{"code":"DENIED","message":"go away"}]}"#));
        let error = find(&registries(), &server.name("a:1")).unwrap_err();
        let said = format!("{error:?}");
        assert!(
            said.contains(&status.to_string()) && said.contains("DENIED: go away") && said.contains("/v2/a/manifests/1 answered"),
            "{said}"
        );
        assert_eq!(server.lines(), ["GET /v2/a/manifests/1"], "{status}");
    }
}

/// IMG-09, IMG-13.
/// A token for what is to be done, from where the registry says.
/// DIST-18.
#[test]
fn tokens_are_asked_for_and_kept() {
    let (documents, sound) = sound();
    let answer = move |asked: &Asked, host: &str| {
        if asked.line.starts_with("GET /token") || asked.line.starts_with("POST /token") {
            return plain(200, r#"{"token":"t0ken","expires_in":300}"#);
        }
        if asked.header("authorization") == Some("Bearer t0ken") || asked.header("authorization") == Some("Bearer given") {
            return sound(asked);
        }
        let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"s\",scope=\"repository:a:pull\"");
        Some((401, vec![("www-authenticate", challenge)], Vec::new()))
    };
    let server = Odd::start(answer.clone());
    let (anonymous, name) = (registries(), server.name("a:1"));
    assert_eq!(find(&anonymous, &name).unwrap().manifest.digest, documents.descriptor.digest);
    assert_eq!(blob(&anonymous, &name, b"layer").unwrap(), b"layer");
    let tokens: Vec<Asked> = server.asked().into_iter().filter(|asked| asked.line.contains("/token")).collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert_eq!((tokens[0].line.as_str(), tokens[0].header("authorization")), ("GET /token?service=s&scope=repository%3Aa%3Apull", None));

    for (value, asked_for, authorization, body) in [
        ("Basic dTpw", "GET /token?service=s&scope=repository%3Aa%3Apull", Some("Basic dTpw"), ""),
        (
            "X-Identity id",
            "POST /token",
            None,
            "grant_type=refresh_token&client_id=cooper&refresh_token=id&scope=repository%3Aa%3Apull&service=s",
        ),
    ] {
        let server = Odd::start(answer.clone());
        let registries = with_auth(serde_json::json!({ server.address.clone(): value }));
        find(&registries, &server.name("a:1")).unwrap();
        let token = server.asked().into_iter().find(|asked| asked.line.contains("/token")).unwrap();
        assert_eq!(
            (token.line.as_str(), token.header("authorization"), token.body.as_slice()),
            (asked_for, authorization, body.as_bytes())
        );
    }
    let server = Odd::start(answer);
    find(&with_auth(serde_json::json!({ server.address.clone(): "Bearer given" })), &server.name("a:1")).unwrap();
    assert!(!server.lines().iter().any(|line| line.contains("/token")));
}

/// Requests that are refused at the same time wait for one token.
#[test]
fn one_token_is_enough_for_requests_at_once() {
    let server = Odd::start(|asked, host| match asked.line.starts_with("GET /token") {
        true => plain(200, r#"{"token":"t0ken","expires_in":300}"#),
        false if asked.header("authorization").is_some() => plain(200, ""),
        false => Some((401, vec![("www-authenticate", format!("Bearer realm=\"http://{host}/token\""))], Vec::new())),
    });
    let digests: Vec<Digest> = (0..8u8).map(|number| Digest::of(&[number])).collect();
    assert!(registries().has_blobs(&server.name("a:1"), digests.iter().collect()).unwrap());
    assert_eq!(server.lines().iter().filter(|line| line.starts_with("GET /token")).count(), 1, "{:?}", server.lines());
}

/// A token that the registry takes no more is replaced once.
/// DIST-18.
#[test]
fn a_token_that_is_refused_is_replaced_once() {
    let server = Odd::start(|asked, host| match asked.line.starts_with("GET /token") {
        true => plain(200, r#"{"token":"t0ken"}"#),
        false => Some((401, vec![("www-authenticate", format!("Bearer realm=\"http://{host}/token\""))], Vec::new())),
    });
    let error = find(&registries(), &server.name("a:1")).unwrap_err();
    assert!(format!("{error:?}").contains("401"), "{error:?}");
    assert!(server.lines().len() <= 4, "{:?}", server.lines());
}

/// A registry sends us elsewhere for a blob: nobody there sees the credential, and an upload that it sends elsewhere does not show it either.
/// DIST-05, DIST-07.
#[test]
fn credentials_go_to_their_registry_only() {
    let other = Odd::start(|asked, _| match asked.line.starts_with("GET ") {
        true => plain(200, "layer"),
        false => plain(201, ""),
    });
    let elsewhere = other.address.clone();
    let server = Odd::start(move |asked, _| {
        if asked.header("authorization").is_none() {
            return Some((401, vec![("www-authenticate", "Basic realm=x".into())], Vec::new()));
        }
        let place = vec![("location", format!("http://{elsewhere}/x?signature=secret"))];
        match asked.line.split(' ').next().unwrap() {
            "GET" => Some((307, place, Vec::new())),
            "POST" => Some((202, place, Vec::new())),
            "HEAD" => plain(404, ""),
            _ => plain(201, ""),
        }
    });
    let registries = with_auth(serde_json::json!({ server.address.clone(): "Basic dTpw" }));
    assert_eq!(blob(&registries, &server.name("a:1"), b"layer").unwrap(), b"layer");
    let (_folder, store) = store();
    push(&registries, &image(vec![layer(&store, "one")]), &[], &store, &server.name("a:1")).unwrap();
    let seen = other.asked();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert!(seen.iter().all(|asked| asked.header("authorization").is_none()), "{seen:?}");
    assert!(server.asked().iter().any(|asked| asked.header("authorization") == Some("Basic dTpw")));
}

/// DIST-01, DIST-02.
#[test]
fn what_is_not_what_was_asked_for_is_refused() {
    let (documents, sound) = sound();
    let digest = documents.descriptor.digest.clone();
    let lying = Odd::start(move |asked, _| match asked.line.contains("manifests") {
        true => plain(200, r#"{"schemaVersion":2}"#),
        false => sound(asked),
    });
    let error = find(&registries(), &lying.name(&format!("a@{digest}"))).unwrap_err();
    assert!(format!("{error:?}").contains("instead of the one that was asked for"), "{error:?}");
    for (manifest, why) in [
        (r#"{"schemaVersion":1,"fsLayers":[]}"#, "no longer supported"),
        (r#"{"schemaVersion":2,"manifests":[],"layers":[],"config":{}}"#, "both an image and a list"),
        (
            r#"{"mediaType":"application/vnd.oci.image.index.v1+json","layers":[],"config":{}}"#,
            "is no `application/vnd.oci.image.index.v1+json`",
        ),
        ("<html>", "no JSON"),
        (
            r#"{"schemaVersion":2,"config":{"mediaType":"x","size":99999999999,"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"layers":[]}"#,
            "99999999999 bytes",
        ),
    ] {
        let server = Odd::start(move |_, _| plain(200, manifest));
        let error = find(&registries(), &server.name("a:1")).unwrap_err();
        assert!(format!("{error:?}").contains(why), "{error:?}");
    }
    for (content, why) in [("LAYER", "sent sha256:"), ("layer and more", "more than the 5 bytes")] {
        let server = Odd::start(move |_, _| plain(200, content));
        let error = blob(&registries(), &server.name("a:1"), b"layer").unwrap_err();
        assert!(format!("{error:?}").contains(why), "{error:?}");
        assert_eq!(server.lines().len(), 1);
    }
}

/// DIST-13.
#[test]
fn no_document_is_endless() {
    let endless = Odd::start(|_, _| Some((200, vec![("content-length", "99999999999".into())], vec![b' '; 6 << 20])));
    let error = find(&registries(), &endless.name("a:1")).unwrap_err();
    assert!(format!("{error:?}").contains("more than 4194304 bytes"), "{error:?}");
    let error = registries().tags(&endless.name("a:1")).unwrap_err();
    assert!(format!("{error:?}").contains("more than 4194304 bytes"), "{error:?}");
    let circle =
        Odd::start(|_, _| Some((200, vec![("link", "</v2/a/tags/list?last=x>; rel=\"next\"".into())], br#"{"tags":["x"]}"#.to_vec())));
    assert_eq!(registries().tags(&circle.name("a:1")).unwrap(), ["x"]);
}

/// DIST-03.
#[test]
fn a_blob_that_breaks_off_goes_on_where_it_broke() {
    let content: &[u8] = b"0123456789";
    for can_go_on in [true, false] {
        let count = AtomicUsize::new(0);
        let server = Odd::start(move |asked, _| match (asked.header("range"), count.fetch_add(1, Ordering::Relaxed)) {
            (Some(range), _) if can_go_on => {
                let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
                Some((206, vec![("content-range", format!("bytes {from}-9/10"))], content[from..].to_vec()))
            }
            (_, 0 | 1) => Some((200, vec![("content-length", "10".into())], content[..4].to_vec())),
            (_, _) => plain(200, content),
        });
        assert_eq!(blob(&registries(), &server.name("a:1"), content).unwrap(), content);
        assert!(server.asked().last().unwrap().header("range").is_some());
    }
}

/// IMG-27.
/// A registry that cannot mount says where it waits for the blob, or refuses; then the blob is sent.
/// DIST-07, DIST-10.
#[test]
fn what_cannot_be_mounted_is_sent() {
    for status in [202, 403] {
        let server = Odd::start(move |asked, host| {
            let place = vec![("location", format!("http://{host}/upload?state=1"))];
            match asked.line.as_str() {
                line if line.contains("mount=") => Some((status, place, Vec::new())),
                line if line.starts_with("HEAD") => plain(404, ""),
                line if line.starts_with("POST") => Some((202, place, Vec::new())),
                _ => plain(201, ""),
            }
        });
        let (_folder, store) = store();
        let layer = layer(&store, "one");
        push(&registries(), &image(vec![layer.clone()]), &[&server.name("b:1")], &store, &server.name("a:1")).unwrap();
        let lines = server.lines();
        let of_layer =
            lines.iter().filter(|line| line.starts_with("PUT /upload?state=1&digest=") && line.contains(layer.blob.digest.hex()));
        assert_eq!(of_layer.count(), 1, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| *line == "POST /v2/a/blobs/uploads/").count(), if status == 202 { 1 } else { 2 });
    }
}

/// IMG-27.
#[test]
fn a_token_for_two_repositories_may_be_refused() {
    let server = Odd::start(|asked, host| match asked.line.as_str() {
        line if line.starts_with("GET /token") && line.matches("scope=").count() == 2 => plain(403, ""),
        line if line.starts_with("GET /token") => plain(200, r#"{"access_token":"t0ken"}"#),
        _ if asked.header("authorization").is_none() => {
            Some((401, vec![("www-authenticate", format!("Bearer realm=\"http://{host}/token\",service=\"s\""))], Vec::new()))
        }
        line if line.starts_with("HEAD") => plain(404, ""),
        line if line.starts_with("POST") => Some((202, vec![("location", "/upload".into())], Vec::new())),
        _ => plain(201, ""),
    });
    let (_folder, store) = store();
    push(&registries(), &image(vec![layer(&store, "one")]), &[&server.name("b:1")], &store, &server.name("a:1")).unwrap();
    let lines = server.lines();
    let wanted = "GET /token?service=s&scope=repository%3Aa%3Apull%2Cpush&scope=repository%3Ab%3Apull";
    assert!(lines.iter().any(|line| line == wanted), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("PUT /upload?digest=")).count(), 2, "{lines:?}");
}

/// IMG-05, IMG-06.
#[test]
fn access_is_what_the_registry_says() {
    for (status, readable) in [(200, true), (404, true), (429, true), (401, false), (403, false)] {
        let server = Odd::start(move |_, _| plain(status, ""));
        assert_eq!(registries().check_read(&server.name("a:1")).is_ok(), readable, "{status}");
    }
    let read_only = Odd::start(|asked, _| plain(if asked.line.starts_with("POST") { 403 } else { 200 }, ""));
    assert!(registries().check_read(&read_only.name("a:1")).is_ok() && registries().check_write(&read_only.name("a:1")).is_err());
    let nobody = Reference::parse("127.0.0.1:1/a").unwrap();
    assert!(registries().check_read(&nobody).is_err());
}
