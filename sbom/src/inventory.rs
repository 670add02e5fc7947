//! All packages of something.

use crate::os_release::Distribution;
use crate::package::{Found, Package};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Packages, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    packages: BTreeMap<String, Package>,
    /// The distribution of the operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
}

impl Inventory {
    /// Adds a package; what is said of one that is known is joined. Returns its key.
    pub fn add(&mut self, package: Package) -> String {
        let key = package.key();
        self.add_as(key.clone(), package);
        key
    }

    fn add_as(&mut self, key: String, package: Package) {
        match self.packages.entry(key) {
            Entry::Vacant(vacant) => drop(vacant.insert(package)),
            Entry::Occupied(mut known) => known.get_mut().join(package),
        }
    }

    /// Adds all packages of another.
    pub fn join(&mut self, other: Self) {
        other.packages.into_iter().for_each(|(key, package)| self.add_as(key, package));
        self.distribution = self.distribution.take().or(other.distribution);
    }

    /// The packages, in the order of their keys.
    pub fn packages(&self) -> impl ExactSizeIterator<Item = &Package> {
        self.packages.values()
    }

    /// The packages with their keys.
    pub fn by_key(&self) -> &BTreeMap<String, Package> {
        &self.packages
    }

    /// How many packages there are.
    pub fn len(&self) -> usize {
        self.packages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.packages.is_empty()
    }

    /// Says in which layer all packages are, where nothing better is known; paths that are not absolute are below `folder`.
    pub fn locate(&mut self, layer: &str, folder: &str) {
        let located = |mut found: Found| {
            if found.layer.is_empty() {
                found.layer = layer.to_string();
            }
            if !found.path.starts_with('/') {
                found.path = format!("{folder}/{}", found.path).trim_end_matches('/').to_string();
            }
            found
        };
        for package in self.packages.values_mut() {
            let known = std::mem::take(&mut package.found);
            package.found = known.into_iter().map(located).collect();
            if package.found.is_empty() {
                package.found.insert(located(Found::default()));
            }
        }
    }

    /// Adds edges to the packages that others need, by their keys.
    pub(crate) fn connect(&mut self, edges: &BTreeMap<&str, Vec<String>>) {
        for (from, on) in edges {
            if let Some(package) = self.packages.get_mut(*from) {
                package.depends.extend(on.iter().cloned());
            }
        }
    }

    /// Changes every package; keys stay.
    pub(crate) fn change(&mut self, change: impl FnMut(&mut Package)) {
        self.packages.values_mut().for_each(change);
    }
}
