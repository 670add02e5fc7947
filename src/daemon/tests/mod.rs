//! How engines of other kinds than the one in `tests/` are spoken to.

mod scripted;
mod unreachable;

use super::*;
use crate::archive::{Entry, TarReader, TarWriter};
use crate::image::{Descriptor, Digest, History, Image, Layer, media_type};
use crate::output::Output;
use crate::store::Store;
use scripted::{Scripted, json};
use std::io::Write;
use std::path::PathBuf;

const ID: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

fn tar(name: &str) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new());
    writer.append(&Entry::file(name, 3, 0o644, 0, 0, 0), &b"abc"[..]).unwrap();
    writer.finish().unwrap()
}

/// An image of two layers, and the files of their tars.
fn image(folder: &std::path::Path) -> (Image, Vec<PathBuf>) {
    let mut image = Image::default();
    (image.config.os, image.config.architecture) = ("linux".into(), "amd64".into());
    let mut files = Vec::new();
    for name in ["below", "above"] {
        let diff_id = Digest::of(&tar(name));
        let blob = Descriptor::new(media_type::LAYER, 0, diff_id.clone());
        image.layers.push(Layer { blob, diff_id, history: History::default() });
        files.push(folder.join(name));
        std::fs::write(folder.join(name), tar(name)).unwrap();
    }
    (image, files)
}

fn described(id: &str, image: &Image) -> Vec<u8> {
    let layers: Vec<&Digest> = image.layers.iter().map(|layer| &layer.diff_id).collect();
    let config = serde_json::json!({ "Image": ID, "Hostname": "", "Tty": false, "Cmd": null, "Env": ["A=b"], "OnBuild": [] });
    json(200, &serde_json::json!({ "Id": id, "Os": "linux", "Architecture": "amd64", "Config": config, "RootFS": { "Layers": layers } }))
}

/// The members of an archive with their sizes.
fn members(archive: &[u8]) -> Vec<(String, u64)> {
    let mut reader = TarReader::new(archive);
    let mut members = Vec::new();
    while let Some(member) = reader.next().unwrap() {
        members.push((String::from_utf8(member.path).unwrap(), member.size));
    }
    members
}

/// IMG-36.
#[test]
fn an_engine_with_platforms_is_asked_for_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (image, _) = image(folder.path());
    let of_platform = format!("sha256:{}", "2".repeat(64));
    for (version, platform_known, expected) in [("1.49", true, 2), ("1.50", false, 1), ("1.48", true, 0)] {
        let (image, of_platform) = (image.clone(), of_platform.clone());
        let engine = Scripted::start(version, move |path, _| match path {
            path if path.contains("/history") => json(200, &serde_json::json!([])),
            path if path.contains("?platform=") && platform_known => described(&of_platform, &image),
            path if path.contains("?platform=") => json(400, &serde_json::json!({ "message": "no such platform" })),
            _ => described(ID, &Image { layers: image.layers[..1].to_vec(), ..image.clone() }),
        });
        let found = engine.connect().unwrap().image("app").unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.image.layers.len()), (&ID[7..], if expected == 2 { 2 } else { 1 }), "{version}");
        let asked = engine.asked();
        let platform = "?platform=%7B%22os%22:%22linux%22,%22architecture%22:%22";
        assert_eq!(asked.iter().filter(|path| path.contains(platform)).count(), if version == "1.48" { 0 } else { 2 }, "{asked:?}");
        assert!(asked.iter().any(|path| path == &format!("GET /v1.{}/images/app/json", if version == "1.48" { 48 } else { 49 })));
    }
}

/// IMG-25: a refusal by a status, and one in an answer that began well; and an engine that is known to want all layers.
#[test]
fn all_layers_are_sent_where_the_engine_wants_them() {
    let folder = tempfile::tempdir().unwrap();
    let (image, files) = image(folder.path());
    let names: Vec<String> = image.layers.iter().map(|layer| format!("{}.tar", layer.diff_id.hex())).collect();
    let refusal = serde_json::json!({ "message": "no" });
    let late = serde_json::json!({ "errorDetail": { "message": "invalid diffID" }, "error": "invalid diffID" });
    for (driver, first, loads) in
        [("vfs", json(500, &refusal), 2), ("vfs", json(200, &late), 2), ("io.containerd.snapshotter.v1", vec![], 1)]
    {
        let described = described(ID, &image);
        let tries = std::sync::atomic::AtomicUsize::new(0);
        let engine = Scripted::start("1.41", move |path, _| match path {
            path if path.ends_with("/info") => json(200, &serde_json::json!({ "DriverStatus": [["driver-type", driver]] })),
            path if path.contains("/load") && driver == "vfs" && tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 => {
                first.clone()
            }
            path if path.contains("/load") => json(200, &serde_json::json!({ "stream": "Loaded image: app:latest\n" })),
            path if path.contains("/history") => json(200, &serde_json::json!([])),
            _ => described.clone(),
        });
        let name = Reference::parse("app").unwrap();
        let find = &mut |layers: &[Layer]| Ok(files[files.len() - layers.len()..].to_vec());
        let documents = &image.documents();
        let shipment = Shipment { image: &image, documents, name: &name, present: Present::Lowest(1), files: find };
        let sent = engine.connect().unwrap().send(shipment, &Output::quiet());
        assert_eq!(sent.unwrap().id, ID[7..]);
        let archives: Vec<_> = engine.bodies().iter().map(|body| members(body)).collect();
        assert_eq!(archives.len(), loads);
        let last: Vec<&str> = archives[loads - 1].iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(last[1..], [names[0].as_str(), &names[1], "manifest.json"]);
        if loads == 2 {
            assert_eq!(archives[0][1..3], [("blank_0".to_string(), 0), (names[1].clone(), 2048)]);
        }
    }
}

/// PKG-01. Layers come compressed or not, under names that say nothing, with other files between them.
#[test]
fn an_image_comes_into_the_store_once() {
    let folder = tempfile::tempdir().unwrap();
    let (image, _) = image(folder.path());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar("above")).unwrap();
    let layers: Vec<&Digest> = image.layers.iter().map(|layer| &layer.diff_id).collect();
    let history = serde_json::json!([{ "created_by": "a" }, { "created_by": "nothing", "empty_layer": true }, { "created_by": "b" }]);
    let config = serde_json::json!({ "os": "linux", "architecture": "amd64", "config": { "Env": ["A=b"] }, "history": history,
        "rootfs": { "type": "layers", "diff_ids": layers }, "unknown": 1 });
    let (config, manifest) = (config.to_string(), r#"[{"Config":"c","RepoTags":null,"Layers":["x/layer.tar","y"]}]"#);
    let mut archive = TarWriter::new(Vec::new());
    let members = [("x/json", b"{}".to_vec()), ("y", gzip.finish().unwrap()), ("empty", vec![]), ("z/layer.tar", tar("below"))];
    for (name, content) in members.into_iter().chain([("manifest.json", manifest.into()), ("c", config.clone().into_bytes())]) {
        archive.append(&Entry::file(name, content.len() as u64, 0o644, 0, 0, 0), content.as_slice()).unwrap();
    }
    // As old engines write a layer that two images have.
    archive.append(&Entry::symlink("x/layer.tar", "../z/layer.tar", 0, 0, 0), std::io::empty()).unwrap();
    let archive = archive.finish().unwrap();
    let id = Digest::of(config.as_bytes());
    let description = described(id.as_str(), &image);
    let engine = Scripted::start("1.41", move |path, _| match path {
        path if path.contains("/history") => json(200, &serde_json::json!([])),
        path if path.contains("/missing") => json(404, &serde_json::json!({ "message": "No such image" })),
        path if path.ends_with("/get") => scripted::answer(200, &archive),
        _ => description.clone(),
    });
    let store = Store::open(&folder.path().join("store")).unwrap();
    let connected = engine.connect().unwrap();
    let bring = |name: &str| {
        connected
            .bring(&Reference::parse(name).unwrap(), &"linux/amd64".parse().unwrap(), &store, &Output::quiet())
            .unwrap()
            .map(|brought| brought.stored)
    };
    let first = bring("builder").unwrap();
    store.name(&Reference::parse("other").unwrap(), &first).unwrap();
    let second = bring("builder").unwrap();
    assert_eq!((&first.digest, store.documents(&first).unwrap().config), (&second.digest, config.into_bytes()));
    assert_eq!(engine.asked().iter().filter(|path| path.ends_with("/get")).count(), 1);
    let layers = &first.image.layers;
    assert_eq!(layers.iter().map(|layer| layer.history.created_by.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(layers.iter().all(|layer| layer.blob.media_type == media_type::LAYER_GZIP && store.has_blob(&layer.blob.digest)));
    assert!(bring("missing").is_none());
    assert_eq!(std::fs::read_dir(store.root().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_connection_that_was_closed_is_opened_again() {
    let engine = Scripted::start("1.41", |path, _| match path {
        path if path.contains("/tag") => json(409, &serde_json::json!({ "message": "that cannot be" })),
        _ => b"HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_vec(),
    });
    let connected = engine.connect().unwrap();
    for _ in 0..3 {
        assert!(connected.image("app").unwrap().is_none());
    }
    assert_eq!(engine.connections(), 3);
    let error = connected.tag("1", &Reference::parse("r.test/a:b").unwrap()).unwrap_err();
    assert_eq!(format!("{error:?}"), "the engine does not give an image the name `r.test/a:b`\n  caused by: that cannot be");
    assert_eq!(engine.asked().last().unwrap(), "POST /v1.41/images/1/tag?repo=r.test/a&tag=b");
}
