//! What this program and its launcher are made of, as CycloneDX, SPDX and Syft documents: the crates that they are linked of. Neither time
//! nor chance is in them, so that equal programs have equal ones (SBOM-09, SBOM-10).

use crate::image::CREATED;
use sbom::{Document, Format, Inventory, Licence, Package, Purl, Role};

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

impl Component {
    fn documents(&self) -> [(&'static str, Vec<u8>); 3] {
        let mut inventory = Inventory::default();
        self.crates.lines().filter_map(|line| self.package(line)).for_each(|package| drop(inventory.add(package)));
        let version = env!("CARGO_PKG_VERSION");
        let document = Document { name: self.name, created: CREATED, tool: "cooper", version, subject: None, notes: &[] };
        Format::ALL.map(|format| (format.ending(), sbom::write(format, &inventory, &document)))
    }

    /// The package of a line of name, version and licence.
    fn package(&self, line: &str) -> Option<Package> {
        let (name, rest) = line.split_once(' ')?;
        let (version, licence) = rest.split_once(' ')?;
        let purl = Purl { kind: "cargo".into(), name: name.into(), version: version.into(), ..Purl::default() };
        Some(Package {
            name: name.into(),
            version: version.into(),
            purl: Some(purl.to_string()),
            role: if name == self.name { Role::Application } else { Role::Library },
            licence: Licence::read(licence),
            ..Package::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
