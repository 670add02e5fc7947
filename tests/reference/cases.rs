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

/// DET-01, DET-02, DET-03, DET-13, DET-40, EXIT-02.
#[test]
fn the_first_group_that_passes_is_taken() {
    compare("groups");
}

/// EXIT-02, EXIT-12, DET-05.
#[test]
fn no_group_passes() {
    compare("no-group");
}

/// DET-15, DET-16, DET-17, DET-18, DET-19, DET-20, DET-21, DET-41, DET-42.
#[test]
fn alternatives_of_plans_are_tried_in_order() {
    compare("or-plans");
}

/// BLD-08, BLD-09, BLD-10, DET-21.
#[test]
fn what_one_buildpack_leaves_another_may_meet() {
    compare("unmet");
}

/// DET-04, DESC-05.
#[test]
fn orders_may_be_in_orders() {
    compare("nested-orders");
}

/// DET-37, DET-38.
#[test]
fn the_systems_buildpacks_frame_each_group() {
    compare("system-buildpacks");
}

/// BLD-11, BLD-13, RES-01, RES-05, CACHE-01, CACHE-06, EXP-06.
#[test]
fn layers_go_where_their_kinds_say() {
    compare("layer-kinds");
}

/// EXP-06, EXP-07, EXP-11, RES-01, RES-09, SBOM-14.
#[test]
fn a_second_build_reuses_layers() {
    compare("rebuild");
}

/// ENV-01, ENV-04, ENV-05, ENV-06, ENV-07, ENV-10, BLD-03, BLD-04.
#[test]
fn buildpacks_see_their_environment() {
    compare("environment-build");
}

/// ENV-21, ENV-22, ENV-25, LCH-12.
#[test]
fn processes_see_their_environment() {
    compare("environment-launch");
}
