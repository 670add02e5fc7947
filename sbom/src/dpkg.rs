//! dpkg's database: `var/lib/dpkg/status`, and `status.d` of images that have no dpkg.

use crate::os_release::Distribution;
use crate::package::{Package, Party, Relations, Source};
use crate::purl::Purl;
use std::collections::BTreeMap;

/// What a paragraph is installed with: a file of `status.d` has no field `Status`.
const INSTALLED: [&str; 3] = ["", "install ok installed", "hold ok installed"];

/// The installed packages of a database.
pub(crate) fn packages(status: &str, distribution: Option<&Distribution>) -> Vec<Package> {
    status.split("\n\n").filter_map(|paragraph| package(paragraph, distribution)).collect()
}

/// The package of a paragraph of the database or of a package's own control file; nothing where it is not installed.
pub fn package(paragraph: &str, distribution: Option<&Distribution>) -> Option<Package> {
    let field = |name: &str| {
        let found = paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.unwrap_or_default().trim().to_string()
    };
    let (name, version) = (field("Package"), field("Version"));
    if name.is_empty() || version.is_empty() || !INSTALLED.contains(&field("Status").as_str()) {
        return None;
    }
    let (architecture, source) = (field("Architecture"), source(&field("Source"), &name, &version));
    let list = |name: &str| {
        let text = field(name);
        text.split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::to_string).collect::<Vec<_>>()
    };
    let relations = Relations { depends: [list("Pre-Depends"), list("Depends")].concat(), provides: list("Provides") };
    Some(Package {
        purl: Some(purl(&name, &version, &architecture, source.as_ref(), distribution)),
        supplier: distribution.map(|distribution| Party::Organization(distribution.vendor().to_string())),
        originator: Party::of(&field("Maintainer")),
        name,
        version,
        architecture,
        source,
        relations,
        ..Package::default()
    })
}

/// The source package where it has another name or version.
fn source(field: &str, name: &str, version: &str) -> Option<Source> {
    let (source, source_version) = match field.split_once(" (") {
        Some((source, version)) => (source, version.trim_end_matches(')')),
        None => (field, version),
    };
    let source = if source.is_empty() { name } else { source };
    (source != name || source_version != version).then(|| Source { name: source.into(), version: source_version.into() })
}

fn purl(name: &str, version: &str, architecture: &str, source: Option<&Source>, distribution: Option<&Distribution>) -> String {
    let mut qualifiers = BTreeMap::new();
    if !architecture.is_empty() {
        qualifiers.insert("arch".to_string(), architecture.to_string());
    }
    if let Some(distribution) = distribution {
        qualifiers.insert("distro".to_string(), distribution.qualifier());
    }
    if let Some(source) = source {
        let of_version = if source.version == version { String::new() } else { format!("@{}", source.version) };
        qualifiers.insert("upstream".to_string(), format!("{}{of_version}", source.name));
    }
    let namespace = distribution.map_or("debian", |distribution| distribution.id.as_str()).to_string();
    let (kind, name, version) = ("deb".to_string(), name.to_string(), version.to_string());
    Purl { kind, namespace, name, version, qualifiers, subpath: String::new() }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_read_as_dpkg_writes_them() {
        let status = "Package: libc6\nStatus: install ok installed\nMaintainer: GNU Libc Maintainers <a@b.test>\nArchitecture: amd64\n\
            Source: glibc (2.41-1)\nVersion: 2.41-1+b1\nDepends: libgcc-s1, x (>= 1) | y\n\n\
            Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: tzdata\nVersion: 2026a-1\nArchitecture: all\n";
        let debian = Distribution { id: "debian".into(), version: "13".into(), name: String::new() };
        let packages = packages(status, Some(&debian));
        let purls: Vec<&str> = packages.iter().map(|package| package.purl.as_deref().unwrap()).collect();
        assert_eq!(
            purls,
            [
                "pkg:deb/debian/libc6@2.41-1%2Bb1?arch=amd64&distro=debian-13&upstream=glibc%402.41-1",
                "pkg:deb/debian/tzdata@2026a-1?arch=all&distro=debian-13"
            ]
        );
        assert_eq!(packages[0].originator.as_ref().unwrap().to_string(), "Organization: GNU Libc Maintainers (a@b.test)");
        assert_eq!(packages[0].relations.depends, ["libgcc-s1", "x (>= 1) | y"]);
    }
}
