//! What a step left: files, read as what they are.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A text that is longer is recorded by its digest.
const LONGEST: usize = 1500;

/// Every file below a folder besides the layouts, by its path.
pub type Snapshot = BTreeMap<String, Value>;

/// Reads what is there.
pub fn snapshot(folder: &Path) -> Snapshot {
    let walk = walkdir::WalkDir::new(folder).min_depth(1).into_iter();
    let of_interest = |entry: &walkdir::DirEntry| entry.depth() != 1 || !["layout", "tmp"].contains(&entry.file_name().to_str().unwrap());
    let mut found = Snapshot::new();
    for entry in walk.filter_entry(of_interest) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(folder).unwrap();
        let path = String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned();
        found.insert(path, one(entry.path()));
    }
    found
}

fn one(path: &Path) -> Value {
    let metadata = path.symlink_metadata().unwrap();
    let mode = metadata.mode() & 0o7777;
    if metadata.is_symlink() {
        return json!(format!("-> {}", fs::read_link(path).unwrap().display()));
    }
    if metadata.is_dir() {
        return json!(format!("{mode:04o} folder"));
    }
    let bytes = fs::read(path).unwrap();
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("tar") => json!(listing(&bytes[..])),
        Some("toml") => document(&bytes).unwrap_or_else(|| text(mode, &bytes)),
        Some("json" | "metadata") => serde_json::from_slice(&bytes).unwrap_or_else(|_| text(mode, &bytes)),
        Some(_) | None => text(mode, &bytes),
    }
}

fn document(bytes: &[u8]) -> Option<Value> {
    let table: toml::Table = toml::from_str(std::str::from_utf8(bytes).ok()?).ok()?;
    serde_json::to_value(table).ok()
}

fn text(mode: u32, bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= LONGEST => json!(format!("{mode:04o} {text}")),
        Ok(_) | Err(_) => json!(format!("{mode:04o} {}", digest(bytes))),
    }
}

/// A digest as images write it.
pub fn digest(bytes: &[u8]) -> String {
    let hex = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256:{hex}")
}

/// What changed between two moments; what is not there any more is `gone`.
pub fn changes(before: &Snapshot, after: &Snapshot) -> Value {
    let mut changes = Map::new();
    for (path, value) in after.iter().filter(|(path, value)| before.get(*path) != Some(value)) {
        changes.insert(path.clone(), value.clone());
    }
    for path in before.keys().filter(|path| !after.contains_key(*path)) {
        changes.insert(path.clone(), json!("gone"));
    }
    Value::Object(changes)
}

/// Each entry of a tar on a line: mode, owner, path, and what it is.
pub fn listing(tar: impl Read) -> Vec<String> {
    let mut archive = tar::Archive::new(tar);
    let mut lines = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = match entry.link_name_bytes() {
            Some(target) => format!(" -> {}", String::from_utf8_lossy(&target)),
            None if header.entry_type().is_dir() => " folder".into(),
            None => {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).unwrap();
                format!(" {} {}", bytes.len(), &digest(&bytes)["sha256:".len()..][..12])
            }
        };
        let (mode, uid, gid, time) = (header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap());
        let time = if time == 315_532_801 { String::new() } else { format!(" at {time}") };
        lines.push(format!("{mode:04o} {uid}:{gid} {path}{kind}{time}"));
    }
    lines
}
