//! The operating system's packages, from the files of an image's layers. Layers are shown from the top down, so that what has been seen hides
//! what is below, and reading can end as soon as everything is known.

use crate::inventory::Inventory;
use crate::licence::Licence;
use crate::os_release::Distribution;
use crate::package::{Found, Package};
use crate::{apk, copyright, dpkg, relation};
use std::collections::{BTreeMap, BTreeSet};

const STATUS: &str = "var/lib/dpkg/status";
const STATUS_FOLDER: &str = "var/lib/dpkg/status.d/";
const INFO: &str = "var/lib/dpkg/info/";
const DOC: &str = "usr/share/doc/";
const APK: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
const OS_RELEASE: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];
const RPM: [&str; 3] = ["var/lib/rpm/", "usr/lib/sysimage/rpm/", "usr/share/rpm/"];
const RPM_FILES: [&str; 3] = ["rpmdb.sqlite", "Packages", "Packages.db"];

/// What the layers say, as far as they have been shown.
#[derive(Debug, Default)]
pub struct System {
    /// Databases with the layer of each, by path.
    databases: BTreeMap<String, (String, String)>,
    releases: BTreeMap<String, Distribution>,
    licences: BTreeMap<String, Option<Licence>>,
    /// Folders of documentation that are links to others'.
    links: BTreeMap<String, String>,
    /// The layer that a package's files are in.
    layers: BTreeMap<String, String>,
    foreign: BTreeSet<String>,
    seen: BTreeSet<String>,
    hidden: BTreeSet<String>,
    /// Hidden from the next layer on.
    hides: BTreeSet<String>,
}

/// Whether the file at a path, without a leading `/`, says something of the system's packages.
pub fn is_of_system(path: &str) -> bool {
    path == STATUS
        || path.starts_with(STATUS_FOLDER) && !path.ends_with(".md5sums")
        || APK.contains(&path)
        || OS_RELEASE.contains(&path)
        || package_of_copyright(path).is_some()
}

/// Whether it is a database that is not read: rpm's.
pub fn is_foreign_database(path: &str) -> bool {
    RPM.iter().any(|folder| path.strip_prefix(folder).is_some_and(|file| RPM_FILES.contains(&file)))
}

fn package_of_copyright(path: &str) -> Option<&str> {
    path.strip_prefix(DOC)?.strip_suffix("/copyright").filter(|package| !package.contains('/'))
}

impl System {
    /// Notes a file of a layer, whatever it is, and says whether its content is wanted.
    pub fn notes(&mut self, path: &str, layer: &str) -> bool {
        if let Some(package) = path.strip_prefix(INFO).and_then(|file| file.strip_suffix(".list")) {
            self.layers.entry(package.to_string()).or_insert_with(|| layer.to_string());
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(hidden) = name.strip_prefix(".wh.") {
            let hidden = if hidden == ".wh..opq" { folder.to_string() } else { format!("{folder}/{hidden}").trim_matches('/').to_string() };
            self.hides.insert(hidden);
            return false;
        }
        if self.is_hidden(path) {
            return false;
        }
        if is_foreign_database(path) {
            self.foreign.insert(path.to_string());
        }
        is_of_system(path) && self.seen.insert(path.to_string())
    }

    /// Notes a link of a layer.
    pub fn links(&mut self, path: &str, target: &str) {
        let Some(package) = path.strip_prefix(DOC).filter(|_| !self.is_hidden(path)) else { return };
        let target = target.trim_end_matches('/').trim_end_matches("/copyright").rsplit('/').next().unwrap_or_default();
        let package = package.trim_end_matches("/copyright");
        if !package.contains('/') && !target.is_empty() {
            self.links.entry(package.to_string()).or_insert_with(|| target.to_string());
        }
    }

    /// Takes the content of a file that is wanted.
    pub fn takes(&mut self, path: &str, layer: &str, content: &[u8]) {
        let text = String::from_utf8_lossy(content);
        if let Some(package) = package_of_copyright(path) {
            self.licences.insert(package.to_string(), copyright::licence(&text));
        } else if OS_RELEASE.contains(&path) {
            if let Some(distribution) = Distribution::parse(&text) {
                self.releases.insert(path.to_string(), distribution);
            }
        } else {
            self.databases.insert(path.to_string(), (layer.to_string(), text.into_owned()));
        }
    }

    /// Says that the layer is over: what it hides is hidden in those below.
    pub fn ends_layer(&mut self) {
        self.hidden.append(&mut self.hides);
    }

    fn is_hidden(&self, path: &str) -> bool {
        !self.hidden.is_empty()
            && (self.hidden.contains("")
                || self.hidden.contains(path)
                || path.match_indices('/').any(|(at, _)| self.hidden.contains(&path[..at])))
    }

    /// Databases that are there and are not read, by path.
    pub fn foreign(&self) -> impl Iterator<Item = &str> {
        self.foreign.iter().map(String::as_str)
    }

    /// Whether a database has been found.
    pub fn is_known(&self) -> bool {
        !self.databases.is_empty()
    }

    /// Whether layers below could not add anything.
    pub fn is_complete(&self) -> bool {
        let is_whole = self.databases.contains_key(STATUS) || APK.iter().any(|path| self.databases.contains_key(*path));
        is_whole
            && !self.releases.is_empty()
            && self.packages().iter().all(|package| package.kind() == "apk" || self.documented(&package.name))
    }

    /// The distribution, if files say which it is.
    pub fn distribution(&self) -> Option<&Distribution> {
        OS_RELEASE.iter().find_map(|path| self.releases.get(*path))
    }

    fn packages(&self) -> Vec<Package> {
        let distribution = self.distribution();
        let mut found = Vec::new();
        for (path, (layer, text)) in &self.databases {
            let is_apk = APK.contains(&path.as_str());
            for mut package in if is_apk { apk::packages(text, distribution) } else { dpkg::packages(text, distribution) } {
                let with_architecture = format!("{}:{}", package.name, package.architecture);
                let own = [&package.name, &with_architecture].into_iter().find_map(|name| self.layers.get(name));
                let layer = own.filter(|_| path == STATUS).unwrap_or(layer).clone();
                package.found.insert(Found { layer, path: format!("/{path}") });
                found.push(package);
            }
        }
        found
    }

    /// The name of the folder with a package's documentation.
    fn folder<'a>(&'a self, package: &'a str) -> &'a str {
        let mut name = package;
        for _ in 0..8 {
            match self.links.get(name) {
                Some(target) if !self.licences.contains_key(name) => name = target,
                _ => break,
            }
        }
        name
    }

    /// The licences of a package, if its files say.
    pub fn licence(&self, package: &str) -> Option<Licence> {
        self.licences.get(self.folder(package)).cloned().flatten()
    }

    fn documented(&self, package: &str) -> bool {
        self.licences.contains_key(self.folder(package))
    }

    /// The packages, connected, each with its licences and the layer that it is in.
    pub fn inventory(&self) -> Inventory {
        let mut inventory = Inventory::default();
        inventory.distribution = self.distribution().cloned();
        for mut package in self.packages() {
            if package.licence.is_none() {
                package.licence = self.licence(&package.name);
            }
            inventory.add(package);
        }
        relation::connect(&mut inventory);
        inventory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(system: &mut System, layer: &str, files: &[(&str, &str)]) {
        for (path, content) in files {
            if system.notes(path, layer) {
                system.takes(path, layer, content.as_bytes());
            }
        }
        system.ends_layer();
    }

    #[test]
    fn upper_layers_hide_lower_ones() {
        let mut system = System::default();
        let newer = "Package: a\nVersion: 2\n\nPackage: b\nVersion: 1\n";
        show(&mut system, "top", &[(STATUS, newer), ("var/lib/dpkg/info/a.list", ""), ("etc/.wh.os-release", "")]);
        assert!(system.is_known() && !system.is_complete());
        system.links("usr/share/doc/b", "a");
        let below = [
            (STATUS, "Package: a\nVersion: 1\n"),
            ("var/lib/dpkg/info/a.list", ""),
            ("var/lib/dpkg/info/b.list", ""),
            ("usr/share/doc/a/copyright", "/usr/share/common-licenses/Apache-2.0"),
            ("etc/os-release", "ID=hidden\n"),
            ("usr/lib/os-release", "ID=debian\nVERSION_ID=12\n"),
            ("var/lib/rpm/Packages", ""),
        ];
        show(&mut system, "bottom", &below);
        assert!(system.is_complete());
        let inventory = system.inventory();
        let told: Vec<_> =
            inventory.packages().map(|package| (package.version.as_str(), package.found.first().unwrap().layer.as_str())).collect();
        assert_eq!(told, [("2", "top"), ("1", "bottom")]);
        assert!(inventory.packages().all(|package| package.licence.as_ref().unwrap().expression() == "Apache-2.0"));
        assert_eq!(inventory.distribution.unwrap().qualifier(), "debian-12");
        assert_eq!(system.foreign().collect::<Vec<_>>(), ["var/lib/rpm/Packages"]);
    }

    #[test]
    fn images_without_dpkg_have_a_file_for_each_package() {
        let mut system = System::default();
        show(
            &mut system,
            "one",
            &[("var/lib/dpkg/status.d/base", "Package: base\nVersion: 1"), ("var/lib/dpkg/status.d/base.md5sums", "x")],
        );
        show(&mut system, "two", &[("var/lib/dpkg/status.d/libc6", "Package: libc6\nVersion: 2\n")]);
        assert_eq!(system.inventory().len(), 2);
    }
}
