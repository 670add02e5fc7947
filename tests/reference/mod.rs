//! The reference lifecycle and ours do the same: each case of `fixtures/golden/cases` is run with our programs, and what they printed and
//! wrote is compared with the record beside it of what the reference printed and wrote.
//!
//! Where `PEER_LIFECYCLE` names a folder with the reference's programs `lifecycle` and `launcher`, these are run too and compared with
//! the record; `COOPER_RECORD=1` writes the records anew from them.

mod case;
mod cases;
mod compare;
mod extended;
mod image;
mod lines;
mod observe;
pub mod programs;
mod record;
mod registry;

use crate::support::repository;
use case::{Case, FOLDER, REGISTRY, source};
use programs::Programs;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Paths are part of layers, so each case has a fixed folder.
fn base() -> PathBuf {
    PathBuf::from("/tmp/cooper-cases")
}

/// The names of all cases.
fn names() -> Vec<String> {
    let folder = repository("fixtures/golden/cases");
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs a case and compares.
fn compare(name: &str) {
    assert!(rustix::process::geteuid().is_root(), "files of a case belong to its user, so these tests start as root");
    let programs = Programs::ours();
    let folder = base().join(name);
    // Another run of the tests may be at the same case.
    let lock = File::create(base().join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    // What stands for folder and registry in records stands for them in our answers too.
    let case = Case::read(name, Path::new(FOLDER), REGISTRY);
    let path = source(name).join("record.json");
    if let Some(peer) = Programs::of_the_peer() {
        let live = record::record(name, peer, &folder);
        if std::env::var_os("COOPER_RECORD").is_some() {
            fs::write(&path, serde_json::to_string_pretty(&live).unwrap() + "\n").unwrap();
        }
        check(name, "the reference against its record", &live, &read(&path), &[]);
    }
    let ours = record::record(name, programs, &folder);
    check(name, "ours against the reference's record", &ours, &read(&path), &case.differs);
    fs::remove_dir_all(&folder).unwrap();
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

fn check(name: &str, what: &str, ours: &Value, theirs: &Value, known: &[case::Difference]) {
    let found = compare::differences(ours, theirs, known);
    assert!(found.is_empty(), "{name}: {what}:\n{}", found.join("\n"));
}
