//! What `cooper sbom` says is in images, and who else takes its word: validators, scanners, other places, other people's images.

mod foreign;
mod grype;
mod places;
mod readers;

use crate::support::{Machine, succeed};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// All files of a folder with their content, by path.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.file_type().is_file());
    files.map(|entry| (entry.path().strip_prefix(folder).unwrap().to_path_buf(), std::fs::read(entry.path()).unwrap())).collect()
}

/// Downloads into a folder, and returns what is said of it.
fn download(machine: &Machine, image: &str, folder: &Path, more: &[&str]) -> Value {
    let arguments = ["sbom", "download", image, "--output", "json", "--output-dir", folder.to_str().unwrap()];
    serde_json::from_str(&succeed(&mut machine.command(&[&arguments[..], more].concat()))).unwrap()
}

fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The components of the CycloneDX document in a folder that are packages.
fn components(folder: &Path) -> Vec<Value> {
    let document = json(folder.join("sbom.cdx.json"));
    let all = document["components"].as_array().unwrap().iter();
    all.filter(|component| component["type"] != "operating-system").cloned().collect()
}

/// Package URLs of a type in Syft's JSON, without which release of a distribution they are of.
fn purls(document: &Value, kind: &str) -> BTreeSet<String> {
    let artifacts = document["artifacts"].as_array().unwrap().iter().filter(|artifact| artifact["type"] == kind);
    let undated = |purl: &str| {
        let (before, rest) = purl.split_once("distro=").unwrap_or((purl, ""));
        format!("{before}{}", rest.split_once('&').map_or("", |(_, rest)| rest))
    };
    artifacts.map(|artifact| undated(artifact["purl"].as_str().unwrap())).collect()
}
