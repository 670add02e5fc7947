//! Which test shows which requirement of the Cloud Native Buildpacks specifications: `docs/conformance.md` is made of what tests say of
//! themselves (`/// EXP-31, EXP-33.`), and a row needs a test or a written reason.

use crate::support::repository;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;

const HEAD: &str = "# Conformance\n\nEach requirement of the platform, buildpack and image extension specifications, of what the reference does beyond them, and of the\n\
    OCI Distribution Specification for clients (DIST), with the tests that show it, or the reason why none does. This page is generated: `COOPER_WRITE_DOCS=1 cargo test --locked --test main \
    conformance` writes it anew from\n`conformance-rows.tsv`, `conformance-reasons.tsv` and the comments of the tests.\n";

/// Requirement rows and, for those without a test, why.
struct Rows {
    /// ID and text, in the order of the file.
    all: Vec<(String, String)>,
    reasons: BTreeMap<String, String>,
}

impl Rows {
    fn read() -> Self {
        let pairs = |name: &str| -> Vec<(String, String)> {
            let text = fs::read_to_string(repository("docs").join(name)).unwrap();
            text.lines().map(|line| line.split_once('\t').unwrap()).map(|(id, text)| (id.into(), text.into())).collect()
        };
        let reasons = pairs("conformance-reasons.tsv");
        let count = reasons.len();
        let rows = Self { all: pairs("conformance-rows.tsv"), reasons: reasons.into_iter().collect() };
        assert_eq!(rows.reasons.len(), count, "a row has two reasons");
        rows
    }
}

#[test]
fn every_row_has_a_test_or_a_reason() {
    let (rows, tests) = (Rows::read(), tests_by_row());
    let known: BTreeSet<&str> = rows.all.iter().map(|(id, _)| id.as_str()).collect();
    let areas: BTreeSet<&str> = known.iter().filter_map(|id| id.split_once('-')).map(|(area, _)| area).collect();
    let of_areas = |id: &&String| areas.contains(id.split_once('-').map_or("", |(area, _)| area));
    let mut wrong: Vec<String> = Vec::new();
    for id in tests.keys().filter(of_areas).chain(rows.reasons.keys()).filter(|id| !known.contains(id.as_str())) {
        wrong.push(format!("{id} is no row, but is named by {:?}", tests.get(id)));
    }
    for (id, _) in &rows.all {
        match (tests.get(id), rows.reasons.get(id)) {
            (None, None) => wrong.push(format!("{id} has neither a test nor a reason")),
            (Some(tests), Some(_)) => wrong.push(format!("{id} has a reason for having no test, but {tests:?}")),
            (Some(_), None) | (None, Some(_)) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_says_what_the_tests_say() {
    let (rows, tests) = (Rows::read(), tests_by_row());
    let mut page = HEAD.to_string();
    let mut area = "";
    for (id, text) in &rows.all {
        let (of, _) = id.split_once('-').unwrap();
        if of != area {
            area = of;
            write!(page, "\n## {area}\n\n| row | requirement | shown by |\n|---|---|---|\n").unwrap();
        }
        let shown = match (tests.get(id), rows.reasons.get(id)) {
            (Some(tests), _) => tests.iter().map(|test| format!("`{test}`")).collect::<Vec<_>>().join(", "),
            (None, reason) => format!("none: {}", reason.map_or("", String::as_str)),
        };
        writeln!(page, "| {id} | {text} | {shown} |").unwrap();
    }
    let path = repository("docs/conformance.md");
    if std::env::var_os("COOPER_WRITE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/conformance.md is out of date: write it anew with COOPER_WRITE_DOCS=1");
}

/// The names of the tests that name each row.
fn tests_by_row() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for folder in ["src", "tests", "launcher", "buildpacks"] {
        for entry in walkdir::WalkDir::new(repository(folder)).sort_by_file_name() {
            let path = entry.unwrap().into_path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                add_tests(&path, &mut found);
            }
        }
    }
    assert!(found.len() > 300, "the tests were not found");
    found
}

fn add_tests(path: &Path, found: &mut BTreeMap<String, BTreeSet<String>>) {
    let (mut comment, mut is_test) = (String::new(), false);
    for line in fs::read_to_string(path).unwrap().lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            comment.push_str(text);
        } else if line.starts_with("#[") {
            is_test |= line == "#[test]";
        } else {
            if let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()).filter(|_| is_test) {
                for row in rows_in(&comment) {
                    found.entry(row).or_default().insert(name.to_string());
                }
            }
            (comment, is_test) = (String::new(), false);
        }
    }
}

/// The rows that a comment names: `EXP-31, EXP-33` or `API-18 to API-20`.
fn rows_in(comment: &str) -> Vec<String> {
    let words: Vec<&str> = comment.split([' ', ',', '.', ';', ':', '(', ')']).filter(|word| !word.is_empty()).collect();
    let row = |word: &str| -> Option<(String, u32)> {
        let (area, number) = word.split_once('-')?;
        let is_row = !area.is_empty() && area.bytes().all(|byte| byte.is_ascii_uppercase()) && number.len() == 2;
        Some((area.to_string(), number.parse().ok()?)).filter(|_| is_row)
    };
    let mut rows = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some((area, first)) = row(word) else { continue };
        let last = words.get(at + 1).filter(|next| **next == "to").and_then(|_| row(words.get(at + 2)?));
        let last = last.filter(|(other, _)| *other == area).map_or(first, |(_, last)| last);
        rows.extend((first..=last).map(|number| format!("{area}-{number:02}")));
    }
    rows
}
