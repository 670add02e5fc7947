//! Syft's JSON, schema 16.

use super::{Document, Each};
use crate::hash;
use crate::inventory::Inventory;
use crate::package::{Package, Party};
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Root<A, R> {
    artifacts: A,
    artifact_relationships: R,
    source: Value,
    distro: Value,
    descriptor: Value,
    schema: Value,
}

const SCHEMA: &str = "16.0.18";

pub(super) fn write(inventory: &Inventory, document: &Document) -> serde_json::Result<Vec<u8>> {
    let edges = || {
        let edge = |(key, package): (&String, &Package)| {
            let on: Vec<String> = package.depends.iter().filter(|on| inventory.by_key().contains_key(*on)).map(|on| id(on)).collect();
            let child = id(key);
            on.into_iter().map(move |parent| json!({ "parent": parent, "child": child, "type": "dependency-of" }))
        };
        inventory.by_key().iter().flat_map(edge)
    };
    let mut descriptor = json!({ "name": document.tool, "version": document.version });
    if !document.notes.is_empty() {
        descriptor["configuration"] = json!({ "notes": document.notes });
    }
    serde_json::to_vec(&Root {
        artifacts: Each(|| inventory.by_key().iter().map(|(key, package)| artifact(key, package, document.tool))),
        artifact_relationships: Each(edges),
        source: source(document),
        distro: inventory.distribution.as_ref().map_or_else(
            || json!({}),
            |found| json!({ "id": found.id, "name": found.name, "prettyName": found.name, "version": found.version, "versionID": found.version }),
        ),
        descriptor,
        schema: json!({
            "version": SCHEMA,
            "url": format!("https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-{SCHEMA}.json"),
        }),
    })
}

fn id(key: &str) -> String {
    hash(key.as_bytes(), 16)
}

fn source(document: &Document) -> Value {
    let Some(subject) = document.subject else {
        let (name, version) = (document.name, document.version);
        return json!({ "id": "", "name": name, "version": version, "type": "file", "metadata": { "path": name } });
    };
    let layers = subject.layers.iter();
    let layers: Vec<Value> =
        layers.map(|layer| json!({ "mediaType": layer.media_type, "digest": layer.diff_id, "size": layer.size })).collect();
    json!({
        "id": subject.digest.trim_start_matches("sha256:"),
        "name": document.name,
        "version": subject.digest,
        "type": "image",
        "metadata": {
            "userInput": document.name,
            "imageID": subject.config,
            "manifestDigest": subject.digest,
            "mediaType": subject.media_type,
            "tags": [],
            "imageSize": subject.layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.size)),
            "layers": layers,
            "manifest": "",
            "config": "",
            "repoDigests": [],
            "architecture": subject.architecture,
            "os": subject.os,
        },
    })
}

/// Syft's words for types of package URLs: the type and the language.
fn kind(package: &Package) -> (&str, &'static str) {
    match package.kind() {
        "pypi" => ("python", "python"),
        "cargo" => ("rust-crate", "rust"),
        "npm" => ("npm", "javascript"),
        "golang" => ("go-module", "go"),
        "maven" => ("java-archive", "java"),
        "gem" => ("gem", "ruby"),
        "composer" => ("php-composer", "php"),
        "nuget" => ("dotnet", "dotnet"),
        "generic" => ("UnknownPackage", ""),
        other => (other, ""),
    }
}

fn artifact(key: &str, package: &Package, tool: &str) -> Value {
    let (kind, language) = kind(package);
    let licences = package.licence.iter().map(|licence| {
        let expression = licence.expression();
        let value = licence.only_text().unwrap_or(expression);
        json!({ "value": value, "spdxExpression": expression, "type": "declared", "urls": [], "locations": [] })
    });
    let location = |found: &crate::Found| {
        let mut location = json!({ "path": found.path, "accessPath": found.path, "annotations": { "evidence": "primary" } });
        if !found.layer.is_empty() {
            location["layerID"] = found.layer.as_str().into();
        }
        location
    };
    let mut artifact = json!({
        "id": id(key),
        "name": package.name,
        "version": package.version,
        "type": kind,
        "foundBy": tool,
        "locations": package.found.iter().filter(|found| !found.path.is_empty()).map(location).collect::<Vec<_>>(),
        "licenses": licences.collect::<Vec<_>>(),
        "language": language,
        "cpes": package.cpes.iter().map(|cpe| json!({ "cpe": cpe, "source": "declared" })).collect::<Vec<_>>(),
        "purl": package.purl.as_deref().unwrap_or_default(),
    });
    if let Some((kind, metadata)) = metadata(package) {
        artifact["metadataType"] = kind.into();
        artifact["metadata"] = metadata;
    }
    artifact
}

/// What Syft's readers know of packages of a type: of distributions', the source package by which vulnerabilities are found.
fn metadata(package: &Package) -> Option<(&'static str, Value)> {
    let maintainer = package.originator.as_ref().map(|(Party::Organization(text) | Party::Person(text))| text.as_str()).unwrap_or_default();
    let source = package.source.as_ref();
    let source_name = source.map(|source| source.name.as_str()).unwrap_or_default();
    match package.kind() {
        "deb" => {
            let source_version = source.map(|source| source.version.as_str()).filter(|version| *version != package.version);
            let metadata = json!({
                "package": package.name,
                "source": source_name,
                "version": package.version,
                "sourceVersion": source_version.unwrap_or_default(),
                "architecture": package.architecture,
                "maintainer": maintainer,
                "installedSize": 0,
                "files": [],
            });
            Some(("dpkg-db-entry", metadata))
        }
        "apk" => {
            let metadata = json!({
                "package": package.name,
                "originPackage": source_name,
                "maintainer": maintainer,
                "version": package.version,
                "architecture": package.architecture,
                "url": "",
                "description": "",
                "size": 0,
                "installedSize": 0,
                "pullDependencies": [],
                "provides": [],
                "pullChecksum": "",
                "gitCommitOfApkPort": "",
                "files": [],
            });
            Some(("apk-db-entry", metadata))
        }
        "pypi" => {
            let (author, mail) = package.originator.as_ref().map(|party| party.parts()).unwrap_or_default();
            let metadata = json!({
                "name": package.name,
                "version": package.version,
                "author": author,
                "authorEmail": mail.unwrap_or_default(),
                "platform": "",
                "sitePackagesRootPath": "",
            });
            Some(("python-package", metadata))
        }
        _ => None,
    }
}
