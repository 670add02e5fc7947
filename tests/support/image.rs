//! Small images in OCI layouts, as other tools make them.

use serde_json::json;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::path::Path;

/// An image in a layout.
pub struct Small {
    /// The digest of its manifest.
    pub digest: String,
    /// The digest of its configuration.
    pub config: String,
    /// The digests of its layers' tars.
    pub diff_ids: Vec<String>,
    /// The digests of its layers' blobs.
    pub blobs: Vec<String>,
}

impl Small {
    /// Writes an image to the layout in `folder` under a tag: each layer has one file.
    pub fn write(folder: &Path, tag: &str, layers: &[(&str, &[u8])]) -> Self {
        Self::write_with(folder, tag, layers, json!({}))
    }

    /// The same with other members of the configuration.
    pub fn write_with(folder: &Path, tag: &str, layers: &[(&str, &[u8])], members: serde_json::Value) -> Self {
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        let (mut diff_ids, mut blobs, mut descriptors, mut history) = (vec![], vec![], vec![], vec![]);
        for (path, content) in layers {
            let tar = tar(path, content);
            diff_ids.push(digest(&tar));
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&tar).unwrap();
            let blob = gzip.finish().unwrap();
            blobs.push(put(folder, &blob));
            let media_type = "application/vnd.oci.image.layer.v1.tar+gzip";
            descriptors.push(json!({ "mediaType": media_type, "digest": blobs.last(), "size": blob.len() }));
            history.push(json!({ "created_by": path }));
            history.push(json!({ "created_by": "nothing", "empty_layer": true }));
        }
        // In an order, and with a member, that this program would not write.
        let mut config = json!({ "rootfs": { "type": "layers", "diff_ids": diff_ids }, "os": "linux", "architecture": "amd64",
            "config": { "Labels": { "of": "test" }, "Env": ["PATH=/bin"] }, "history": history, "zzz": { "b": 1, "a": 2 } });
        members.as_object().unwrap().iter().for_each(|(name, member)| config[name] = member.clone());
        let config = serde_json::to_string_pretty(&config).unwrap();
        let config_digest = put(folder, config.as_bytes());
        let descriptor = json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len() });
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({ "mediaType": media_type, "layers": descriptors, "schemaVersion": 2, "config": descriptor,
            "annotations": { "note": "of the test" } });
        let manifest = serde_json::to_string_pretty(&manifest).unwrap();
        let digest = put(folder, manifest.as_bytes());
        add_to_index(folder, tag, json!({ "mediaType": media_type, "digest": digest, "size": manifest.len() }));
        Self { digest, config: config_digest, diff_ids, blobs }
    }
}

/// Adds something of a kind to the layout in `folder` that refers to the manifest with a digest. Returns its own digest.
pub fn refer(folder: &Path, subject: &str, kind: &str) -> String {
    let describe = |media_type: &str, digest: &str, size: usize| json!({ "mediaType": media_type, "digest": digest, "size": size });
    let content = format!("{kind} of {subject}");
    let (config, blob) = (put(folder, b"{}"), put(folder, content.as_bytes()));
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let size = fs::metadata(folder.join("blobs/sha256").join(&subject["sha256:".len()..])).unwrap().len();
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "artifactType": kind,
        "config": describe("application/vnd.oci.empty.v1+json", &config, 2), "layers": [describe(kind, &blob, content.len())],
        "subject": describe(media_type, subject, usize::try_from(size).unwrap()), "annotations": { "of": "a test" } });
    let manifest = manifest.to_string();
    let digest = put(folder, manifest.as_bytes());
    let mut entry = describe(media_type, &digest, manifest.len());
    entry["artifactType"] = kind.into();
    add_entry(folder, entry);
    digest
}

/// Adds an index that refers to the image with a digest, of one kind, and lists a manifest that the layout has. Returns its digest.
pub fn refer_with_index(folder: &Path, subject: &str, kind: &str, listed: &str) -> String {
    let describe = |media_type: &str, digest: &str| {
        let size = fs::metadata(folder.join("blobs/sha256").join(&digest["sha256:".len()..])).unwrap().len();
        json!({ "mediaType": media_type, "digest": digest, "size": size })
    };
    let [index, manifest] = ["index", "manifest"].map(|kind| format!("application/vnd.oci.image.{kind}.v1+json"));
    let document = json!({ "schemaVersion": 2, "mediaType": index, "artifactType": kind, "manifests": [describe(&manifest, listed)],
        "subject": describe(&manifest, subject), "annotations": { "of": "a test" } });
    let digest = put(folder, document.to_string().as_bytes());
    add_entry(folder, describe(&index, &digest));
    digest
}

fn add_to_index(folder: &Path, tag: &str, mut entry: serde_json::Value) {
    entry["annotations"]["org.opencontainers.image.ref.name"] = tag.into();
    add_entry(folder, entry);
}

fn add_entry(folder: &Path, entry: serde_json::Value) {
    let path = folder.join("index.json");
    let empty = r#"{"schemaVersion":2,"manifests":[]}"#.to_string();
    let mut index: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap_or(empty)).unwrap();
    index["manifests"].as_array_mut().unwrap().push(entry);
    fs::write(path, index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

fn tar(path: &str, content: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.set_mtime(1);
    tar.append_data(&mut header, path, content).unwrap();
    tar.into_inner().unwrap()
}

/// The digest of bytes, as images name it.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn put(folder: &Path, bytes: &[u8]) -> String {
    let digest = digest(bytes);
    fs::write(folder.join("blobs/sha256").join(&digest["sha256:".len()..]), bytes).unwrap();
    digest
}
