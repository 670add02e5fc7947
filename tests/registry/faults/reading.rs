//! What is read from such registries: `cooper pull`, `cooper copy`.

use super::*;
use Ends::{Saying, Well};

const MANIFEST: Which = ("GET ", "/manifests/");
const BLOB: Which = ("GET ", "/blobs/");
const ANY: Which = ("", "/v2/");

fn faults(large: &'static str) -> Vec<Fault> {
    let layer = ("GET ", large);
    let cut = |stage: &Stage| {
        stage.passed_on().map(|(status, headers, mut body)| {
            body.truncate(body.len() / 2);
            (status, headers, body)
        })
    };
    let longer = |stage: &Stage| {
        stage.passed_on().map(|(status, mut headers, body)| {
            headers.retain(|(name, _)| *name != "content-length");
            (status, headers, [body, b"more".to_vec()].concat())
        })
    };
    let shorter = |stage: &Stage| {
        stage.passed_on().map(|(status, mut headers, mut body)| {
            headers.retain(|(name, _)| *name != "content-length");
            body.pop();
            (status, headers, body)
        })
    };
    let other = |stage: &Stage| {
        stage.passed_on().map(|(status, headers, mut body)| {
            body.iter_mut().rev().skip(3).take(1).for_each(|byte| *byte ^= 1);
            (status, headers, body)
        })
    };
    let again = [("retry-after", "0")];
    let in_circles = |stage: &Stage| empty(307, &[("location", &format!("http://{}{}", stage.host, &stage.asked.line[4..]))]);
    let mut faults = vec![
        Fault::new("nothing", Well, first(0, ANY, |_| None)),
        Fault::new("500 twice", Well, first(2, MANIFEST, |_| empty(500, &[]))),
        Fault::new("502 for a layer", Well, first(2, layer, |_| empty(502, &[]))),
        Fault::new("always 500", Saying("500 Internal Server Error"), always(MANIFEST, |_| empty(500, &[]))),
        Fault::new("always 503 for a layer", Saying("cannot read the blob"), always(layer, |_| empty(503, &[]))),
        Fault::new("429 twice", Well, first(2, ANY, move |_| empty(429, &again))),
        Fault::new("always 429", Saying("429 Too Many Requests"), always(MANIFEST, move |_| empty(429, &again))),
        Fault::new("429 for good", Saying("429 Too Many Requests"), always(MANIFEST, |_| empty(429, &[]))),
        Fault::new("403", Saying("check the credentials"), always(MANIFEST, |_| empty(403, &[]))),
        Fault::new("403 for a blob", Saying("403 Forbidden"), always(BLOB, |_| empty(403, &[]))),
        Fault::new("404", Saying("check the name and the tag"), always(MANIFEST, |_| empty(404, &[]))),
        Fault::new("404 for a layer", Saying("404 Not Found"), always(layer, |_| empty(404, &[]))),
        Fault::new("401 for ever", Saying("401 Unauthorized"), always(ANY, |_| empty(401, &[("www-authenticate", "Basic realm=x")]))),
        Fault::new("tokens that do not help", Saying("401 Unauthorized"), tokens(|_| plain(200, r#"{"token":"x"}"#))),
        Fault::new("no tokens", Saying("cannot get a token"), tokens(|_| plain(200, "{}"))),
        Fault::new("endless tokens", Saying("more than 1048576 bytes"), tokens(endless)),
        Fault::new("an endless manifest", Saying("more than 4194304 bytes"), always(MANIFEST, endless)),
        Fault::new("silence", Well, first(2, ANY, |_| None)),
        Fault::new("manifest cut", Well, first(2, MANIFEST, cut)),
        Fault::new("a layer cut", Well, first(4, layer, cut)),
        Fault::new("blobs too long", Saying("more than the"), always(BLOB, longer)),
        Fault::new("blobs too short", Saying("tried 6 times"), always(BLOB, shorter)),
        Fault::new("another manifest", Saying("instead of the one that was asked for"), always(MANIFEST, other)),
        Fault::new("another configuration", Saying("instead"), always(BLOB, other)),
        Fault::new("another layer", Saying("instead"), always(layer, other)),
        Fault::new("in circles", Saying("redirects too often"), always(MANIFEST, in_circles)),
    ];
    faults.extend(Fault::of_connections());
    faults
}

/// Everybody is sent for a token, and a request with one likewise.
fn tokens(answer: impl Fn(&Stage) -> Option<Answer> + Send + Sync + 'static) -> Play {
    always(("", ""), move |stage| {
        let challenge = format!("Bearer realm=\"http://{}/token\",service=\"s\"", stage.host);
        if stage.asked.line.starts_with("GET /token") { answer(stage) } else { empty(401, &[("www-authenticate", &challenge)]) }
    })
}

fn endless(_: &Stage) -> Option<Answer> {
    Some((200, vec![("content-length", "99999999999".into())], vec![b' '; 6 << 20]))
}

/// IMG-16.
/// DIST-01, DIST-02, DIST-03, DIST-17, DIST-18.
#[test]
fn what_arrives_is_the_whole_image_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (registry, source) = (Registry::start(), folder.path().join("source"));
    let image = layout(&source);
    let machine = Machine::empty(folder.path());
    succeed(&mut machine.command(&["copy", &format!("oci:{}:x", source.display()), &registry.name("team/app:1")]));
    let large: &'static str = image.blobs[1].clone().leak();
    for command in ["pull", "copy"] {
        each(faults(large), |index, fault| {
            let (folder, fault_name, wanted) = (folder.path().join(format!("{command}-{index}")), fault.name.clone(), fault.ends);
            let (machine, proxy) = (Machine::empty(&folder), fault.start(&registry));
            let (name, target) = (format!("{}/team/app:1", proxy.host()), folder.join("layout"));
            let place = format!("oci:{}:x", target.display());
            let arguments = if command == "pull" { vec![command, &name] } else { vec![command, &name, &place] };
            ends(&machine, &arguments, &fault_name, wanted);
            let index = if command == "pull" { machine.store.join("index.json") } else { target.join("index.json") };
            let named = std::fs::read_to_string(index).unwrap_or_default();
            assert_eq!(named.contains(&image.digest), matches!(wanted, Well), "{fault_name}: {named}");
        });
    }
}
