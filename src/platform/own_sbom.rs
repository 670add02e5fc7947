//! What this program and its launcher are made of, as CycloneDX, SPDX and Syft documents: the crates that they are linked of. Neither time
//! nor chance is in them, so that equal programs have equal ones (SBOM-09, SBOM-10).

use crate::image::{CREATED, Digest};
use serde_json::{Value, json};

/// A program and the crates that it is linked of, each a line of name, version and licence.
struct Component {
    name: &'static str,
    crates: &'static str,
}

const LIFECYCLE: Component = Component { name: "cooper", crates: include_str!(concat!(env!("OUT_DIR"), "/cooper.crates")) };
const LAUNCHER: Component =
    Component { name: "cooper-launcher", crates: include_str!(concat!(env!("OUT_DIR"), "/cooper-launcher.crates")) };

/// The documents of the launcher, each with the ending of its format.
pub fn of_launcher() -> [(&'static str, Vec<u8>); 3] {
    LAUNCHER.documents()
}

/// The documents of this program, each with the ending of its format.
pub fn of_lifecycle() -> [(&'static str, Vec<u8>); 3] {
    LIFECYCLE.documents()
}

/// A crate.
struct Crate {
    name: &'static str,
    version: &'static str,
    licence: &'static str,
}

impl Crate {
    fn purl(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version.replace('+', "%2B"))
    }
}

impl Component {
    fn documents(&self) -> [(&'static str, Vec<u8>); 3] {
        let crates = self.crates();
        [("cdx.json", cyclonedx(self.name, &crates)), ("spdx.json", spdx(self.name, &crates)), ("syft.json", syft(self.name, &crates))]
            .map(|(ending, document)| (ending, document.to_string().into_bytes()))
    }

    fn crates(&self) -> Vec<Crate> {
        let line = |line: &'static str| {
            let (name, rest) = line.split_once(' ')?;
            let (version, licence) = rest.split_once(' ')?;
            Some(Crate { name, version, licence })
        };
        self.crates.lines().filter_map(line).collect()
    }
}

fn cyclonedx(name: &str, crates: &[Crate]) -> Value {
    let component = |one: &Crate| {
        json!({
            "type": if one.name == name { "application" } else { "library" },
            "bom-ref": one.purl(),
            "name": one.name,
            "version": one.version,
            "purl": one.purl(),
            "licenses": [{ "expression": one.licence }],
        })
    };
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "components": crates.iter().map(component).collect::<Vec<_>>(),
    })
}

fn spdx(name: &str, crates: &[Crate]) -> Value {
    let names: String = crates.iter().map(|one| one.purl() + "\n").collect();
    let id = |at: usize| format!("SPDXRef-Package-{}", at + 1);
    let package = |(at, one): (usize, &Crate)| {
        json!({
            "SPDXID": id(at),
            "name": one.name,
            "versionInfo": one.version,
            "downloadLocation": "NOASSERTION",
            "filesAnalyzed": false,
            "licenseConcluded": "NOASSERTION",
            "licenseDeclared": one.licence,
            "copyrightText": "NOASSERTION",
            "externalRefs": [{ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": one.purl() }],
        })
    };
    let described =
        |at: usize| json!({ "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": id(at) });
    json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": format!("https://cooperage.invalid/spdx/{name}-{}", Digest::of(names.as_bytes()).hex()),
        "creationInfo": { "created": CREATED, "creators": [format!("Tool: cooper-{}", env!("CARGO_PKG_VERSION"))] },
        "packages": crates.iter().enumerate().map(package).collect::<Vec<_>>(),
        "relationships": (0..crates.len()).map(described).collect::<Vec<_>>(),
    })
}

fn syft(name: &str, crates: &[Crate]) -> Value {
    let artifact = |one: &Crate| {
        json!({
            "id": &Digest::of(one.purl().as_bytes()).hex()[..16],
            "name": one.name,
            "version": one.version,
            "type": "rust-crate",
            "foundBy": "cooper",
            "locations": [],
            "licenses": [{ "value": one.licence, "spdxExpression": one.licence, "type": "declared", "urls": [], "locations": [] }],
            "language": "rust",
            "cpes": [],
            "purl": one.purl(),
        })
    };
    json!({
        "artifacts": crates.iter().map(artifact).collect::<Vec<_>>(),
        "artifactRelationships": [],
        "source": { "id": "", "name": name, "version": env!("CARGO_PKG_VERSION"), "type": "file", "metadata": { "path": name } },
        "distro": {},
        "descriptor": { "name": "cooper", "version": env!("CARGO_PKG_VERSION") },
        "schema": { "version": "16.0.18", "url": "https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-16.0.18.json" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_the_crates_and_their_licences() {
        for (of, main, linked) in [(of_launcher(), "cooper-launcher", "toml"), (of_lifecycle(), "cooper", "serde_json")] {
            let [cyclonedx, spdx, syft] = of.map(|(_, bytes)| serde_json::from_slice::<Value>(&bytes).unwrap());
            let named = |list: &Value, name: &str| list.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap().clone();
            let program = named(&cyclonedx["components"], main);
            assert_eq!((&program["type"], &program["version"]), (&json!("application"), &json!(env!("CARGO_PKG_VERSION"))));
            let library = named(&cyclonedx["components"], linked);
            assert!(library["purl"].as_str().unwrap().starts_with(&format!("pkg:cargo/{linked}@1.")), "{library}");
            assert_eq!(library["licenses"][0]["expression"], named(&spdx["packages"], linked)["licenseDeclared"]);
            assert_eq!(named(&syft["artifacts"], linked)["purl"], library["purl"]);
            assert!(cyclonedx["components"].as_array().unwrap().iter().all(|one| one["name"] != "insta"), "of tests only");
        }
    }
}
