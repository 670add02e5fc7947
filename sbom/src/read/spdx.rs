//! SPDX, 2.2 and 2.3.

use super::{Unreadable, entry, is_cpe, list, text};
use crate::inventory::Inventory;
use crate::licence::Licence;
use crate::package::{Algorithm, Found, Package, Party, Role};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(rename = "spdxVersion")]
    version: String,
    #[serde(borrow, default)]
    packages: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    relationships: Option<Vec<&'a RawValue>>,
    #[serde(borrow, rename = "hasExtractedLicensingInfos", default)]
    licences: Option<Vec<&'a RawValue>>,
}

/// What stands for the whole rather than for a package.
const WHOLES: [&str; 4] = ["CONTAINER", "FILE", "ARCHIVE", "OPERATING-SYSTEM"];

pub(super) fn read(document: &[u8]) -> Result<Inventory, Unreadable> {
    let document: Document = serde_json::from_slice(document)?;
    if !document.version.starts_with("SPDX-2.") {
        return Err(Unreadable(format!("it says that its version is `{}`", document.version)));
    }
    let texts = document.licences.unwrap_or_default().into_iter().filter_map(entry).map(|licence| {
        let name = if licence["name"].is_string() { text(&licence, "name") } else { String::new() };
        let own = text(&licence, "extractedText");
        (text(&licence, "licenseId"), if own.is_empty() || own == "NOASSERTION" { name } else { own })
    });
    let texts: BTreeMap<String, String> = texts.filter(|(id, text)| !id.is_empty() && !text.is_empty()).collect();
    let (mut inventory, mut keys) = (Inventory::default(), HashMap::new());
    for entry in document.packages.unwrap_or_default().into_iter().filter_map(entry) {
        if let Some(package) = package(&entry, &texts) {
            keys.insert(text(&entry, "SPDXID"), inventory.add(package));
        }
    }
    let mut edges: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for relationship in document.relationships.unwrap_or_default().into_iter().filter_map(entry) {
        let (one, other) = (text(&relationship, "spdxElementId"), text(&relationship, "relatedSpdxElement"));
        let (from, to) = match relationship["relationshipType"].as_str() {
            Some("DEPENDS_ON") => (one, other),
            Some("DEPENDENCY_OF" | "RUNTIME_DEPENDENCY_OF") => (other, one),
            _ => continue,
        };
        if let (Some(from), Some(to)) = (keys.get(&from), keys.get(&to)) {
            edges.entry(from).or_default().extend((from != to).then(|| to.clone()));
        }
    }
    inventory.connect(&edges);
    Ok(inventory)
}

fn package(entry: &Value, texts: &BTreeMap<String, String>) -> Option<Package> {
    let (name, id) = (text(entry, "name"), text(entry, "SPDXID"));
    let reference = |kind: &str| {
        let kind = kind.to_string();
        list(&entry["externalRefs"])
            .filter(move |one| one["referenceType"] == kind.as_str())
            .filter_map(|one| one["referenceLocator"].as_str())
    };
    let purl = reference("purl").find(|purl| purl.starts_with("pkg:")).map(str::to_string);
    let purpose = entry["primaryPackagePurpose"].as_str().unwrap_or_default();
    let is_whole = WHOLES.contains(&purpose) || id.starts_with("SPDXRef-DocumentRoot");
    if name.is_empty() || is_whole {
        return None;
    }
    let declared = |field: &str| entry[field].as_str().and_then(Licence::read).map(|licence| licence.with_texts(texts));
    let checksums =
        list(&entry["checksums"]).filter_map(|sum| Algorithm::checksum(sum["algorithm"].as_str()?, sum["checksumValue"].as_str()?));
    Some(Package {
        name,
        version: text(entry, "versionInfo"),
        purl,
        role: if purpose == "APPLICATION" { Role::Application } else { Role::Library },
        licence: declared("licenseConcluded").or_else(|| declared("licenseDeclared")),
        checksums: checksums.collect(),
        supplier: entry["supplier"].as_str().and_then(Party::parse),
        originator: entry["originator"].as_str().and_then(Party::parse),
        cpes: reference("cpe23Type").filter(|cpe| is_cpe(cpe)).map(str::to_string).collect(),
        found: entry["sourceInfo"].as_str().and_then(found).into_iter().collect(),
        ..Package::default()
    })
}

/// Where a package was found, as this program writes it.
fn found(text: &str) -> Option<Found> {
    let first = text.strip_prefix(super::super::write::FOUND)?.split("; ").next().unwrap_or_default();
    let (path, layer) = first.split_once(" in layer ").unwrap_or((first, ""));
    Some(Found { layer: super::cyclonedx::layer(Some(layer)), path: path.to_string() })
}
