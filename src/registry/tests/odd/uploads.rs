//! Uploads to registries that break off, forget, or take no large bodies.

use super::*;

/// IMG-16.
/// A blob that is sent while it is made cannot be sent again from its beginning: the first fault ends it.
#[test]
fn a_blob_that_cannot_be_finished_is_an_error() {
    use std::io::Write;
    for (fault, said) in [("PATCH", "busy"), ("PUT", "DIGEST_INVALID")] {
        let server = Odd::start(move |asked, _| {
            let method = asked.line.split(' ').next().unwrap_or_default();
            match method {
                _ if method == fault => plain(400, format!(r#"{{"errors":[{{"code":"{said}","message":"no"}}]}}"#)),
                "POST" | "PATCH" => Some((202, vec![("location", "/upload".into())], Vec::new())),
                _ => plain(404, ""),
            }
        });
        let registries = registries();
        let mut blob = registries.new_blob(&server.name("a:1")).unwrap();
        blob.write_all(b"layer").unwrap();
        let error = format!("{:?}", blob.finish(&Digest::of(b"layer")).unwrap_err());
        assert!(error.contains(said), "{error}");
        assert!(!registries.has_blobs(&server.name("a:1"), vec![&Digest::of(b"layer")]).unwrap());
    }
}

/// IMG-16.
/// Something between us and the registry takes no large bodies; then smaller ones are sent.
/// DIST-08.
#[test]
fn a_blob_that_is_too_large_for_one_request_is_sent_in_pieces() {
    let pieces = Arc::new(Mutex::new(Vec::new()));
    let seen = pieces.clone();
    let server = Odd::start(move |asked, _| {
        let method = asked.line.split(' ').next().unwrap_or_default().to_string();
        let place = vec![("location", "/upload".into())];
        match method.as_str() {
            "HEAD" => plain(404, ""),
            "POST" => Some((202, place, Vec::new())),
            "PATCH" if asked.body.len() > 9 << 20 => plain(413, "too large"),
            "PATCH" => {
                seen.lock().unwrap().push((asked.header("content-range").unwrap().to_string(), asked.body.len()));
                Some((202, place, Vec::new()))
            }
            _ => plain(201, ""),
        }
    });
    let blob = vec![7; 20 << 20];
    let digest = Digest::of(&blob);
    let name = server.name("a:1");
    let registries = registries();
    let session = registries.session(&name).unwrap();
    sending::send(&session, "a", &digest, &sending::Content::Bytes(&blob), None).unwrap();
    let pieces = pieces.lock().unwrap().clone();
    let expected = [(0, 8 << 20), (8 << 20, 8 << 20), (16 << 20, 4 << 20)];
    assert_eq!(pieces, expected.map(|(start, length)| (format!("{start}-{}", start + length - 1), length)));
}

/// IMG-16.
/// A registry that says what arrived gets the rest; one that does not gets all again.
/// DIST-09.
#[test]
fn an_upload_goes_on_where_it_broke() {
    for (knows, expected) in [(true, vec!["none", "1048576-9437183"]), (false, vec!["none", "none"])] {
        let parts = Arc::new(Mutex::new(Vec::new()));
        let seen = parts.clone();
        let server = Odd::start(move |asked, _| {
            let place = vec![("location", "/upload".into()), ("range", "0-1048575".into())];
            match asked.line.split(' ').next().unwrap_or_default() {
                "POST" => Some((202, place, Vec::new())),
                "GET" if knows => Some((204, place, Vec::new())),
                "PATCH" => {
                    let mut seen = seen.lock().unwrap();
                    seen.push(asked.header("content-range").unwrap_or("none").to_string());
                    (seen.len() > 1).then_some((202, place, Vec::new()))
                }
                "PUT" => plain(201, ""),
                _ => plain(404, ""),
            }
        });
        let blob = vec![7; 9 << 20];
        let registries = registries();
        let session = registries.session(&server.name("a:1")).unwrap();
        sending::send(&session, "a", &Digest::of(&blob), &sending::Content::Bytes(&blob), None).unwrap();
        assert_eq!(*parts.lock().unwrap(), expected);
    }
}
