//! Which part of the source may use which: dependencies point one way, as docs/architecture.md draws them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each part of `src` may use besides `error` and `output`, which everyone may.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["cli", "lifecycle", "sandbox"]),
    ("fuzzed", &[]),
    ("cli", &["platform", "attestation", "image", "store", "registry", "daemon", "sandbox", "debian"]),
    (
        "platform",
        &["attestation", "lifecycle", "buildpack", "sandbox", "debian", "registry", "daemon", "store", "image", "archive", "http"],
    ),
    ("lifecycle", &["buildpack", "registry", "daemon", "store", "image", "archive"]),
    ("attestation", &["image"]),
    ("buildpack", &[]),
    ("store", &["image", "archive"]),
    ("registry", &["store", "image", "http"]),
    ("daemon", &["store", "image", "archive", "http"]),
    ("debian", &["image", "archive", "http"]),
    ("archive", &["image"]),
    ("sandbox", &[]),
    ("image", &[]),
    ("http", &[]),
    ("output", &["error"]),
    ("error", &[]),
];

#[test]
fn dependencies_point_one_way() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = MAY_USE.iter().map(|(part, uses)| (*part, uses.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for file in sources() {
        let part = part_of(&file);
        let Some(uses) = allowed.get(part.as_str()) else {
            wrong.push(format!("`{part}` is no part of the design ({})", file.display()));
            continue;
        };
        for used in used_parts(&fs::read_to_string(&file).unwrap()) {
            let everyones = (used == "error" || used == "output") && part != "error";
            if used != part && !everyones && !uses.contains(used.as_str()) {
                wrong.push(format!("`{part}` must not use `{used}` ({})", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_output_prints_and_only_entry_points_exit() {
    let mut wrong = Vec::new();
    for file in sources() {
        let part = part_of(&file);
        let text = without_tests(&fs::read_to_string(&file).unwrap());
        let may_print = ["main", "output"].contains(&part.as_str());
        for word in ["println!(", "eprintln!(", "print!(", "eprint!("] {
            if !may_print && text.lines().any(|line| line.trim_start().starts_with(word)) {
                wrong.push(format!("{} prints with {word}…)", file.display()));
            }
        }
        if part != "main" && part != "sandbox" && text.contains("process::exit(") {
            wrong.push(format!("{} exits", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stays_in_the_system_calls() {
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|file| !file.ends_with("sandbox/syscall.rs") && !file.ends_with("platform/memory.rs"))
        .filter(|file| fs::read_to_string(file).unwrap().lines().any(|line| line.contains("unsafe {") || line.contains("unsafe fn")))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn no_file_is_too_long_to_read() {
    let wrong: Vec<_> = sources()
        .into_iter()
        .map(|file| (fs::read_to_string(&file).unwrap().lines().count(), file))
        .filter(|(lines, _)| *lines > 500)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![source_root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // Tests of several files may use what they test against.
            if path.file_name().is_some_and(|name| name == "tests" || name == "tests.rs") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() > 20, "the sources were not found");
    found
}

fn part_of(file: &Path) -> String {
    let relative = file.strip_prefix(source_root()).unwrap();
    let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_string()
}

/// The names that follow `crate::` in code.
fn used_parts(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for rest in line.split("crate::").skip(1) {
            let names = rest.strip_prefix('{').map_or(rest, |group| group);
            let name: String = names.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
            if !name.is_empty() {
                found.insert(name);
            }
        }
    }
    found
}

fn without_tests(text: &str) -> String {
    text.split("#[cfg(test)]").next().unwrap_or_default().to_string()
}
