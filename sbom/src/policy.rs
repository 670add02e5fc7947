//! Rules that an inventory must keep.

use crate::inventory::Inventory;
use crate::package::Package;
use serde::Serialize;
use std::str::FromStr;

/// What is allowed and what is required.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Licences that no package may need.
    pub deny: Vec<Pattern>,
    /// Licences that packages may be under; all, where there are none.
    pub allow: Vec<Pattern>,
    /// What must be there.
    pub require: Vec<Requirement>,
    /// The types of package URLs that are checked; all, where there are none.
    pub kinds: Vec<String>,
    /// Packages that are not checked.
    pub except: Vec<Pattern>,
}

/// A text in which `*` stands for any other; letters in upper and lower case are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

/// What must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Every package has a licence.
    Licences,
    /// Every package has a version.
    Versions,
    /// Every package has a checksum.
    Checksums,
    /// Of every package it is known who distributes it.
    Suppliers,
    /// Every package has a package URL.
    Purls,
    /// There is a package of a name.
    Package(Pattern),
}

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Its package URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purl: Option<String>,
    /// The rule, as `deny-license`.
    pub rule: &'static str,
    /// What is wrong, for people.
    pub problem: String,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() { Err("it names nothing".into()) } else { Ok(Self(text.trim().to_ascii_lowercase())) }
    }
}

impl Pattern {
    fn matches(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

impl FromStr for Requirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("package:")) {
            (_, Some(name)) => name.parse().map(Self::Package),
            ("licenses", None) => Ok(Self::Licences),
            ("versions", None) => Ok(Self::Versions),
            ("checksums", None) => Ok(Self::Checksums),
            ("suppliers", None) => Ok(Self::Suppliers),
            ("purls", None) => Ok(Self::Purls),
            _ => Err("it is none of licenses, versions, checksums, suppliers, purls and package:NAME".into()),
        }
    }
}

impl Policy {
    /// The packages that are checked.
    pub fn subjects<'a>(&'a self, inventory: &'a Inventory) -> impl Iterator<Item = &'a Package> {
        let is_meant = |package: &&Package| self.kinds.is_empty() || self.kinds.iter().any(|kind| kind == package.kind());
        let is_excepted = |package: &&Package| self.except.iter().any(|pattern| pattern.matches(&package.name));
        inventory.packages().filter(move |package| is_meant(package) && !is_excepted(package))
    }

    /// What breaks the rules, in the order of the packages.
    pub fn check(&self, inventory: &Inventory) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.subjects(inventory).flat_map(|package| self.findings(package)).collect();
        for requirement in &self.require {
            let Requirement::Package(pattern) = requirement else { continue };
            if !inventory.packages().any(|package| pattern.matches(&package.name)) {
                let (package, problem) = (pattern.0.clone(), "it is not in the image".to_string());
                findings.push(Finding { package, version: String::new(), purl: None, rule: "require", problem });
            }
        }
        findings
    }

    fn findings(&self, package: &Package) -> Vec<Finding> {
        let finding = |rule: &'static str, problem: String| Finding {
            package: package.name.clone(),
            version: package.version.clone(),
            purl: package.purl.clone(),
            rule,
            problem,
        };
        let is_in = |patterns: &[Pattern], id: &str| patterns.iter().any(|pattern| pattern.matches(id));
        let mut findings = Vec::new();
        match &package.licence {
            Some(licence) => {
                if !licence.can_be(|id| !is_in(&self.deny, id)) {
                    findings.push(finding("deny-license", format!("its licence is denied: {}", licence.expression())));
                }
                if !self.allow.is_empty() && !licence.can_be_some(|id| is_in(&self.allow, id)) {
                    findings.push(finding("allow-license", format!("its licence is not allowed: {}", licence.expression())));
                }
            }
            None if !self.allow.is_empty() => findings.push(finding("allow-license", "its licence is not known".into())),
            None => {}
        }
        let missing = self.require.iter().filter_map(|requirement| requirement.missing(package));
        findings.extend(missing.map(|what| finding("require", format!("{what} is not known"))));
        findings
    }
}

impl Requirement {
    fn missing(&self, package: &Package) -> Option<&'static str> {
        match self {
            Self::Licences if package.licence.is_none() => Some("its licence"),
            Self::Versions if package.version.is_empty() => Some("its version"),
            Self::Checksums if package.checksums.is_empty() => Some("a checksum"),
            Self::Suppliers if crate::write::supplier(package).is_none() => Some("who distributes it"),
            Self::Purls if package.purl.is_none() => Some("its package URL"),
            Self::Licences | Self::Versions | Self::Checksums | Self::Suppliers | Self::Purls | Self::Package(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::licence::Licence;

    fn inventory() -> Inventory {
        let mut inventory = Inventory::default();
        for (name, licence) in [
            ("a", "MIT OR AGPL-3.0-only"),
            ("b", "GPL-3.0-or-later AND MIT"),
            ("c", ""),
            ("d", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ] {
            let purl = Some(format!("pkg:{}/{name}@1", if name == "a" { "deb" } else { "pypi" }));
            inventory.add(Package { name: name.into(), version: "1".into(), purl, licence: Licence::read(licence), ..Package::default() });
        }
        inventory
    }

    #[test]
    fn rules_find_what_breaks_them() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Pattern>>();
        let found = |policy: Policy| policy.check(&inventory()).into_iter().map(|finding| finding.package).collect::<Vec<_>>();
        assert_eq!(found(Policy { deny: patterns(&["gpl-3.0*"]), ..Policy::default() }), ["b"]);
        assert_eq!(found(Policy { deny: patterns(&["AGPL-*"]), ..Policy::default() }), [""; 0]);
        assert_eq!(found(Policy { deny: patterns(&["*GPL-*"]), kinds: vec!["pypi".into()], ..Policy::default() }), ["b", "d"]);
        assert_eq!(found(Policy { allow: patterns(&["MIT"]), ..Policy::default() }), ["b", "c", "d"]);
        assert_eq!(found(Policy { allow: patterns(&["MIT", "GPL-*"]), except: patterns(&["c"]), ..Policy::default() }), [""; 0]);
        let require = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<Requirement>>();
        assert_eq!(
            found(Policy { require: require(&["licenses", "versions", "purls", "package:a", "package:x*"]), ..Policy::default() }),
            ["c", "x*"]
        );
        assert_eq!(found(Policy { require: require(&["checksums"]), ..Policy::default() }).len(), 4);
        assert!("cats".parse::<Requirement>().is_err() && " ".parse::<Pattern>().is_err());
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("a", "A", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b*d", "abcd", true),
            ("*", "", true),
            ("a*a", "a", false),
            ("*c*d", "abd", false),
        ] {
            assert_eq!(pattern.parse::<Pattern>().unwrap().matches(text), expected, "{pattern} {text}");
        }
    }
}
