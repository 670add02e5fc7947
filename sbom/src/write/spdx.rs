//! SPDX 2.3.

use super::{Document, Each, FOUND, Subject, plain, supplier};
use crate::hash;
use crate::inventory::Inventory;
use crate::package::{Package, Role};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Root<P, R> {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: String,
    document_namespace: String,
    creation_info: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<Value>,
    packages: P,
    relationships: R,
}

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
const WHOLE: &str = "SPDXRef-Image";
const NOTHING: &str = "NOASSERTION";

pub(super) fn write(inventory: &Inventory, document: &Document, identity: &str) -> serde_json::Result<Vec<u8>> {
    let ids: BTreeMap<&str, String> = inventory.by_key().iter().map(|(key, package)| (key.as_str(), id(key, package))).collect();
    let described = || match document.subject {
        Some(_) => vec![relationship(DOCUMENT, "DESCRIBES", WHOLE)],
        None => ids.values().map(|id| relationship(DOCUMENT, "DESCRIBES", id)).collect(),
    };
    let contained = || ids.values().filter(|_| document.subject.is_some()).map(|id| relationship(WHOLE, "CONTAINS", id));
    let edges = || {
        let edge = |(key, package): (&String, &Package)| {
            let own = ids.get(key.as_str()).cloned().unwrap_or_default();
            let on: Vec<&String> = package.depends.iter().filter_map(|on| ids.get(on.as_str())).collect();
            on.into_iter().map(|on| relationship(&own, "DEPENDS_ON", on)).collect::<Vec<_>>()
        };
        inventory.by_key().iter().flat_map(edge)
    };
    let packages = || {
        let known = inventory.by_key().iter().map(|(key, one)| package(ids.get(key.as_str()).map_or("", String::as_str), one));
        document.subject.map(|subject| image(document, subject)).into_iter().chain(known)
    };
    serde_json::to_vec(&Root {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: document.name.to_string(),
        document_namespace: format!("https://cooperage.invalid/spdx/{}-{identity}", plain(document.name)),
        creation_info: creation(document),
        has_extracted_licensing_infos: licences(inventory),
        packages: Each(packages),
        relationships: Each(|| described().into_iter().chain(contained()).chain(edges())),
    })
}

fn creation(document: &Document) -> Value {
    let list = spdx::license_version().rsplit_once('.').map_or("", |(list, _)| list);
    let tool = format!("Tool: {}-{}", document.tool, document.version);
    // Who makes a document is never only a program (NTIA, "Author of SBOM Data").
    let creators = ["Organization: Cooperage".to_string(), tool];
    let mut creation = json!({ "created": document.created, "creators": creators, "licenseListVersion": list });
    if !document.notes.is_empty() {
        creation["comment"] = document.notes.join("\n").into();
    }
    creation
}

fn relationship(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

fn id(key: &str, package: &Package) -> String {
    format!("SPDXRef-Package-{}-{}-{}", plain(package.kind()), plain(&package.name), hash(key.as_bytes(), 12))
}

fn image(document: &Document, subject: &Subject) -> Value {
    json!({
        "SPDXID": WHOLE,
        "name": document.name,
        "versionInfo": subject.digest,
        "supplier": "Organization: Cooperage",
        "downloadLocation": NOTHING,
        "filesAnalyzed": false,
        "checksums": [{ "algorithm": "SHA256", "checksumValue": subject.digest.trim_start_matches("sha256:") }],
        "licenseConcluded": NOTHING,
        "licenseDeclared": NOTHING,
        "copyrightText": NOTHING,
        "externalRefs": [purl_reference(&document.purl(subject))],
        "primaryPackagePurpose": "CONTAINER",
    })
}

fn purl_reference(purl: &str) -> Value {
    json!({ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl })
}

fn package(id: &str, package: &Package) -> Value {
    let declared = package.licence.as_ref().map_or(NOTHING, |licence| licence.expression());
    let mut entry = json!({
        "SPDXID": id,
        "name": package.name,
        "supplier": supplier(package).map_or_else(|| NOTHING.to_string(), |party| party.to_string()),
        "downloadLocation": NOTHING,
        "filesAnalyzed": false,
        "licenseConcluded": NOTHING,
        "licenseDeclared": declared,
        "copyrightText": NOTHING,
        "primaryPackagePurpose": if package.role == Role::Application { "APPLICATION" } else { "LIBRARY" },
    });
    if !package.version.is_empty() {
        entry["versionInfo"] = package.version.as_str().into();
    }
    if let Some(party) = &package.originator {
        entry["originator"] = party.to_string().into();
    }
    if !package.checksums.is_empty() {
        let checksum = |(algorithm, value): (&crate::Algorithm, &String)| json!({ "algorithm": algorithm.spdx(), "checksumValue": value });
        entry["checksums"] = package.checksums.iter().map(checksum).collect();
    }
    let cpe = |cpe: &String| json!({ "referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": cpe });
    let references: Vec<Value> = package.purl.iter().map(|purl| purl_reference(purl)).chain(package.cpes.iter().map(cpe)).collect();
    if !references.is_empty() {
        entry["externalRefs"] = references.into();
    }
    let place = |found: &crate::Found| match found.layer.as_str() {
        "" => format!("{FOUND}{}", found.path),
        layer => format!("{FOUND}{} in layer {layer}", found.path),
    };
    let places: Vec<String> = package.found.iter().filter(|found| !found.path.is_empty()).map(place).collect();
    if !places.is_empty() {
        entry["sourceInfo"] = places.join("; ").into();
    }
    entry
}

/// What the names of licences stand for that SPDX's list does not know.
fn licences(inventory: &Inventory) -> Vec<Value> {
    let mut texts: BTreeMap<&String, &String> = BTreeMap::new();
    for (name, text) in inventory.packages().filter_map(|package| package.licence.as_ref()).flat_map(|licence| licence.texts()) {
        // Two may use the same name: always the same one is written.
        texts.entry(name).and_modify(|known| *known = (*known).min(text)).or_insert(text);
    }
    texts.into_iter().map(|(name, text)| json!({ "licenseId": name, "extractedText": text, "name": short(name) })).collect()
}

fn short(name: &str) -> &str {
    name.trim_start_matches("LicenseRef-")
}
