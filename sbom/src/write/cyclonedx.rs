//! CycloneDX 1.6.

use super::{Document, Each, Subject, supplier};
use crate::inventory::Inventory;
use crate::package::{Package, Party, Role};
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Root<C, D> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    bom_format: &'static str,
    spec_version: &'static str,
    serial_number: String,
    version: u32,
    metadata: Value,
    components: C,
    dependencies: D,
}

/// What the document is about, for edges.
const WHOLE: &str = "image";

pub(super) fn write(inventory: &Inventory, document: &Document, identity: &str) -> serde_json::Result<Vec<u8>> {
    let packages = inventory.by_key();
    let whole = document.subject.map(|_| json!({ "ref": WHOLE, "dependsOn": packages.keys().collect::<Vec<_>>() }));
    let edges = || packages.iter().map(|(key, package)| edge(key, package, inventory)).chain(whole.clone());
    serde_json::to_vec(&Root {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: serial_number(identity),
        version: 1,
        metadata: metadata(document),
        components: Each(|| packages.iter().map(|(key, package)| component(key, package)).chain(system(inventory))),
        dependencies: Each(edges),
    })
}

fn edge(key: &str, package: &Package, inventory: &Inventory) -> Value {
    let on: Vec<&String> = package.depends.iter().filter(|on| inventory.by_key().contains_key(*on)).collect();
    if on.is_empty() { json!({ "ref": key }) } else { json!({ "ref": key, "dependsOn": on }) }
}

/// A UUID of the eighth version, whose bits are the writer's own (RFC 9562).
fn serial_number(identity: &str) -> String {
    let part = |from: usize, to: usize| &identity[from..to];
    format!("urn:uuid:{}-{}-8{}-a{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

fn metadata(document: &Document) -> Value {
    let tool = json!({ "type": "application", "name": document.tool, "version": document.version });
    let mut metadata = json!({ "timestamp": document.created, "tools": { "components": [tool] } });
    if let Some(subject) = document.subject {
        metadata["component"] = image(document, subject);
    }
    if !document.notes.is_empty() {
        metadata["properties"] = document.notes.iter().map(|note| json!({ "name": "cooper:note", "value": note })).collect();
    }
    metadata
}

fn image(document: &Document, subject: &Subject) -> Value {
    json!({ "type": "container", "bom-ref": WHOLE, "name": document.name, "version": subject.digest, "purl": document.purl(subject) })
}

fn system(inventory: &Inventory) -> Option<Value> {
    let distribution = inventory.distribution.as_ref()?;
    let mut component = json!({ "type": "operating-system", "bom-ref": "operating-system", "name": distribution.id });
    for (field, value) in [("version", &distribution.version), ("description", &distribution.name)] {
        if !value.is_empty() {
            component[field] = value.as_str().into();
        }
    }
    Some(component)
}

fn component(key: &str, package: &Package) -> Value {
    let kind = if package.role == Role::Application { "application" } else { "library" };
    let mut component = json!({ "type": kind, "bom-ref": key, "name": package.name });
    if !package.version.is_empty() {
        component["version"] = package.version.as_str().into();
    }
    if let Some(party) = supplier(package) {
        component["supplier"] = organization(&party);
    }
    match &package.originator {
        Some(party @ Party::Person(_)) => component["authors"] = json!([person(party)]),
        Some(party @ Party::Organization(_)) => component["manufacturer"] = organization(party),
        None => {}
    }
    if let Some(licence) = &package.licence {
        component["licenses"] = match licence.only_text() {
            Some(text) => json!([{ "license": { "name": text } }]),
            None => json!([{ "expression": licence.expression() }]),
        };
    }
    if !package.checksums.is_empty() {
        let hash = |(algorithm, value): (&crate::Algorithm, &String)| json!({ "alg": algorithm.cyclonedx(), "content": value });
        component["hashes"] = package.checksums.iter().map(hash).collect();
    }
    if let Some(cpe) = package.cpes.first() {
        component["cpe"] = cpe.as_str().into();
    }
    if let Some(purl) = &package.purl {
        component["purl"] = purl.as_str().into();
    }
    let occurrences: Vec<Value> = package.found.iter().filter_map(occurrence).collect();
    if !occurrences.is_empty() {
        component["evidence"] = json!({ "occurrences": occurrences });
    }
    component
}

fn occurrence(found: &crate::Found) -> Option<Value> {
    let layer = (!found.layer.is_empty()).then_some(&found.layer);
    match (found.path.as_str(), layer) {
        ("", None) => None,
        (path, None) => Some(json!({ "location": path })),
        (path, Some(layer)) => Some(json!({ "location": if path.is_empty() { "/" } else { path }, "additionalContext": layer })),
    }
}

fn organization(party: &Party) -> Value {
    match party.parts() {
        (name, Some(mail)) => json!({ "name": name, "contact": [{ "email": mail }] }),
        (name, None) => json!({ "name": name }),
    }
}

fn person(party: &Party) -> Value {
    match party.parts() {
        (name, Some(mail)) => json!({ "name": name, "email": mail }),
        (name, None) => json!({ "name": name }),
    }
}
