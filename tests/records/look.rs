//! What was made, as values that can be compared.

use super::Actor;
use crate::buildpackages::members;
use crate::support::{Machine, succeed};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// An image of the registry: its configuration, its labels parsed, the files of its layers.
pub fn image(actor: &Actor, name: &str) -> Value {
    let (observer, full) = (actor.observer(), actor.name(name));
    succeed(&mut observer.command(&["pull", &full, "--quiet"]));
    in_store(&observer, &full)
}

/// The image of a layout in a tar, as a `.cnb` file is one.
pub fn file(actor: &Actor, path: &str) -> Value {
    let (observer, folder) = (actor.observer(), actor.folder().join(format!("{path}.layout")));
    fs::create_dir_all(&folder).unwrap();
    succeed(Command::new("tar").arg("-xf").arg(actor.folder().join(path)).arg("-C").arg(&folder));
    succeed(&mut observer.command(&["copy", &format!("oci:{}", folder.display()), "store://of-a-file", "--quiet"]));
    in_store(&observer, "of-a-file")
}

fn in_store(observer: &Machine, name: &str) -> Value {
    let config = observer.config(name);
    let run = &config["config"];
    let labels = run["Labels"].as_object().cloned().unwrap_or_default().into_iter();
    let parsed = |(name, text): (String, Value)| {
        let value = text.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(text);
        (name, value)
    };
    let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap().iter();
    let layers: Vec<Value> =
        diff_ids.zip(members(observer, name)).map(|(diff_id, files)| json!({ "diff_id": diff_id, "files": files })).collect();
    json!({
        "for": [config["os"], config["architecture"], config["variant"]],
        "created": config["created"],
        "user": run["User"], "folder": run["WorkingDir"], "variables": run["Env"], "entrypoint": run["Entrypoint"], "command": run["Cmd"],
        "labels": labels.map(parsed).collect::<serde_json::Map<_, _>>(),
        "layers": layers,
    })
}

/// The same with its layers in an order of their own.
pub fn sorted(mut image: Value) -> Value {
    image["layers"].as_array_mut().unwrap().sort_by_key(|layer| layer["diff_id"].as_str().unwrap().to_string());
    image
}

/// A manifest or list as the registry has it.
pub fn manifest(actor: &Actor, name: &str) -> Value {
    let (repository, tag) = name.split_once(':').unwrap();
    let host = actor.name("");
    let url = format!("http://{}/v2/{repository}/manifests/{tag}", host.trim_end_matches('/'));
    let accept = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json";
    serde_json::from_str(&succeed(Command::new("curl").args(["--silent", "--fail", "--header", accept, &url]))).unwrap()
}

/// The texts of all files in a folder, by their paths.
pub fn folder(path: &Path) -> Value {
    let mut found = serde_json::Map::new();
    for entry in walkdir::WalkDir::new(path).sort_by_file_name().into_iter().map(Result::unwrap).filter(|entry| entry.file_type().is_file())
    {
        let name = entry.path().strip_prefix(path).unwrap().display().to_string();
        found.insert(name, fs::read_to_string(entry.path()).unwrap().into());
    }
    found.into()
}

/// A `report.toml` without what depends on the bytes of an image's documents.
pub fn report(path: &Path) -> Value {
    let mut report: toml::Table = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let image = report["image"].as_table_mut().unwrap();
    assert!(image.remove("digest").is_some() && image.remove("manifest-size").is_some());
    serde_json::to_value(report).unwrap()
}

/// The digest of a manifest that the registry has.
pub fn manifest_digest(actor: &Actor, name: &str) -> String {
    succeed(Command::new("crane").args(["digest", "--insecure", &actor.name(name)])).trim().to_string()
}
