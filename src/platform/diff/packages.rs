//! Packages in other versions, by their package URLs.

use sbom::Inventory;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A package that one image has in another version, or that only one has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PackageChange {
    /// Its name.
    pub name: String,
    /// Its kind, as `deb` or `pypi`; empty where nobody says.
    pub kind: String,
    /// Its versions before; none where it was not there.
    pub from: BTreeSet<String>,
    /// Its versions after; none where it is gone.
    pub to: BTreeSet<String>,
}

/// The packages whose versions differ, sorted by kind and name.
pub fn changes(from: &Inventory, to: &Inventory) -> Vec<PackageChange> {
    let (mut old, mut new) = (versions(from), versions(to));
    let all: BTreeSet<_> = old.keys().chain(new.keys()).cloned().collect();
    let change = |(kind, name): (String, String)| {
        let key = (kind, name);
        let (from, to) = (old.remove(&key).unwrap_or_default(), new.remove(&key).unwrap_or_default());
        (from != to).then_some(PackageChange { name: key.1, kind: key.0, from, to })
    };
    all.into_iter().filter_map(change).collect()
}

fn versions(of: &Inventory) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut versions: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for package in of.packages() {
        // The type of a package URL that is not there is nothing.
        let kind = package.purl.as_ref().map_or("", |_| package.kind());
        versions.entry((kind.to_string(), package.name.clone())).or_default().insert(package.version.clone());
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;
    use sbom::Package;

    #[test]
    fn a_package_differs_by_its_versions_not_by_where_it_is() {
        let inventory = |packages: &[(&str, &str, &str)]| {
            let mut inventory = Inventory::default();
            for (kind, name, version) in packages {
                let purl = Some(format!("pkg:{kind}/{name}@{version}"));
                inventory.add(Package { name: (*name).into(), version: (*version).into(), purl, ..Package::default() });
            }
            inventory
        };
        let from = inventory(&[("deb", "openssl", "1"), ("pypi", "flask", "3"), ("pypi", "rich", "1"), ("deb", "gone", "2")]);
        let to = inventory(&[
            ("deb", "openssl", "2"),
            ("pypi", "flask", "3"),
            ("pypi", "rich", "1"),
            ("pypi", "rich", "2"),
            ("pypi", "gone", "2"),
        ]);
        let set = |versions: &[&str]| versions.iter().map(|version| (*version).to_string()).collect::<BTreeSet<_>>();
        let change = |kind: &str, name: &str, from: &[&str], to: &[&str]| PackageChange {
            name: name.into(),
            kind: kind.into(),
            from: set(from),
            to: set(to),
        };
        assert_eq!(
            changes(&from, &to),
            [
                change("deb", "gone", &["2"], &[]),
                change("deb", "openssl", &["1"], &["2"]),
                change("pypi", "gone", &[], &["2"]),
                change("pypi", "rich", &["1"], &["1", "2"]),
            ]
        );
    }
}
