//! apk's database: `lib/apk/db/installed`.

use crate::licence::Licence;
use crate::os_release::Distribution;
use crate::package::{Package, Party, Relations, Source};
use crate::purl::Purl;
use std::collections::BTreeMap;

/// The packages of a database.
pub(crate) fn packages(installed: &str, distribution: Option<&Distribution>) -> Vec<Package> {
    installed.split("\n\n").filter_map(|entry| package(entry, distribution)).collect()
}

fn package(entry: &str, distribution: Option<&Distribution>) -> Option<Package> {
    let field =
        |name: &str| entry.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim().to_string();
    let words = |name: &str| field(name).split_whitespace().map(str::to_string).collect::<Vec<_>>();
    let (name, version, architecture, origin) = (field("P"), field("V"), field("A"), field("o"));
    if name.is_empty() || version.is_empty() {
        return None;
    }
    let source = (!origin.is_empty() && origin != name).then(|| Source { name: origin, version: version.clone() });
    let qualifiers: BTreeMap<String, String> = [
        ("arch", architecture.clone()),
        ("distro", distribution.map(Distribution::qualifier).unwrap_or_default()),
        ("upstream", source.as_ref().map(|source| source.name.clone()).unwrap_or_default()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_string(), value))
    .collect();
    let namespace = distribution.map_or("alpine", |distribution| distribution.id.as_str()).to_string();
    let purl = Purl { kind: "apk".into(), namespace, name: name.clone(), version: version.clone(), qualifiers, subpath: String::new() };
    Some(Package {
        purl: Some(purl.to_string()),
        licence: Licence::read(&field("L")),
        supplier: distribution.map(|distribution| Party::Organization(distribution.vendor().to_string())),
        originator: Party::of(&field("m")),
        relations: Relations { depends: words("D"), provides: words("p") },
        name,
        version,
        architecture,
        source,
        ..Package::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_apk_writes_them() {
        let text = "C:Q1x=\nP:musl-utils\nV:1.2.5-r8\nA:x86_64\nL:MIT AND BSD-2-Clause AND GPL-2.0-or-later\no:musl\nm:Ann <a@b.test>\nD:scanelf so:libc.musl-x86_64.so.1\nF:sbin\n";
        let alpine = Distribution { id: "alpine".into(), version: "3.22.1".into(), name: String::new() };
        let found = &packages(text, Some(&alpine))[0];
        assert_eq!(found.purl.as_deref(), Some("pkg:apk/alpine/musl-utils@1.2.5-r8?arch=x86_64&distro=alpine-3.22.1&upstream=musl"));
        assert_eq!(found.licence.as_ref().unwrap().expression(), "MIT AND BSD-2-Clause AND GPL-2.0-or-later");
        assert_eq!(found.relations.depends, ["scanelf", "so:libc.musl-x86_64.so.1"]);
    }
}
