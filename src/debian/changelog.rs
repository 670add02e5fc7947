//! Debian changelogs (deb-changelog(5)): which CVE numbers the maintainers name for which version.

use super::fetch::fetch;
use super::inventory::package_of_changelog;
use super::version::compare;
use super::{Cache, Lock, Mirrors, Package, deb};
use crate::archive::decompressed;
use crate::error::{Context, Error, Result};
use crate::output::Output;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};

/// A changelog larger than this is not read to its end; the newest versions come first.
const MOST: u64 = 16 << 20;
const CVE: &str = "CVE-";

/// What a changelog says of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of the source package.
    pub version: String,
    /// The CVE numbers that it names, sorted.
    pub cves: BTreeSet<String>,
}

/// What the changelogs of source packages say, taken from the packages of a lock that are built from them; composed images leave them out.
///
/// # Errors
/// When a package cannot be fetched or read.
pub fn of_sources(
    sources: &BTreeSet<String>,
    lock: &Lock,
    mirrors: &Mirrors,
    cache: &Cache,
    output: &Output,
) -> Result<BTreeMap<String, Vec<Entry>>> {
    let mut found = BTreeMap::new();
    for source in sources {
        let mut packages: Vec<&Package> = lock.packages.iter().filter(|package| package.source == *source).collect();
        packages.sort_by_key(|package| package.size);
        for package in packages {
            fetch(&Lock { packages: vec![package.clone()], ..lock.clone() }, mirrors, cache, output)?;
            let entries = of_package(package, cache).context(|| format!("cannot read the changelog of `{}`", package.name))?;
            // A package may have but a link to the folder of another one.
            if let Some(entries) = entries {
                found.insert(source.clone(), entries);
                break;
            }
        }
    }
    Ok(found)
}

fn of_package(package: &Package, cache: &Cache) -> Result<Option<Vec<Entry>>> {
    let mut found = None;
    let data = |tar: &mut dyn Read| {
        for member in tar::Archive::new(tar).entries().context(|| "its data is damaged")? {
            let member = member.context(|| "its data is damaged")?;
            let path = String::from_utf8_lossy(&member.path_bytes()).into_owned();
            if member.header().entry_type().is_file() && package_of_changelog(path.trim_start_matches("./")).is_some() {
                let mut compressed = Vec::new();
                member.take(MOST).read_to_end(&mut compressed).context(|| "its data is damaged")?;
                found = Some(read(decompressed(compressed.as_slice())?));
                // Nobody needs the rest.
                return Err(Error::new("found"));
            }
        }
        Ok(())
    };
    let read = deb::read(cache.open(package)?, |_| Ok(()), data);
    if found.is_some() { Ok(found) } else { read.map(|()| None) }
}

/// The entries of a changelog that name a CVE number, the newest first. What cannot be read is left out.
pub(super) fn read(changelog: impl Read) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut lines = BufReader::new(changelog.take(MOST));
    let mut line = Vec::new();
    while let Ok(1..) = {
        line.clear();
        lines.read_until(b'\n', &mut line)
    } {
        let text = String::from_utf8_lossy(&line);
        if let Some(version) = heading(&text) {
            entries.push(Entry { version: version.to_string(), cves: BTreeSet::new() });
        } else if let Some(entry) = entries.last_mut() {
            entry.cves.extend(numbers(&text));
        }
    }
    entries.retain(|entry| !entry.cves.is_empty());
    entries
}

/// The CVE numbers named for versions after `old`, up to `new`.
pub(super) fn between(entries: &[Entry], old: &str, new: &str) -> BTreeSet<String> {
    let is_new = |entry: &&Entry| compare(&entry.version, old).is_gt() && compare(&entry.version, new).is_le();
    entries.iter().filter(is_new).flat_map(|entry| entry.cves.iter().cloned()).collect()
}

/// The version of a line as `openssl (3.0.1-2) trixie-security; urgency=high`.
fn heading(line: &str) -> Option<&str> {
    if line.starts_with(char::is_whitespace) || !line.contains(';') {
        return None;
    }
    let (_, rest) = line.split_once(" (")?;
    Some(rest.split_once(')')?.0)
}

fn numbers(line: &str) -> impl Iterator<Item = String> {
    line.match_indices(CVE).filter_map(|(at, _)| {
        let rest = &line[at + CVE.len()..];
        let length = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '-').unwrap_or(rest.len());
        let (year, number) = rest[..length].trim_end_matches('-').split_once('-')?;
        (year.len() == 4 && number.len() >= 4 && !number.contains('-')).then(|| format!("{CVE}{year}-{number}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
tool (2.0-1+deb13u2) trixie-security; urgency=high

  * Fix CVE-2026-1234 and CVE-2026-12345, (CVE-2026-99999).
  * Not one: CVE-2026-, CVE-26-1234, CVE-2026-12.

 -- Somebody <a@example.test>  Mon, 01 Jun 2026 00:00:00 +0000

tool (2.0-1+deb13u1) trixie; urgency=medium

  * Nothing of note; (this) line is none: heading.

tool (2.0-1) unstable; urgency=medium

  * CVE-2025-0001-
";

    #[test]
    fn numbers_are_told_for_the_versions_between_two() {
        let entries = read(TEXT.as_bytes());
        assert_eq!(entries.iter().map(|entry| entry.version.as_str()).collect::<Vec<_>>(), ["2.0-1+deb13u2", "2.0-1"]);
        let told = |old: &str, new: &str| between(&entries, old, new).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(told("2.0-1", "2.0-1+deb13u2"), "CVE-2026-1234 CVE-2026-12345 CVE-2026-99999");
        assert_eq!(told("2.0-1", "2.0-1+deb13u1"), "");
        assert_eq!(told("1.9", "2.0-1"), "CVE-2025-0001");
        assert_eq!(told("2.0-1+deb13u2", "2.0-1+deb13u2"), "");
    }
}
