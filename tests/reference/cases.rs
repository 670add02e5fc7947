//! The cases, one test each, so that they run at once and can be named one by one. Each says which rows of the checklist it is about.

use super::{compare, names};
use std::fs;

/// No record is forgotten.
#[test]
fn every_case_has_its_test() {
    let text = fs::read_to_string(crate::support::repository("tests/reference/cases.rs")).unwrap();
    let without: Vec<String> = names().into_iter().filter(|name| !text.contains(&format!("compare(\"{name}\");"))).collect();
    assert!(without.is_empty(), "{without:?}");
}

/// EXP-01, EXP-02, EXP-05, EXP-19, EXP-20, LCH-07, TAR-01, TAR-03, TAR-07, TAR-11, TAR-14, BLD-24, FMT-09.
#[test]
fn one_buildpack_builds_an_image_that_starts() {
    compare("simple");
}
