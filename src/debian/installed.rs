//! dpkg's database of installed packages, as layers bring it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Its version.
    pub version: String,
    /// The source package that it is built from.
    pub source: String,
    /// The version of the source package.
    pub source_version: String,
    /// Its architecture, or `all`.
    pub architecture: String,
}

/// The installed packages of a database or of one file of `status.d`, by name; a second architecture of a package is named `NAME:ARCHITECTURE`.
pub(super) fn read(status: &str) -> BTreeMap<String, Installed> {
    let mut packages: BTreeMap<String, Installed> = BTreeMap::new();
    for package in status.split("\n\n").filter_map(|paragraph| sbom::debian_package(paragraph, None)) {
        let sbom::Package { name, version, architecture, source, .. } = package;
        let source = source.unwrap_or_else(|| sbom::Source { name: name.clone(), version: version.clone() });
        let name = if packages.contains_key(&name) { format!("{name}:{architecture}") } else { name };
        packages.insert(name, Installed { version, source: source.name, source_version: source.version, architecture });
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_read_as_dpkg_writes_them() {
        let status = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2.41-1)\nVersion: 2.41-1+b1\n\n\
            Package: libc6\nStatus: install ok installed\nArchitecture: i386\nSource: glibc\nVersion: 2.41-1\n\n\
            Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: tzdata\nVersion: 2026a-1\nArchitecture: all\n";
        let packages = read(status);
        assert_eq!(packages.keys().collect::<Vec<_>>(), ["libc6", "libc6:i386", "tzdata"]);
        let libc = &packages["libc6"];
        assert_eq!([&libc.version, &libc.source, &libc.source_version], ["2.41-1+b1", "glibc", "2.41-1"]);
        assert_eq!(packages["libc6:i386"].source_version, "2.41-1");
        assert_eq!(packages["tzdata"].source, "tzdata");
    }
}
