//! The cases, one test each, so that they run at once and can be named one by one. Each says which rows of the checklist it is about.

mod building;
mod extensions;
mod interfaces;
mod launch;
mod rebuilds;
mod refusals;

use super::{compare, names};
use crate::support::repository;
use std::fs;

/// No record is forgotten.
#[test]
fn every_case_has_its_test() {
    let files = fs::read_dir(repository("tests/reference/cases")).unwrap();
    let text: String = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let without: Vec<String> = names().into_iter().filter(|name| !text.contains(&format!("compare(\"{name}\");"))).collect();
    assert!(without.is_empty(), "{without:?}");
}
