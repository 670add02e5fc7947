//! The file `METADATA` of an installed package (Python's core metadata).

use sbom::{Licence, Party};

/// A longer licence is a text, not a name.
const LONGEST_NAME: usize = 80;

/// What a package says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Its name, as its makers write it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licences.
    pub licence: Option<Licence>,
    /// Who makes it.
    pub originator: Option<Party>,
    /// What it needs (PEP 508).
    pub requires: Vec<String>,
}

impl Metadata {
    /// Reads the file; nothing where it names no package.
    pub fn parse(text: &str) -> Option<Self> {
        let headers = headers(text);
        let all =
            |name: &'static str| headers.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let one = |name: &'static str| all(name).next().filter(|value| !value.is_empty() && *value != "UNKNOWN");
        let people = ["Author-email", "Author", "Maintainer-email", "Maintainer"];
        Some(Self {
            name: one("Name")?.to_string(),
            version: one("Version")?.to_string(),
            licence: licence(one("License-Expression"), one("License"), all("Classifier")),
            originator: people.into_iter().find_map(one).and_then(party),
            requires: all("Requires-Dist").map(str::to_string).collect(),
        })
    }
}

/// The headers; a line that begins with a space goes on with the one before.
fn headers(text: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in text.lines().take_while(|line| !line.is_empty()) {
        match (line.starts_with([' ', '\t']), line.split_once(':')) {
            (true, _) => {
                if let Some((_, value)) = headers.last_mut() {
                    value.push('\n');
                    value.push_str(line.trim());
                }
            }
            (false, Some((name, value))) => headers.push((name.trim().to_string(), value.trim().to_string())),
            (false, None) => {}
        }
    }
    headers
}

/// The first of several people, who may have an address.
fn party(text: &str) -> Option<Party> {
    let first = text.split(", ").next().unwrap_or_default().lines().next().unwrap_or_default();
    Party::of(first.trim())
}

/// The expression; or the licence's name, if SPDX knows it; or what the classifiers say; or the licence's own words.
fn licence<'a>(expression: Option<&str>, name: Option<&str>, classifiers: impl Iterator<Item = &'a str>) -> Option<Licence> {
    if let Some(licence) = expression.and_then(Licence::read) {
        return Some(licence);
    }
    let named = name.filter(|name| name.len() <= LONGEST_NAME).and_then(Licence::read);
    if let Some(known) = named.clone().filter(|licence| licence.texts().is_empty()) {
        return Some(known);
    }
    let classified = classifiers.filter_map(|classifier| classifier.strip_prefix("License ::")?.rsplit("::").next());
    // `OSI Approved` alone says nothing.
    let classified = Licence::all(classified.map(str::trim).filter(|name| *name != "OSI Approved").filter_map(Licence::read));
    classified.or(named).or_else(|| name.and_then(Licence::read))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_taken_from_the_best_that_there_is() {
        let of = |headers: &str| {
            let text = format!("Name: a\nVersion: 1\n{headers}\nbody");
            Metadata::parse(&text).unwrap().licence.map(|licence| licence.expression().to_string())
        };
        for (headers, expected) in [
            ("License-Expression: MIT OR Apache-2.0\nLicense: x\n", Some("MIT OR Apache-2.0")),
            ("License: BSD 3-Clause License\nClassifier: License :: OSI Approved :: BSD License\n", Some("BSD-3-Clause")),
            ("License: see file\nClassifier: License :: OSI Approved :: Apache Software License\n", Some("Apache-2.0")),
            ("Classifier: License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)\n", Some("GPL-3.0-or-later")),
            ("License: UNKNOWN\n", None),
            ("License: Own\n", Some("LicenseRef-Own")),
            ("License: MIT\n", Some("MIT")),
        ] {
            assert_eq!(of(headers).as_deref(), expected, "{headers}");
        }
        let long = of(&format!("License: Copyright\n        {}\n", "word ".repeat(100))).unwrap();
        assert!(long.starts_with("LicenseRef-Copyright-"), "{long}");
    }

    #[test]
    fn people_are_told_from_their_addresses() {
        let text = "Name: a\nVersion: 1\nAuthor-email: Ann <a@x.test>, Bob <b@x.test>\n";
        assert_eq!(Metadata::parse(text).unwrap().originator.unwrap().to_string(), "Person: Ann (a@x.test)");
    }
}
