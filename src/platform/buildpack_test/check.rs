//! Compares what was made with what is expected.

use super::case::Expect;
use super::made::Made;
use crate::error::{Advice, Context, Result};
use regex_automata::meta::Regex;
use std::collections::BTreeMap;
use toml::Value;

/// What is not as expected.
pub fn compare(expect: &Expect, made: &Made) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(group) = &expect.group {
        let is = |(wanted, name): (&String, &String)| name == wanted || name.split_once('@').is_some_and(|(id, _)| id == wanted);
        if group.len() != made.group.len() || !group.iter().zip(&made.group).all(is) {
            found.push(format!("the group is {}, not {}", made.group.join(", "), group.join(", ")));
        }
    }
    for (what, wanted, all) in [
        ("plan", &expect.plan, &made.plan),
        ("layers", &expect.layers, &made.layers),
        ("processes", &expect.processes, &made.processes),
        ("labels", &expect.labels, &made.labels),
        ("sbom", &expect.sbom, &made.sbom),
    ] {
        for table in wanted.iter().filter(|table| !all.iter().any(|made| covers(made, table))) {
            let nearest = all.iter().max_by_key(|made| table.iter().filter(|(key, value)| made.get(*key) == Some(value)).count());
            let nearest = nearest.map_or_else(|| "there is none".into(), |nearest| format!("the nearest is {}", shown(nearest)));
            found.push(format!("{what}: none has {}; {nearest}", shown(table)));
        }
    }
    for (kind, patterns) in &expect.dockerfiles {
        let text = made.dockerfiles.get(kind).map_or("", String::as_str);
        for pattern in patterns.iter().filter(|pattern| !matches(pattern, text).unwrap_or(false)) {
            found.push(format!("no line of {kind}.Dockerfile matches `{pattern}`"));
        }
    }
    found
}

/// Whether a table has all that another one has; tables in it likewise.
fn covers(made: &toml::Table, wanted: &toml::Table) -> bool {
    wanted.iter().all(|(key, value)| match (made.get(key), value) {
        (Some(Value::Table(made)), Value::Table(wanted)) => covers(made, wanted),
        (Some(made), wanted) => made == wanted,
        (None, _) => false,
    })
}

fn shown(table: &toml::Table) -> String {
    Value::Table(table.clone()).to_string()
}

/// A regular expression for one line.
///
/// # Errors
/// When it is none.
pub fn pattern(text: &str) -> Result<Regex> {
    Regex::new(text)
        .context(|| format!("`{text}` is no regular expression"))
        .hint("`.*+?()[]{}|^$\\` have a meaning: write `\\.` for a dot")
}

/// Whether a line of a text matches.
///
/// # Errors
/// When that is no regular expression.
pub fn matches(wanted: &str, text: &str) -> Result<bool> {
    let pattern = pattern(wanted)?;
    Ok(text.lines().any(|line| pattern.is_match(line)))
}

/// Where two documents differ, by the places in them.
///
/// # Errors
/// When one is no TOML.
pub fn differences(before: &str, now: &str) -> Result<Vec<String>> {
    let flat = |text: &str| -> Result<BTreeMap<String, String>> {
        let table: toml::Table = toml::from_str(text).context(|| "it is no TOML")?;
        let mut found = BTreeMap::new();
        flatten("", &Value::Table(table), &mut found);
        Ok(found)
    };
    let (before, now) = (flat(before)?, flat(now)?);
    let gone = before.iter().filter(|(place, _)| !now.contains_key(*place)).map(|(place, value)| format!("{place} is gone: {value}"));
    let changed = now.iter().filter_map(|(place, value)| match before.get(place) {
        Some(old) if old == value => None,
        Some(old) => Some(format!("{place} is {value}, it was {old}")),
        None => Some(format!("{place} is new: {value}")),
    });
    Ok(gone.chain(changed).collect())
}

/// Every value by its place. What has a name stands under that, so that one more does not move all others.
fn flatten(place: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let below = |name: &str| if place.is_empty() { name.to_string() } else { format!("{place}.{name}") };
    match value {
        Value::Table(table) => table.iter().for_each(|(key, value)| flatten(&below(key), value, found)),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let named = ["type", "name", "key"].iter().find_map(|key| item.get(key)?.as_str());
                let name = match (named, item.as_str()) {
                    (Some(name), _) => name.to_string(),
                    (None, Some(_)) if place.ends_with(".files") => String::new(),
                    (None, _) => at.to_string(),
                };
                match (item, name.is_empty()) {
                    (Value::String(line), true) => drop(found.insert(format!("{place} {line}"), "there".into())),
                    (item, _) => flatten(&below(&name), item, found),
                }
            }
        }
        other => drop(found.insert(place.to_string(), other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_is_met_by_what_has_at_least_that() {
        let table = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
        let made = table("name = 'a'\nlaunch = true\nmetadata = { v = '1', w = '2' }");
        assert!(covers(&made, &table("name = 'a'\nmetadata = { v = '1' }")));
        assert!(!covers(&made, &table("name = 'a'\nmetadata = { v = '2' }")) && !covers(&made, &table("cache = true")));
    }

    #[test]
    fn differences_are_told_by_place() {
        let before = "group = ['a@1']\n[[layers]]\nname = 'x'\nlaunch = true\nfiles = ['755 bin/a']\n[[layers]]\nname = 'y'\n";
        let now = "group = ['a@2']\n[[layers]]\nname = 'x'\nlaunch = true\nfiles = ['755 bin/a', '644 b']\n";
        let expected = ["layers.y.name is gone: \"y\"", "group.0 is \"a@2\", it was \"a@1\"", "layers.x.files 644 b is new: there"];
        assert_eq!(differences(before, now).unwrap(), expected);
        assert!(differences(now, now).unwrap().is_empty() && differences("[", now).is_err());
    }
}
