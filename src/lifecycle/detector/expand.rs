//! Orders written out: composite buildpacks replaced by what they stand for, extensions in front (DET-02 to DET-06, API-08).

use crate::buildpack::{Descriptor, Group, Kind, Modules, Order, OrderEntry};
use crate::error::{Error, Result};

/// More groups than this are no order but a mistake or an attack.
const MOST_GROUPS: usize = 100_000;

/// One place of a group, written out.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub descriptor: Descriptor,
    pub optional: bool,
}

/// All groups to try, in order.
///
/// # Errors
/// When a buildpack is missing, speaks an unknown API, or stands for itself.
pub(super) fn groups(order: &Order, modules: &Modules, exec_env: &str) -> Result<Vec<Vec<Entry>>> {
    let find =
        |group: &Group, kind| group.group.iter().map(|entry| modules.find(kind, &entry.id, &entry.version)).collect::<Result<Vec<_>>>();
    for (groups, kind) in [(&order.order, Kind::Buildpack), (&order.extensions, Kind::Extension)] {
        groups.iter().try_for_each(|group| find(group, kind).map(drop))?;
    }
    let mut extensions: Vec<Vec<Entry>> = Vec::new();
    for group in &order.extensions {
        extensions.push(find(group, Kind::Extension)?.into_iter().map(|descriptor| Entry { descriptor, optional: true }).collect());
    }
    let expander = Expander { modules, exec_env };
    let mut all = Vec::new();
    for group in &order.order {
        for buildpacks in expander.expand(&group.group, &mut Vec::new())? {
            for extensions in extensions.iter().map(Vec::as_slice).chain([&[][..]]) {
                all.push(without_repeats(extensions.iter().chain(&buildpacks).cloned(), exec_env));
                if all.len() > MOST_GROUPS {
                    return Err(Error::new(format!("the order stands for more than {MOST_GROUPS} groups")));
                }
            }
        }
    }
    Ok(all.into_iter().filter(|group| !group.is_empty()).collect())
}

struct Expander<'a> {
    modules: &'a Modules,
    exec_env: &'a str,
}

impl Expander<'_> {
    /// Every way to write the entries out, depth first, from left to right. `path` holds the composites that are being written out.
    fn expand(&self, entries: &[OrderEntry], path: &mut Vec<String>) -> Result<Vec<Vec<Entry>>> {
        let Some((first, rest)) = entries.split_first() else { return Ok(vec![Vec::new()]) };
        let rest = self.expand(rest, path)?;
        if !(first.exec_env.is_empty() || first.exec_env.iter().any(|env| env == "*" || env == self.exec_env)) {
            return Ok(rest);
        }
        let descriptor = self.modules.find(Kind::Buildpack, &first.id, &first.version)?;
        let mut firsts = Vec::new();
        if descriptor.order.is_empty() {
            firsts.push(vec![Entry { descriptor, optional: first.optional }]);
        } else {
            let name = descriptor.full_name();
            if path.contains(&name) {
                return Err(Error::new(format!("the order goes in a circle: {} -> {name}", path.join(" -> "))));
            }
            path.push(name);
            for group in &descriptor.order {
                firsts.extend(self.expand(&group.group, path)?);
            }
            path.pop();
            if first.optional {
                firsts.push(Vec::new());
            }
        }
        if firsts.len().saturating_mul(rest.len()) > MOST_GROUPS {
            return Err(Error::new(format!("the order stands for more than {MOST_GROUPS} groups")));
        }
        Ok(firsts.iter().flat_map(|first| rest.iter().map(move |rest| first.iter().chain(rest).cloned().collect())).collect())
    }
}

/// The first of several with one ID counts (DET-05); those for other execution environments do not (DET-35).
fn without_repeats(entries: impl Iterator<Item = Entry>, exec_env: &str) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries.filter(|entry| entry.descriptor.is_for(exec_env)) {
        let same = |other: &Entry| other.descriptor.kind == entry.descriptor.kind && other.descriptor.id == entry.descriptor.id;
        if !kept.iter().any(same) {
            kept.push(entry);
        }
    }
    kept
}
