//! What one build leaves for the next, and rebases.

use super::compare;

/// BLD-08, BLD-09, BLD-10, DET-21.
#[test]
fn what_one_buildpack_leaves_another_may_meet() {
    compare("unmet");
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

/// EXP-10, EXP-24, EXP-40, BLD-27, RES-01.
#[test]
fn labels_stores_and_the_projects_source_are_kept() {
    compare("labels-and-store");
}

/// ANA-02, ANA-04, RES-04, EXP-07.
#[test]
fn another_image_may_be_the_previous_one() {
    compare("previous-image");
}

/// CACHE-01, CACHE-04, CACHE-06, CACHE-07, RES-05, RES-06, CACHE-02.
#[test]
fn caches_come_and_go() {
    compare("cache-changes");
}

/// REB-01, REB-02, REB-12, REB-13, REB-20, REB-23, IN-24.
#[test]
fn an_app_in_a_registry_is_rebased() {
    compare("rebase-registry");
}
