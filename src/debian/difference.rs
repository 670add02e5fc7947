//! What another run image changes: packages, roots of trust, and what apps that are linked to it would miss. Pure: inventories in, answers out.

use super::changelog::{self, Entry};
use super::inventory::{Inventory, User};
use super::version::{compare, upstream};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Nobody's programs are made of it: its headers have the changelog of all of Linux.
const KERNEL: &str = "linux";

/// What changes from one run image to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Packages in another version.
    pub changed: Vec<Changed>,
    /// Packages that come, with their versions.
    pub added: BTreeMap<String, String>,
    /// Packages that go, with their versions.
    pub removed: BTreeMap<String, String>,
    /// Roots of trust that go.
    pub roots_removed: BTreeSet<String>,
    /// Roots of trust that come.
    pub roots_added: BTreeSet<String>,
    /// How many symbols of libraries were compared.
    pub symbols_compared: usize,
    /// Libraries that go, by their names for the dynamic linker.
    pub libraries_lost: BTreeSet<String>,
    /// Symbols that go, and the libraries that offered them; of a program, nothing.
    pub symbols_lost: BTreeMap<String, BTreeSet<String>>,
}

/// A package in another version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Its name.
    pub package: String,
    /// The source package that it is built from.
    pub source: String,
    /// Its version before.
    pub from: String,
    /// Its version after.
    pub to: String,
    /// Whether the new version is lower.
    pub lower: bool,
    /// Whether it is another version of its authors', not only of Debian's.
    pub upstream: bool,
    /// The CVE numbers that its changelog names for what came between.
    pub cves: BTreeSet<String>,
}

/// Something of an app that would miss something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Missed {
    /// The library or symbol.
    pub what: String,
    /// The library that offered the symbol; empty for a library, or where a program offered it.
    pub of: String,
    /// The first file that needs it, and how many need it.
    pub path: String,
    /// How many files need it.
    pub files: usize,
}

impl Difference {
    /// Compares two run images. `changelogs`, by source package, tell which CVE numbers the changes name.
    pub fn between(old: &Inventory, new: &Inventory, changelogs: &BTreeMap<String, Vec<Entry>>) -> Self {
        let versions = |of: &Inventory, without: &Inventory| {
            let only = of.packages.iter().filter(|(name, _)| !without.packages.contains_key(*name));
            only.map(|(name, package)| (name.clone(), package.version.clone())).collect()
        };
        let offered = |of: &'_ Inventory| of.libraries.values().flat_map(|library| library.symbols.clone()).collect::<BTreeSet<_>>();
        let names = |of: &Inventory| of.libraries.values().map(|library| library.name.clone()).collect::<BTreeSet<_>>();
        let now = offered(new);
        let mut symbols_lost: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for library in old.libraries.values() {
            for symbol in library.symbols.difference(&now) {
                symbols_lost.entry(symbol.clone()).or_default().insert(library.name.clone());
            }
        }
        Self {
            changed: changed(old, new, changelogs),
            added: versions(new, old),
            removed: versions(old, new),
            roots_removed: old.roots.difference(&new.roots).cloned().collect(),
            roots_added: new.roots.difference(&old.roots).cloned().collect(),
            symbols_compared: old.libraries.values().map(|library| library.symbols.len()).sum(),
            libraries_lost: names(old).difference(&names(new)).cloned().collect(),
            symbols_lost,
        }
    }

    /// Whether there is anything that an app may miss.
    pub fn loses(&self) -> bool {
        !self.libraries_lost.is_empty() || !self.symbols_lost.is_empty()
    }

    /// What the files of an app would miss, each thing once.
    pub fn missed(&self, users: &BTreeMap<String, User>) -> Vec<Missed> {
        let mut found: BTreeMap<(String, String), (String, usize)> = BTreeMap::new();
        let mut miss = |what: &str, of: &str, path: &str| {
            found.entry((what.into(), of.into())).or_insert_with(|| (path.into(), 0)).1 += 1;
        };
        for (path, user) in users {
            user.libraries.intersection(&self.libraries_lost).for_each(|library| miss(library, "", path));
            for (symbol, library) in &user.symbols {
                let lost_by = self.symbols_lost.get(symbol).into_iter().flatten().filter(|by| !self.libraries_lost.contains(*by));
                // A symbol without a version may come from any library that the file is linked to, or from the program that loads it.
                let offers = |by: &&String| *by == library || library.is_empty() && (by.is_empty() || user.libraries.contains(*by));
                if let Some(by) = lost_by.into_iter().find(offers) {
                    miss(symbol, by, path);
                }
            }
        }
        found.into_iter().map(|((what, of), (path, files))| Missed { what, of, path, files }).collect()
    }
}

/// The source packages whose packages changed, for whose changelogs somebody has to be asked.
pub fn changed_sources(old: &Inventory, new: &Inventory) -> BTreeSet<String> {
    changed(old, new, &BTreeMap::new()).into_iter().map(|changed| changed.source).collect()
}

fn changed(old: &Inventory, new: &Inventory, changelogs: &BTreeMap<String, Vec<Entry>>) -> Vec<Changed> {
    let mut found = Vec::new();
    for (name, after) in &new.packages {
        let Some(before) = old.packages.get(name).filter(|before| before.version != after.version) else { continue };
        let entries = changelogs.get(&after.source).filter(|_| after.source != KERNEL);
        found.push(Changed {
            package: name.clone(),
            source: after.source.clone(),
            from: before.version.clone(),
            to: after.version.clone(),
            lower: compare(&after.version, &before.version).is_lt(),
            upstream: upstream(&after.source_version) != upstream(&before.source_version),
            cves: entries.map(|entries| changelog::between(entries, &before.source_version, &after.source_version)).unwrap_or_default(),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::installed::Installed;
    use super::super::inventory::Library;
    use super::*;

    fn inventory(packages: &[(&str, &str)], libraries: &[(&str, &[&str])], roots: &[&str]) -> Inventory {
        let package = |(name, version): &(&str, &str)| {
            let installed = Installed {
                version: version.to_string(),
                source: "src".into(),
                source_version: version.to_string(),
                architecture: "all".into(),
            };
            (name.to_string(), installed)
        };
        let library = |(name, symbols): &(&str, &[&str])| {
            let symbols = symbols.iter().map(|symbol| symbol.to_string()).collect();
            (format!("usr/lib/{name}"), Library { name: if *name == "python" { String::new() } else { name.to_string() }, symbols })
        };
        Inventory {
            packages: packages.iter().map(package).collect(),
            libraries: libraries.iter().map(library).collect(),
            roots: roots.iter().map(|root| root.to_string()).collect(),
            ..Inventory::default()
        }
    }

    #[test]
    fn what_changes_is_told_with_the_numbers_between() {
        let old = inventory(&[("a", "1.0-1"), ("b", "2.0-1"), ("c", "1.1-1"), ("d", "1")], &[], &["x", "y"]);
        let new = inventory(&[("a", "1.0-2"), ("b", "1.9-1"), ("c", "1.1-1"), ("e", "5")], &[], &["y", "z"]);
        let entry = |version: &str, cve: &str| Entry { version: version.into(), cves: BTreeSet::from([cve.into()]) };
        let changelogs = BTreeMap::from([("src".to_string(), vec![entry("1.0-2", "CVE-2026-0001"), entry("1.0-1", "CVE-2025-0001")])]);
        let difference = Difference::between(&old, &new, &changelogs);
        let changed: Vec<_> =
            difference.changed.iter().map(|one| (one.package.as_str(), one.lower, one.upstream, one.cves.len())).collect();
        assert_eq!(changed, [("a", false, false, 1), ("b", true, true, 0)]);
        assert!(difference.changed[0].cves.contains("CVE-2026-0001"));
        assert_eq!((difference.removed.keys().next().unwrap().as_str(), difference.added["e"].as_str()), ("d", "5"));
        assert_eq!((difference.roots_removed.first().unwrap().as_str(), difference.roots_added.first().unwrap().as_str()), ("x", "z"));
        assert_eq!(changed_sources(&old, &new), BTreeSet::from(["src".into()]));
        assert!(!difference.loses());
    }

    #[test]
    fn only_what_an_app_needs_of_the_lost_is_missed() {
        let old = inventory(&[], &[("libx.so.1", &["f@X_1", "g@X_1", "h"]), ("libgone.so.2", &["k"]), ("python", &["PyA", "PyB"])], &[]);
        let new = inventory(&[], &[("libx.so.1", &["f@X_1"]), ("libmoved.so.1", &["h"]), ("python", &["PyA"])], &[]);
        let difference = Difference::between(&old, &new, &BTreeMap::new());
        assert!(difference.loses() && difference.symbols_compared == 6);
        let user = |libraries: &[&str], symbols: &[(&str, &str)]| User {
            libraries: libraries.iter().map(|name| name.to_string()).collect(),
            symbols: symbols.iter().map(|(symbol, library)| (symbol.to_string(), library.to_string())).collect(),
        };
        let missed = |users: &[(&str, User)]| {
            let users = users.iter().map(|(path, user)| (path.to_string(), user.clone())).collect();
            difference
                .missed(&users)
                .iter()
                .map(|missed| format!("{} {} {} {}", missed.what, missed.of, missed.path, missed.files))
                .collect::<Vec<_>>()
        };
        // Still there, moved, the app's own copy, or of a library that the file is not linked to.
        let fine = user(&["libx.so.1"], &[("f@X_1", "libx.so.1"), ("h", ""), ("g@X_1", "libx-own.so"), ("k", "")]);
        assert_eq!(missed(&[("app/fine", fine)]), [""; 0]);
        let bad = user(&["libx.so.1", "libgone.so.2"], &[("g@X_1", "libx.so.1"), ("PyB", "")]);
        let expected = ["PyB  app/a 2", "g@X_1 libx.so.1 app/a 2", "libgone.so.2  app/a 2"];
        assert_eq!(missed(&[("app/a", bad.clone()), ("app/b", bad)]), expected);
    }
}
