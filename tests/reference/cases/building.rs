//! Orders, plans, environments, layers and images.

use super::compare;

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

/// DET-15, DET-16, DET-17, DET-18, DET-19, DET-20, DET-21, DET-41, DET-42.
#[test]
fn alternatives_of_plans_are_tried_in_order() {
    compare("or-plans");
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

/// ENV-01, ENV-04, ENV-05, ENV-06, ENV-07, ENV-10, BLD-03, BLD-04.
#[test]
fn buildpacks_see_their_environment() {
    compare("environment-build");
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

/// DET-31, DET-32, DET-33, ANA-10, ANA-11, ANA-12.
#[test]
fn buildpacks_for_other_machines_do_not_pass() {
    compare("targets");
}
