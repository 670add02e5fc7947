//! How images start.

use super::compare;

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

/// EXP-15, EXP-16, TAR-13, IN-39, IN-28.
#[test]
fn the_platform_may_choose_the_default_process() {
    compare("process-type");
}
