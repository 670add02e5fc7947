//! Which installed package is meant where one needs another.

use crate::inventory::Inventory;
use std::collections::BTreeMap;

/// Turns what packages of a distribution say that they need into edges to the packages that are there; of alternatives all that are there.
pub fn connect(inventory: &mut Inventory) {
    let mut known: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, package) in inventory.by_key() {
        known.entry(package.name.clone()).or_default().push(key.clone());
        for provided in &package.relations.provides {
            known.entry(name_of(provided).to_string()).or_default().push(key.clone());
        }
    }
    inventory.change(|package| {
        let relations = std::mem::take(&mut package.relations);
        let own = package.key();
        for needed in relations.depends.iter().flat_map(|needed| needed.split('|')) {
            let keys = known.get(name_of(needed)).into_iter().flatten();
            package.depends.extend(keys.filter(|key| **key != own).cloned());
        }
    });
}

/// The name in a relation of dpkg's or apk's, without version and processor.
fn name_of(relation: &str) -> &str {
    let relation = relation.trim().trim_start_matches('!');
    relation.split([' ', '(', '=', '<', '>', '~', '[']).next().unwrap_or_default().trim_end_matches(":any").trim_end_matches(":native")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpkg;

    #[test]
    fn packages_that_are_there_are_connected() {
        let status = "Package: a\nVersion: 1\nDepends: b (>= 1), virtual, gone | c:any, a\n\nPackage: b\nVersion: 1\n\n\
                      Package: c\nVersion: 1\nProvides: virtual (= 1), x\n";
        let mut inventory = Inventory::default();
        dpkg::packages(status, None).into_iter().for_each(|package| drop(inventory.add(package)));
        connect(&mut inventory);
        let depends: Vec<_> = inventory.packages().next().unwrap().depends.iter().cloned().collect();
        assert_eq!(depends, ["pkg:deb/debian/b@1", "pkg:deb/debian/c@1"]);
    }
}
