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

/// Numbers that only look like chance.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most.max(1)
    }
}

#[test]
fn damaged_documents_and_names_do_no_harm() {
    let (inventory, subject, mut numbers) = (inventory(), subject(), Numbers(1));
    let document = Document { name: "app", created: "", tool: "t", version: "1", subject: Some(&subject), notes: &[] };
    for format in Format::ALL {
        let written = write(format, &inventory, &document);
        for _ in 0..3000 {
            let mut damaged = written.clone();
            for _ in 0..=numbers.below(3) {
                let (from, to, length) = (numbers.below(damaged.len()), numbers.below(damaged.len()), numbers.below(40));
                let piece = damaged[from..(from + length).min(damaged.len())].to_vec();
                damaged.splice(to..(to + numbers.below(20)).min(damaged.len()), piece);
            }
            for reader in Format::ALL {
                if let Ok(read) = read(reader, &damaged) {
                    drop(write(reader, &read, &document));
                }
            }
        }
    }
    let letters: Vec<char> = "GPL-2.0+()/, andorwithMITLicenseRef-ü%@?&=#:*\\\"'\n".chars().collect();
    for _ in 0..20_000 {
        let text: String = (0..numbers.below(40)).map(|_| letters[numbers.below(letters.len())]).collect();
        if let Some(licence) = Licence::read(&text) {
            assert!(::spdx::Expression::parse(licence.expression()).is_ok(), "{text}: {}", licence.expression());
        }
        if let Some(licence) = crate::licence_of_copyright(&format!("Format: x/copyright-format/1.0/\nLicense: {text}\n")) {
            assert!(::spdx::Expression::parse(licence.expression()).is_ok(), "{text}: {}", licence.expression());
        }
        if let Some(purl) = crate::Purl::parse(&format!("pkg:{text}")) {
            assert_eq!(crate::Purl::parse(&purl.to_string()).as_ref(), Some(&purl), "{text}");
        }
        drop(crate::debian_package(&text, None));
    }
}
