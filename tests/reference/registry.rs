//! Images of cases that have a registry: run images go there, and what a step made comes back as layouts, which records are made of.

use crate::support::{Registry, succeed};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sends a run image, which is in a layout, to the registry.
pub fn push(registry: &Registry, layouts: &Path, name: &str) {
    let source = format!("oci:{}", layouts.join("index.docker.io/library").join(name).join("latest").display());
    let target = format!("docker://{}", registry.name(name));
    succeed(Command::new("skopeo").args(["copy", "--quiet", "--dest-tls-verify=false", "--preserve-digests", &source, &target]));
}

/// Writes each image that the registry has under a name as a layout below `layouts/registry`.
pub fn pull(registry: &Registry, layouts: &Path) {
    let repositories = registry.data().join("repositories");
    for entry in walkdir::WalkDir::new(&repositories).sort_by_file_name() {
        let path = entry.unwrap().into_path();
        if !path.ends_with("current/link") {
            continue;
        }
        // `REPOSITORY/_manifests/tags/TAG/current/link`
        let tag = path.ancestors().nth(2).unwrap();
        let repository = tag.strip_prefix(&repositories).unwrap().ancestors().nth(3).unwrap();
        let folder = layouts.join("registry").join(repository).join(tag.file_name().unwrap());
        write(registry, &fs::read_to_string(&path).unwrap(), &folder);
    }
}

fn write(registry: &Registry, digest: &str, folder: &Path) {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let bring = |digest: &str| -> PathBuf {
        let hex = &digest["sha256:".len()..];
        let (source, target) = (registry.data().join("blobs/sha256").join(&hex[..2]).join(hex).join("data"), blobs.join(hex));
        if source.exists() && !target.exists() {
            fs::copy(source, &target).unwrap();
        }
        target
    };
    let manifest: Value = serde_json::from_slice(&fs::read(bring(digest)).unwrap()).unwrap();
    for descriptor in manifest["layers"].as_array().unwrap().iter().chain([&manifest["config"]]) {
        bring(descriptor["digest"].as_str().unwrap());
    }
    let descriptor = json!({ "mediaType": manifest["mediaType"], "digest": digest });
    fs::write(folder.join("index.json"), json!({ "manifests": [descriptor] }).to_string()).unwrap();
}
