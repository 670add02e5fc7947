//! What cannot be, and how that is said.

use super::compare;

/// EXIT-02, EXIT-12, DET-05.
#[test]
fn no_group_passes() {
    compare("no-group");
}

/// SBOM-02, SBOM-05, EXIT-05.
#[test]
fn wrong_sbom_files_end_the_build() {
    compare("sbom-wrong");
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

/// ANA-07, DET-44, RES-21, RES-22, VER-16, VER-18, API-09.
#[test]
fn what_lies_between_the_phases_may_be_odd() {
    compare("odd-inputs");
}

/// EXIT-04.
#[test]
fn a_restorer_that_cannot_write_says_so() {
    compare("refused-restores");
}
