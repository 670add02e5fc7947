//! Platform APIs, Buildpack APIs, ways to start the phases.

use super::compare;

/// DET-35, DET-36, BLD-25, EXP-26, LCH-09.
#[test]
fn members_for_another_execution_environment_stay_away() {
    compare("execution-environment");
}

/// CRE-01, CRE-02, CRE-03, EXIT-14, EXIT-19, CRE-05, EXIT-11.
#[test]
fn the_creator_does_all_phases() {
    compare("creator");
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

/// API-15, API-16, API-18, IN-36.
#[test]
fn the_lifecycle_takes_verbs_and_log_levels() {
    compare("verbs");
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
