//! Image extensions and run images.

use super::compare;

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

/// GEN-06, RES-18, EXP-02, IMG-32.
#[test]
fn an_extension_switches_the_run_image() {
    compare("run-image-switch");
}

/// EXP-02, EXP-03, EXP-04, EXP-43.
#[test]
fn the_app_is_on_the_extended_run_image() {
    compare("extended-run-image");
}

/// IMG-23: image extensions work with layouts too.
#[test]
fn the_app_is_on_the_extended_run_image_in_layouts_too() {
    compare("extended-in-layout");
}
