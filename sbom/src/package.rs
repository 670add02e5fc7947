//! One package, whatever said so.

use crate::licence::Licence;
use crate::purl::Purl;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Words in names of those who are no single person.
const TEAMS: [&str; 8] = ["team", "maintainers", "group", "developers", "packagers", "debian", "ubuntu", "project"];

/// A package of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version; empty where nobody says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Its package URL, as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    /// What it is.
    #[serde(skip_serializing_if = "is_library")]
    pub role: Role,
    /// The source package that it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The processor, in the distribution's words, or `all`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// The licences that it is under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<Licence>,
    /// Checksums of the file that it was installed from, in lower-case hexadecimal digits.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<Algorithm, String>,
    /// Who distributes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier: Option<Party>,
    /// Who makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub originator: Option<Party>,
    /// Its names in the Common Platform Enumeration 2.3.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub cpes: BTreeSet<String>,
    /// Where it is in the image.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub found: BTreeSet<Found>,
    /// Keys of the packages that it needs.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub depends: BTreeSet<String>,
    /// Relations to other packages as its database has them, until they are connected.
    #[serde(skip)]
    pub relations: Relations,
}

/// What a package of a distribution says of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relations {
    /// What it needs, alternatives with `|` between them.
    pub depends: Vec<String>,
    /// What it is besides its name.
    pub provides: Vec<String>,
}

/// What a package is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Something that others use.
    #[default]
    Library,
    /// A program.
    Application,
}

/// A source package.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Where a package was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// The diffID of the layer; empty where nobody says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub layer: String,
    /// The file that names it, as `/var/lib/dpkg/status`; empty where nobody says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
}

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    const ALL: [(Self, &str, usize); 5] = [
        (Self::Md5, "MD5", 32),
        (Self::Sha1, "SHA1", 40),
        (Self::Sha256, "SHA256", 64),
        (Self::Sha384, "SHA384", 96),
        (Self::Sha512, "SHA512", 128),
    ];

    /// The algorithm and the digits of a checksum, unless it is none that is known.
    pub(crate) fn checksum(name: &str, value: &str) -> Option<(Self, String)> {
        let name = name.to_ascii_uppercase().replace('-', "");
        let (algorithm, _, digits) = Self::ALL.into_iter().find(|(_, known, _)| *known == name)?;
        let value = value.to_ascii_lowercase();
        (value.len() == digits && value.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some((algorithm, value))
    }

    /// Its name in SPDX, as `SHA256`.
    pub fn spdx(self) -> &'static str {
        Self::ALL.into_iter().find(|(algorithm, ..)| *algorithm == self).map_or("", |(_, name, _)| name)
    }

    /// Its name in CycloneDX, as `SHA-256`.
    pub fn cyclonedx(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}

/// Somebody who makes or distributes packages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// An organization.
    Organization(String),
    /// A person, as `NAME` or `NAME <ADDRESS>`.
    Person(String),
}

impl Party {
    /// Reads a party as SPDX writes it: `Organization: NAME` or `Person: NAME (ADDRESS)`.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let name = match rest.trim().strip_suffix(')').and_then(|rest| rest.rsplit_once(" (")) {
            Some((name, address)) if !address.is_empty() => format!("{name} <{address}>"),
            _ => rest.trim().trim_end_matches("()").trim().to_string(),
        };
        match kind.trim() {
            _ if name.is_empty() => None,
            "Organization" => Some(Self::Organization(name)),
            "Person" => Some(Self::Person(name)),
            _ => None,
        }
    }

    /// Who somebody is by name: a team, or a person. `NAME` or `NAME <ADDRESS>`.
    pub fn of(text: &str) -> Option<Self> {
        let name = text.split('<').next().unwrap_or_default().to_ascii_lowercase();
        let is_team = name.split_whitespace().any(|word| TEAMS.contains(&word));
        (!text.is_empty()).then(|| if is_team { Self::Organization(text.to_string()) } else { Self::Person(text.to_string()) })
    }

    /// Its name, and its mail address if it has one.
    pub fn parts(&self) -> (&str, Option<&str>) {
        let (Self::Organization(text) | Self::Person(text)) = self;
        match text.strip_suffix('>').and_then(|text| text.rsplit_once(" <")) {
            Some((name, address)) if address.contains('@') => (name.trim().trim_matches('"'), Some(address)),
            _ => (text.as_str(), None),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if matches!(self, Self::Organization(_)) { "Organization" } else { "Person" };
        match self.parts() {
            (name, Some(address)) => write!(formatter, "{kind}: {name} ({address})"),
            // A name may end in brackets that are no address.
            (name, None) => write!(formatter, "{kind}: {}", name.replace(['(', ')'], "")),
        }
    }
}

impl Package {
    /// What makes it the same package as another: its package URL without what only describes it, or else its name and version.
    pub fn key(&self) -> String {
        let purl = self.purl.as_deref().and_then(Purl::parse);
        purl.map_or_else(|| format!("{}@{}", self.name, self.version), |purl| purl.key())
    }

    /// The type of its package URL, as `deb`; `generic` where it has none.
    pub fn kind(&self) -> &str {
        let kind = self.purl.as_deref().and_then(|purl| purl.strip_prefix("pkg:")?.trim_start_matches('/').split('/').next());
        kind.filter(|kind| !kind.is_empty()).unwrap_or("generic")
    }

    /// Adds what another entry says of the same package.
    pub fn join(&mut self, other: Self) {
        let own_is_vague = self.licence.as_ref().is_none_or(|licence| !licence.texts().is_empty());
        let other_is_exact = other.licence.as_ref().is_some_and(|licence| self.licence.is_none() || licence.texts().is_empty());
        if own_is_vague && other_is_exact {
            self.licence = other.licence;
        }
        if self.version.is_empty() {
            self.version = other.version;
        }
        if self.architecture.is_empty() {
            self.architecture = other.architecture;
        }
        if other.role == Role::Application {
            self.role = Role::Application;
        }
        self.source = self.source.take().or(other.source);
        self.supplier = self.supplier.take().or(other.supplier);
        self.originator = self.originator.take().or(other.originator);
        for (algorithm, value) in other.checksums {
            self.checksums.entry(algorithm).or_insert(value);
        }
        self.cpes.extend(other.cpes);
        self.found.extend(other.found);
        self.found = self.found.iter().filter(|found| !self.is_vague(found)).cloned().collect();
        self.depends.extend(other.depends);
    }

    /// Whether a place is a folder of which a better place within is known.
    fn is_vague(&self, found: &Found) -> bool {
        let within = Found { layer: found.layer.clone(), path: format!("{}/", found.path) };
        self.found.range(&within..).next().is_some_and(|better| better.layer == found.layer && better.path.starts_with(&within.path))
    }
}

fn is_library(role: &Role) -> bool {
    *role == Role::Library
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties_are_written_as_spdx_reads_them() {
        for (party, text) in [
            (Party::Person("Ann <ann@x.test>".into()), "Person: Ann (ann@x.test)"),
            (Party::Organization("Debian".into()), "Organization: Debian"),
            (Party::Organization("A (B)".into()), "Organization: A B"),
        ] {
            assert_eq!(party.to_string(), text);
            assert_eq!(Party::parse(text).unwrap().to_string(), text);
        }
        for none in ["", "NOASSERTION", "Person:", "Person: ()", "Tool: x"] {
            assert_eq!(Party::parse(none), None, "{none}");
        }
    }

    #[test]
    fn what_two_entries_say_is_joined() {
        let mut one = Package { name: "a".into(), licence: Licence::read("own words"), ..Package::default() };
        let found = BTreeSet::from([Found { layer: "sha256:0".into(), path: "/a".into() }]);
        one.join(Package {
            name: "a".into(),
            version: "1".into(),
            licence: Licence::read("MIT"),
            found: found.clone(),
            ..Package::default()
        });
        assert_eq!((one.version.as_str(), one.licence.unwrap().expression(), one.found), ("1", "MIT", found));
    }
}
