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

/// EXP-01, EXP-02, EXP-05, EXP-19, EXP-20, LCH-07, TAR-01, TAR-03, TAR-07, TAR-11, TAR-14, BLD-24, FMT-09, ANA-01, EXP-25.
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

/// BLD-16, BLD-17, LCH-17, LCH-18, LCH-24, LCH-25.
#[test]
fn old_processes_start_through_a_shell() {
    compare("processes-old");
}

/// BLD-20, BLD-22, LCH-07, LCH-08, LCH-10, FMT-08.
#[test]
fn later_buildpacks_redefine_processes() {
    compare("processes-new");
}

/// LCH-02, LCH-03, LCH-05, EXIT-08, API-06.
#[test]
fn the_launcher_starts_what_a_person_asks_for() {
    compare("launcher-commands");
}

/// LCH-12, LCH-13, LCH-14, LCH-16.
#[test]
fn programs_in_exec_d_say_variables() {
    compare("exec-d");
}

/// SLC-01, SLC-02, SLC-04, SLC-05, SLC-06, SLC-08, SLC-09.
#[test]
fn slices_divide_the_app() {
    compare("slices");
}

/// TAR-02, TAR-04, TAR-05, TAR-06, TAR-07.
#[test]
fn layers_keep_what_files_are() {
    compare("app-files");
}

/// SBOM-01, SBOM-04, SBOM-11, SBOM-12, SBOM-13, SBOM-14, RES-09, RES-10, TAR-10.
#[test]
fn sbom_files_go_where_their_layers_go() {
    compare("sbom");
}

/// SBOM-09, SBOM-10.
#[test]
fn the_launchers_sbom_files_are_taken_along() {
    compare("sbom-of-launcher");
}

/// SBOM-02, SBOM-05, EXIT-05.
#[test]
fn wrong_sbom_files_end_the_build() {
    compare("sbom-wrong");
}

/// EXP-10, EXP-24, EXP-40, BLD-27, RES-01.
#[test]
fn labels_stores_and_the_projects_source_are_kept() {
    compare("labels-and-store");
}

/// DET-35, DET-36, BLD-25, EXP-26, LCH-09.
#[test]
fn members_for_another_execution_environment_stay_away() {
    compare("execution-environment");
}

/// DET-31, DET-32, DET-33, ANA-10, ANA-11, ANA-12.
#[test]
fn buildpacks_for_other_machines_do_not_pass() {
    compare("targets");
}

/// CRE-01, CRE-02, CRE-03, EXIT-14, EXIT-19, CRE-05, EXIT-11.
#[test]
fn the_creator_does_all_phases() {
    compare("creator");
}

/// ANA-02, ANA-04, RES-04, EXP-07.
#[test]
fn another_image_may_be_the_previous_one() {
    compare("previous-image");
}

/// EXP-15, EXP-16, TAR-13, IN-39, IN-28.
#[test]
fn the_platform_may_choose_the_default_process() {
    compare("process-type");
}

/// BLD-28, BLD-29, EXP-35, VER-02, VER-03, FMT-06.
#[test]
fn old_bills_of_materials_are_kept() {
    compare("legacy-bom");
}

/// API-07, ENV-07, LCH-10, DESC-10, API-04, VER-10 to VER-15.
#[test]
fn each_buildpack_api_is_spoken() {
    compare("buildpack-apis");
}

/// API-03, API-05, VER-01.
#[test]
fn platform_api_0_7_is_spoken() {
    compare("platform-0.7");
}

/// API-03, API-05, VER-02.
#[test]
fn platform_api_0_8_is_spoken() {
    compare("platform-0.8");
}

/// API-03, API-05, VER-03.
#[test]
fn platform_api_0_9_is_spoken() {
    compare("platform-0.9");
}

/// API-03, API-05, VER-04.
#[test]
fn platform_api_0_10_is_spoken() {
    compare("platform-0.10");
}

/// API-03, API-05, VER-05, EXP-44.
#[test]
fn platform_api_0_11_is_spoken() {
    compare("platform-0.11");
}

/// API-03, API-05, VER-06.
#[test]
fn platform_api_0_12_is_spoken() {
    compare("platform-0.12");
}

/// API-03, API-05, VER-07.
#[test]
fn platform_api_0_13_is_spoken() {
    compare("platform-0.13");
}

/// API-03, API-05, VER-08.
#[test]
fn platform_api_0_14_is_spoken() {
    compare("platform-0.14");
}

/// API-05, API-06, API-07, EXIT-01, API-03.
#[test]
fn unknown_apis_are_refused() {
    compare("refused-apis");
}

/// API-11, API-12, API-14, API-16, API-18, API-23, EXIT-01, EXIT-16, IN-25, API-24, EXIT-09.
#[test]
fn arguments_that_make_no_sense_are_refused() {
    compare("refused-arguments");
}

/// BLD-12, BLD-16, BLD-18, EXIT-05.
#[test]
fn builds_that_go_wrong_end_with_51_or_52() {
    compare("refused-builds");
}

/// EXIT-06, EXP-07.
#[test]
fn exports_that_cannot_be_end_with_62() {
    compare("refused-exports");
}

/// CACHE-01, CACHE-04, CACHE-06, CACHE-07, RES-05, RES-06, CACHE-02.
#[test]
fn caches_come_and_go() {
    compare("cache-changes");
}

/// GEN-01, GEN-02, GEN-05, GEN-14, GEN-15, GEN-16, DET-02, API-13.
#[test]
fn extensions_on_platform_api_0_12() {
    compare("extensions-0.12");
}

/// GEN-01, GEN-06, GEN-07, GEN-15, API-13, VER-19.
#[test]
fn extensions_on_platform_api_0_13() {
    compare("extensions-0.13");
}

/// GEN-01, GEN-06, GEN-15.
#[test]
fn extensions_on_platform_api_0_15() {
    compare("extensions-0.15");
}

/// GEN-08, DET-22.
#[test]
fn extensions_may_be_ready_made() {
    compare("extensions-ready-made");
}

/// GEN-09, GEN-10, GEN-12.
#[test]
fn extensions_must_not_do_everything() {
    compare("extensions-refused");
}

/// IMG-29, IMG-31, IMG-32, IMG-33, EXP-28, EXP-29, FMT-15, ANA-15, IMG-34, IMG-35.
#[test]
fn a_builder_offers_run_images() {
    compare("run-images");
}

/// API-15, API-16, API-18, IN-36.
#[test]
fn the_lifecycle_takes_verbs_and_log_levels() {
    compare("verbs");
}

/// ANA-07, DET-44, RES-21, RES-22, VER-16, VER-18, API-09.
#[test]
fn what_lies_between_the_phases_may_be_odd() {
    compare("odd-inputs");
}

/// RES-23, FMT-10.
#[test]
fn another_execution_environment_restores_the_same() {
    compare("exec-env-changes");
}

/// CRE-09.
#[test]
fn a_creator_may_stay_root() {
    compare("creator-as-root");
}

/// IN-21.
#[test]
fn flags_say_where_layouts_are() {
    compare("layouts-by-flag");
}

/// EXIT-04.
#[test]
fn a_restorer_that_cannot_write_says_so() {
    compare("refused-restores");
}
