//! Syft's JSON, in the forms of its versions: of the first, keys begin with capitals, as buildpacks still write them.

use super::{Unreadable, entry, is_cpe, list, text};
use crate::inventory::Inventory;
use crate::licence::Licence;
use crate::os_release::Distribution;
use crate::package::{Algorithm, Found, Package, Party, Role, Source};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, alias = "Artifacts")]
    artifacts: Option<Vec<&'a RawValue>>,
    #[serde(borrow, alias = "ArtifactRelationships", rename = "artifactRelationships", default)]
    relationships: Option<Vec<&'a RawValue>>,
    #[serde(alias = "Distro", default)]
    distro: Value,
}

pub(super) fn read(document: &[u8]) -> Result<Inventory, Unreadable> {
    let document: Document = serde_json::from_slice(document)?;
    let (mut inventory, mut keys) = (Inventory::default(), HashMap::new());
    for artifact in document.artifacts.unwrap_or_default().into_iter().filter_map(entry).map(lower) {
        if let Some(package) = package(&artifact) {
            keys.insert(text(&artifact, "id"), inventory.add(package));
        }
    }
    let mut edges: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for relationship in document.relationships.unwrap_or_default().into_iter().filter_map(entry).map(lower) {
        let key = |name: &str| keys.get(relationship[name].as_str()?);
        // The child is what needs the parent.
        if let (Some("dependency-of"), Some(to), Some(from)) = (relationship["type"].as_str(), key("parent"), key("child")) {
            edges.entry(from).or_default().extend((from != to).then(|| to.clone()));
        }
    }
    inventory.connect(&edges);
    let distro = lower(document.distro);
    let version = distro["versionid"].as_str().map_or_else(|| text(&distro, "version"), str::to_string);
    let (id, name) = (if distro["id"].is_string() { text(&distro, "id") } else { text(&distro, "name") }, text(&distro, "prettyname"));
    inventory.distribution = (!id.is_empty()).then_some(Distribution { id, version, name });
    Ok(inventory)
}

fn package(artifact: &Value) -> Option<Package> {
    let name = text(artifact, "name");
    let purl = artifact["purl"].as_str().filter(|purl| purl.starts_with("pkg:")).map(str::to_string);
    let cpes = list(&artifact["cpes"]).filter_map(|cpe| cpe.as_str().or_else(|| cpe["cpe"].as_str()));
    let metadata = &artifact["metadata"];
    (!name.is_empty()).then(|| Package {
        name,
        version: text(artifact, "version"),
        purl,
        role: if artifact["type"] == "binary" { Role::Application } else { Role::Library },
        source: source(artifact),
        architecture: text(metadata, "architecture"),
        licence: Licence::all(list(&artifact["licenses"]).filter_map(licence)),
        checksums: list(&metadata["digest"]).filter_map(checksum).collect(),
        originator: metadata["maintainer"].as_str().and_then(Party::of).or_else(|| author(metadata)),
        cpes: cpes.filter(|cpe| is_cpe(cpe)).map(str::to_string).collect(),
        found: list(&artifact["locations"]).filter_map(found).take(1).collect(),
        ..Package::default()
    })
}

fn source(artifact: &Value) -> Option<Source> {
    let metadata = &artifact["metadata"];
    let name = metadata["source"].as_str().filter(|name| !name.is_empty())?;
    let version = metadata["sourceversion"].as_str().filter(|version| !version.is_empty());
    Some(Source { name: name.into(), version: version.map_or_else(|| text(artifact, "version"), str::to_string) })
}

fn author(metadata: &Value) -> Option<Party> {
    let name = metadata["author"].as_str().filter(|name| !name.is_empty())?;
    let mail = metadata["authoremail"].as_str().filter(|mail| mail.contains('@'));
    Some(Party::Person(mail.map_or_else(|| name.to_string(), |mail| format!("{name} <{mail}>"))))
}

/// Older versions have texts, newer ones objects.
fn licence(value: &Value) -> Option<Licence> {
    let of = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
    value.as_str().or_else(|| of("spdxexpression")).or_else(|| of("value")).and_then(Licence::read)
}

fn checksum(value: &Value) -> Option<(Algorithm, String)> {
    Algorithm::checksum(value["algorithm"].as_str()?, value["value"].as_str()?)
}

fn found(value: &Value) -> Option<Found> {
    let path = value.as_str().or_else(|| value["path"].as_str())?;
    Some(Found { layer: super::cyclonedx::layer(value["layerid"].as_str()), path: path.to_string() })
}

/// The same with all names of fields in lower case.
fn lower(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), lower(value))).collect()),
        Value::Array(values) => Value::Array(values.into_iter().map(lower).collect()),
        other => other,
    }
}
