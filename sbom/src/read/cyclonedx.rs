//! CycloneDX, 1.2 to 1.6.

use super::{Unreadable, entry, is_cpe, list, text};
use crate::inventory::Inventory;
use crate::licence::Licence;
use crate::os_release::Distribution;
use crate::package::{Algorithm, Found, Package, Party, Role};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "bomFormat")]
    format: String,
    #[serde(borrow, default)]
    components: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    dependencies: Option<Vec<&'a RawValue>>,
}

/// What is no package of its own.
const OTHERS: [&str; 5] = ["file", "data", "cryptographic-asset", "machine-learning-model", "device"];

pub(super) fn read(document: &[u8]) -> Result<Inventory, Unreadable> {
    let document: Document = serde_json::from_slice(document)?;
    if document.format != "CycloneDX" {
        return Err(Unreadable(format!("it says that its format is `{}`", document.format)));
    }
    let (mut inventory, mut keys) = (Inventory::default(), HashMap::new());
    for component in document.components.unwrap_or_default().into_iter().filter_map(entry) {
        add(&component, &mut inventory, &mut keys);
    }
    let mut edges: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let dependencies: Vec<Value> = document.dependencies.unwrap_or_default().into_iter().filter_map(entry).collect();
    for dependency in &dependencies {
        let on = list(&dependency["dependsOn"]).filter_map(|on| keys.get(on.as_str()?)).cloned();
        if let Some(from) = dependency["ref"].as_str().and_then(|from| keys.get(from)) {
            edges.entry(from).or_default().extend(on.filter(|on| on != from));
        }
    }
    inventory.connect(&edges);
    Ok(inventory)
}

/// Adds a component and those within it; the depth of JSON is bounded.
fn add(component: &Value, inventory: &mut Inventory, keys: &mut HashMap<String, String>) {
    let kind = component["type"].as_str().unwrap_or_default();
    if kind == "operating-system" {
        let (id, version) = (text(component, "name").to_ascii_lowercase(), text(component, "version"));
        inventory.distribution = Some(Distribution { id, version, name: text(component, "description") });
    } else if !OTHERS.contains(&kind)
        && let Some(package) = package(component)
    {
        let key = inventory.add(package);
        if let Some(reference) = component["bom-ref"].as_str() {
            keys.insert(reference.to_string(), key);
        }
    }
    list(&component["components"]).for_each(|component| add(component, inventory, keys));
}

fn package(component: &Value) -> Option<Package> {
    let (name, group) = (text(component, "name"), text(component, "group"));
    let purl = component["purl"].as_str().filter(|purl| purl.starts_with("pkg:")).map(str::to_string);
    if name.is_empty() {
        return None;
    }
    let name = if group.is_empty() || purl.is_some() { name } else { format!("{group}/{name}") };
    let checksums = list(&component["hashes"]).filter_map(|hash| Algorithm::checksum(hash["alg"].as_str()?, hash["content"].as_str()?));
    let occurrences = list(&component["evidence"]["occurrences"])
        .map(|occurrence| Found { layer: layer(occurrence["additionalContext"].as_str()), path: text(occurrence, "location") });
    Some(Package {
        name,
        version: text(component, "version"),
        purl,
        role: if component["type"] == "application" { Role::Application } else { Role::Library },
        licence: licence(&component["licenses"]),
        checksums: checksums.collect(),
        supplier: organization(&component["supplier"]),
        originator: originator(component),
        cpes: component["cpe"].as_str().filter(|cpe| is_cpe(cpe)).map(str::to_string).into_iter().collect(),
        found: occurrences.chain(syft_locations(&component["properties"])).collect(),
        ..Package::default()
    })
}

/// Syft says in properties where a package was found.
fn syft_locations(properties: &Value) -> Vec<Found> {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for property in list(properties) {
        let name = property["name"].as_str().and_then(|name| name.strip_prefix("syft:location:")?.split_once(':'));
        let (Some((at, what)), Some(value)) = (name, property["value"].as_str()) else { continue };
        match what {
            "path" => found.entry(at.to_string()).or_default().path = value.to_string(),
            "layerID" => found.entry(at.to_string()).or_default().layer = layer(Some(value)),
            _ => {}
        }
    }
    found.into_values().take(1).collect()
}

pub(super) fn layer(text: Option<&str>) -> String {
    text.filter(|text| text.starts_with("sha256:")).unwrap_or_default().to_string()
}

fn organization(value: &Value) -> Option<Party> {
    let name = value["name"].as_str().filter(|name| !name.is_empty())?;
    Some(Party::Organization(name.to_string()))
}

/// Who made it: one of several fields, by version of the format.
fn originator(component: &Value) -> Option<Party> {
    let author = list(&component["authors"]).find_map(|author| {
        let name = author["name"].as_str().filter(|name| !name.is_empty())?;
        Some(Party::Person(author["email"].as_str().map_or_else(|| name.to_string(), |mail| format!("{name} <{mail}>"))))
    });
    let named = |name: &str| component[name].as_str().filter(|text| !text.is_empty()).map(|text| Party::Person(text.to_string()));
    author.or_else(|| organization(&component["manufacturer"])).or_else(|| named("author")).or_else(|| named("publisher"))
}

fn licence(licences: &Value) -> Option<Licence> {
    Licence::all(list(licences).filter_map(|choice| {
        let licence = &choice["license"];
        let name = || licence["id"].as_str().or_else(|| licence["name"].as_str());
        choice["expression"].as_str().or_else(name).and_then(Licence::read)
    }))
}
