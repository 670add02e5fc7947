//! Documents that are meant to hurt: too long, too deep, of too many parts, or not what they say.

use super::*;
use crate::support::digest;
use Ends::Saying;
use serde_json::{Value, json};
use std::collections::HashMap;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// What a registry has, by digest, and what the tag means.
struct Content {
    blobs: HashMap<String, Vec<u8>>,
    tag: Vec<u8>,
}

fn numbered(number: usize) -> String {
    digest(&number.to_le_bytes())
}

impl Content {
    fn of(tag: impl Into<Vec<u8>>) -> Self {
        Self { blobs: HashMap::new(), tag: tag.into() }
    }

    /// An image whose documents say this.
    fn image(layers: &Value, config: impl Into<Vec<u8>>) -> Self {
        let config = config.into();
        let descriptor = json!({ "mediaType": CONFIG, "size": config.len(), "digest": digest(&config) });
        let manifest = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": descriptor, "layers": layers });
        Self { blobs: [(digest(&config), config)].into(), tag: manifest.to_string().into() }
    }

    /// A list of nothing but this.
    fn listed(mut self) -> Self {
        let entry = json!({ "mediaType": INDEX, "size": self.tag.len(), "digest": digest(&self.tag) });
        let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [entry] }).to_string().into_bytes();
        self.blobs.insert(digest(&self.tag), std::mem::replace(&mut self.tag, list));
        self
    }

    fn answer(&self, asked: &Asked) -> Option<Answer> {
        match asked.line.rsplit('/').next()? {
            "1" => plain(200, self.tag.clone()),
            other => self.blobs.get(other).map_or_else(|| plain(404, ""), |blob| plain(200, blob.clone())),
        }
    }
}

fn list(count: usize, entry: impl Fn(usize) -> Value) -> String {
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": (0..count).map(entry).collect::<Vec<_>>() }).to_string()
}

fn layers(count: usize) -> Value {
    (0..count).map(|number| json!({ "mediaType": LAYER, "size": 1, "digest": numbered(number) })).collect()
}

fn config(layers: usize) -> String {
    let diff_ids: Vec<String> = (0..layers).map(numbered).collect();
    json!({ "os": "linux", "architecture": "amd64", "config": {}, "rootfs": { "type": "layers", "diff_ids": diff_ids } }).to_string()
}

fn hostile() -> Vec<(&'static str, &'static str, Content)> {
    let of_arm = |number| json!({ "mediaType": IMAGE, "size": 1, "digest": numbered(number), "platform": { "os": "linux", "architecture": "s390x" } });
    let short = |number| json!({ "mediaType": "", "size": 1, "digest": numbered(number), "platform": { "os": "x" } });
    let deep = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let one = |layer: Value| Content::image(&json!([layer]), config(1));
    let nested = (0..5).fold(Content::image(&layers(1), config(1)), |content, _| content.listed());
    vec![
        ("a list of 100,000 images", "more than 4194304 bytes", Content::of(list(100_000, of_arm))),
        ("a list of 30,000 images", "more than 500 images", Content::of(list(30_000, short))),
        ("lists in lists", "a list of lists of images", nested),
        ("10,000 layers", "the image has 10000 layers", Content::image(&layers(10_000), config(10_000))),
        ("10,000 layers and a configuration of one", "lists 10000 layers", Content::image(&layers(10_000), config(1))),
        ("a deep manifest", "no JSON of the known form", Content::of(deep(100_000))),
        ("a deep part of a manifest", "the manifest makes no sense", {
            let text = format!(r#"{{"schemaVersion":2,"layers":[],"config":{{"annotations":{}}}}}"#, deep(100_000));
            Content::of(text)
        }),
        ("a deep configuration", "the configuration makes no sense", Content::image(&layers(1), format!(r#"{{"x":{}}}"#, deep(100_000)))),
        ("a long configuration", "more than the 16777216 that make sense", Content::image(&layers(1), " ".repeat(17 << 20))),
        (
            "no layers' list",
            "makes no sense",
            Content::of(r#"{"schemaVersion":2,"config":{"mediaType":"x","size":1,"digest":"sha256:1"}}"#),
        ),
        ("a negative size", "makes no sense", one(json!({ "mediaType": LAYER, "size": -1, "digest": numbered(1) }))),
        ("an endless layer", "404 Not Found", one(json!({ "mediaType": LAYER, "size": u64::MAX, "digest": numbered(1) }))),
        ("a path for a digest", "makes no sense", one(json!({ "mediaType": LAYER, "size": 1, "digest": "sha256:../../../etc/passwd" }))),
        ("another hash", "makes no sense", one(json!({ "mediaType": LAYER, "size": 1, "digest": format!("sha512:{}", "0".repeat(128)) }))),
        ("nothing", "no JSON of the known form", Content::of("")),
        ("a web page", "no JSON of the known form", Content::of("<html><body>Log in</body></html>")),
        ("no text", "no JSON of the known form", Content::of(vec![0xff; 1000])),
    ]
}

/// DIST-02, DIST-04.
#[test]
fn documents_that_are_meant_to_hurt_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    each(hostile(), |index, (name, says, content)| {
        let server = Odd::start(move |asked, _| content.answer(asked));
        let machine = Machine::empty(&folder.path().join(index.to_string()));
        let image = format!("{}/a/b:1", server.address);
        ends(&machine, &["pull", &image], name, Saying(says));
        let index = std::fs::read_to_string(machine.store.join("index.json")).unwrap();
        assert!(!index.contains("a/b"), "{name}: {index}");
        assert!(server.lines().len() < 10, "{name}: {:?}", server.lines());
    });
}
