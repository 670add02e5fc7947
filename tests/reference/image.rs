//! Images in OCI layouts: the run images that cases stand on, and what a step made.

use super::case::RunImage;
use super::observe::{digest, listing};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Writes a run image below the folder of layouts; the same bytes each time, so that both programs are told the same digests.
pub fn make(layouts: &Path, image: &RunImage) {
    let folder = layouts.join("index.docker.io/library").join(&image.name).join("latest");
    let put = |bytes: &[u8], media_type: &str| {
        let digest = digest(bytes);
        let path = folder.join("blobs/sha256").join(&digest["sha256:".len()..]);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        json!({ "mediaType": media_type, "size": bytes.len(), "digest": digest })
    };
    let tar = layer(&image.name);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(&tar).unwrap();
    let layer = put(&gzip.finish().unwrap(), "application/vnd.oci.image.layer.v1.tar+gzip");
    let env: Vec<String> = std::iter::once("PATH=/usr/bin:/bin".to_string()).chain(image.env.clone()).collect();
    let config = json!({
        "architecture": image.arch, "os": "linux", "created": "1980-01-01T00:00:01Z",
        "config": { "Env": env, "Labels": image.labels, "User": "1000:1000" },
        "rootfs": { "type": "layers", "diff_ids": [digest(&tar)] },
        "history": [{ "created": "1980-01-01T00:00:01Z", "created_by": "a test" }],
    });
    let config = put(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer] });
    let manifest = put(manifest.to_string().as_bytes(), media_type);
    let index = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest] });
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

fn layer(name: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(name.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(315_532_801);
    tar.append_data(&mut header, "etc/run-image", name.as_bytes()).unwrap();
    tar.into_inner().unwrap()
}

/// An image that was found.
pub struct Found {
    /// The path of its layout below the folder of layouts.
    pub name: String,
    /// The digest of its manifest.
    pub manifest: String,
    /// That of its configuration.
    pub config: String,
    /// The diffID of the launcher's layer; empty where there is none.
    pub launcher: String,
    /// What is compared of it.
    pub record: Value,
}

/// Every image below the folder of layouts. Layers that were `seen` are not listed again.
pub fn all(layouts: &Path, seen: &mut BTreeSet<String>) -> Vec<Found> {
    let walk = walkdir::WalkDir::new(layouts).sort_by_file_name();
    let found = walk.into_iter().map(Result::unwrap).filter(|entry| entry.file_name() == "index.json");
    found.map(|entry| one(layouts, entry.path().parent().unwrap(), seen)).collect()
}

fn one(layouts: &Path, folder: &Path, seen: &mut BTreeSet<String>) -> Found {
    let read = |path: &Path| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let blob = |descriptor: &Value| folder.join("blobs/sha256").join(&descriptor["digest"].as_str().unwrap()["sha256:".len()..]);
    let index = read(&folder.join("index.json"));
    let descriptor = &index["manifests"][0];
    let manifest = read(&blob(descriptor));
    let mut config = read(&blob(&manifest["config"]));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    parse_labels(&mut config["config"]["Labels"]);
    let known_launcher = text(&config["config"]["Labels"]["io.buildpacks.lifecycle.metadata"]["launcher"]["sha"]);
    let (mut layers, mut launcher) = (Vec::new(), String::new());
    let history = config["history"].as_array().cloned().unwrap_or_default();
    let diff_ids = config["rootfs"]["diff_ids"].as_array().cloned().unwrap_or_default();
    let descriptors = manifest["layers"].as_array().cloned().unwrap_or_default();
    assert_eq!(diff_ids.len(), descriptors.len(), "{}", folder.display());
    for (at, (diff_id, layer)) in diff_ids.iter().zip(&descriptors).enumerate() {
        let is_launcher = text(diff_id) == known_launcher;
        if is_launcher {
            launcher = text(diff_id);
        }
        let mut record = json!({ "diffID": diff_id, "mediaType": layer["mediaType"], "history": history.get(at) });
        if seen.insert(text(diff_id)) && blob(layer).is_file() {
            record["files"] = json!(files(&blob(layer), is_launcher));
        }
        record["blob"] = json!(blob(layer).is_file());
        layers.push(record);
    }
    config.as_object_mut().unwrap().remove("rootfs");
    config.as_object_mut().unwrap().remove("history");
    let record = json!({
        "annotations": descriptor["annotations"], "mediaTypes": [descriptor["mediaType"], manifest["mediaType"], manifest["config"]["mediaType"]],
        "config": config, "layers": layers,
    });
    let name = folder.strip_prefix(layouts).unwrap().display().to_string();
    Found { name, manifest: text(&descriptor["digest"]), config: text(&manifest["config"]["digest"]), launcher, record }
}

fn files(blob: &Path, is_launcher: bool) -> Vec<String> {
    let mut lines = listing(MultiGzDecoder::new(fs::File::open(blob).unwrap()));
    if is_launcher {
        // Another program: its size and digest are its own.
        for line in lines.iter_mut().filter(|line| line.contains(" /cnb/lifecycle/launcher ")) {
            *line = line.split_inclusive(' ').take(3).collect();
        }
    }
    lines
}

/// Labels that hold JSON are compared as what they say.
fn parse_labels(labels: &mut Value) {
    for (_, value) in labels.as_object_mut().unwrap_or(&mut Map::new()) {
        if let Some(parsed @ (Value::Object(_) | Value::Array(_))) = value.as_str().and_then(|text| serde_json::from_str(text).ok()) {
            *value = parsed;
        }
    }
}
