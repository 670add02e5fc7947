use super::*;
use crate::Distribution;
use crate::licence::Licence;
use crate::package::{Algorithm, Found, Role};
use crate::read::read;

fn inventory() -> Inventory {
    let mut inventory = Inventory::default();
    let found = Found { layer: format!("sha256:{}", "0".repeat(64)), path: "/var/lib/dpkg/status".into() };
    let package = |name: &str, licence: &str| Package {
        name: name.into(),
        version: "1:2~x+b".into(),
        purl: Some(format!("pkg:pypi/{name}@1%3A2~x%2Bb")),
        licence: Licence::read(licence),
        checksums: [(Algorithm::Sha256, "a".repeat(64))].into(),
        supplier: Party::parse("Organization: Debian"),
        originator: Some(Party::Person("Ann <a@b.test>".into())),
        cpes: ["cpe:2.3:a:x:y:1\\:2:*:*:*:*:*:*:*".to_string()].into(),
        found: [found.clone()].into(),
        ..Package::default()
    };
    let mut one = package("one", "Own words, and many");
    one.depends.insert(package("two", "").key());
    inventory.add(one);
    inventory.add(package("two", "MIT OR Apache-2.0"));
    inventory.add(Package { name: "program".into(), role: Role::Application, ..Package::default() });
    inventory.distribution = Some(Distribution { id: "debian".into(), version: "13".into(), name: "Debian 13".into() });
    inventory
}

fn subject() -> Subject {
    let digest = |digit: &str| format!("sha256:{}", digit.repeat(64));
    Subject { digest: digest("1"), config: digest("2"), os: "linux".into(), architecture: "amd64".into(), ..Subject::default() }
}

#[test]
fn what_is_written_is_read_again() {
    let (inventory, subject) = (inventory(), subject());
    for subject in [None, Some(&subject)] {
        let notes = ["a note".to_string()];
        let document = Document { name: "r.test/app", created: "1980-01-01T00:00:01Z", tool: "t", version: "1", subject, notes: &notes };
        for format in Format::ALL {
            let written = write(format, &inventory, &document);
            assert_eq!(written, write(format, &inventory, &document));
            let again = read(format, &written).unwrap();
            assert_eq!(again.by_key().keys().collect::<Vec<_>>(), inventory.by_key().keys().collect::<Vec<_>>(), "{format}");
            for (one, other) in again.packages().zip(inventory.packages()) {
                assert_eq!((&one.name, &one.version, &one.purl), (&other.name, &other.version, &other.purl), "{format}");
                assert_eq!((&one.depends, &one.cpes, &one.originator), (&other.depends, &other.cpes, &other.originator), "{format}");
                assert_eq!(one.licence.as_ref().map(Licence::expression), other.licence.as_ref().map(Licence::expression), "{format}");
                assert_eq!(one.found, other.found, "{format}");
            }
            assert!(String::from_utf8(written).unwrap().contains("a note"), "{format}");
        }
    }
}

#[test]
fn documents_of_other_content_have_other_names() {
    let (inventory, subject) = (inventory(), subject());
    let document = Document { name: "app", created: "", tool: "t", version: "1", subject: Some(&subject), notes: &[] };
    let serial = |inventory: &Inventory| {
        let written: serde_json::Value = serde_json::from_slice(&write(Format::CycloneDx, inventory, &document)).unwrap();
        written["serialNumber"].as_str().unwrap().to_string()
    };
    assert_ne!(serial(&inventory), serial(&Inventory::default()));
    assert_eq!(serial(&inventory).len(), "urn:uuid:".len() + 36);
}
