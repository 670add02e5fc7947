//! What another run image changes, for people.

use crate::debian::difference::{Changed, Difference};
use crate::output::human_bytes;
use crate::platform::rebase::Comparison;
use std::collections::{BTreeMap, BTreeSet};

/// One line for each thing.
pub(super) fn lines(comparison: &Comparison) -> Vec<String> {
    let Comparison { release, size, difference, missed, .. } = comparison;
    let mut lines = Vec::new();
    if let (Some(from), Some(to)) = (&release.from, &release.to)
        && from != to
    {
        lines.push(format!("run image of {to}, before of {from}"));
    }
    lines.push(format!("its size is {}, before {}", human_bytes(size.to), human_bytes(size.from)));
    let Some(difference) = difference else {
        lines.push("packages and libraries were not compared: the layers are not here (`--compare` fetches them)".into());
        return lines;
    };
    let sources = by_source(difference);
    if !sources.is_empty() {
        let cves: BTreeSet<&String> = difference.changed.iter().flat_map(|changed| &changed.cves).collect();
        let packages = format!("{} of {}", count(difference.changed.len(), "package"), count(sources.len(), "source"));
        lines.push(format!("{packages} in another version, whose changelogs name {}", count(cves.len(), "CVE number")));
        lines.extend(sources);
    }
    for (what, packages) in [("added", &difference.added), ("removed", &difference.removed)] {
        lines.extend(packages.iter().map(|(name, version)| format!("  {name} {version} is {what}")));
    }
    for (what, roots) in
        [("added", &difference.roots_added), ("removed", &difference.roots_removed)].iter().filter(|(_, roots)| !roots.is_empty())
    {
        let names: Vec<&str> = roots.iter().map(|root| root.rsplit('/').next().unwrap_or(root)).collect();
        lines.push(format!("  {} of trust {what}: {}", count(names.len(), "root"), names.join(", ")));
    }
    let kept = if missed.is_empty() { "the app misses none" } else { "the app would miss some" };
    lines.push(format!("{} compared: {kept}", count(difference.symbols_compared, "symbol")));
    lines
}

/// One line for each source package whose packages change.
fn by_source(difference: &Difference) -> Vec<String> {
    let mut sources: BTreeMap<[&str; 3], Vec<&Changed>> = BTreeMap::new();
    for changed in &difference.changed {
        sources.entry([&changed.source, &changed.from, &changed.to]).or_default().push(changed);
    }
    let line = |([source, from, to], packages): ([&str; 3], Vec<&Changed>)| {
        let names: Vec<&str> = packages.iter().map(|changed| changed.package.as_str()).collect();
        let named = if names == [source] { String::new() } else { format!(" ({})", names.join(", ")) };
        let upstream = if packages.iter().any(|changed| changed.upstream) { ", a new version of its authors'" } else { "" };
        let cves: Vec<&str> =
            packages.iter().flat_map(|changed| &changed.cves).map(String::as_str).collect::<BTreeSet<_>>().into_iter().collect();
        let cves = if cves.is_empty() { String::new() } else { format!(": {}", cves.join(" ")) };
        format!("  {source}{named} {from} -> {to}{upstream}{cves}")
    };
    sources.into_iter().map(line).collect()
}

/// A number of things.
pub(super) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
