//! What registries refuse, and what a build then says.

use super::bench::{Bench, blob_path, manifest, push_run_image, with_registry};
use crate::support::Registry;
use std::fs;

/// EXIT-03, IMG-05, IMG-06, IMG-07.
#[test]
fn an_analyzer_says_what_it_may_not_read_or_write() {
    let (open, closed) = (Registry::start(), Registry::start_with_password());
    push_run_image(&open, "acme/run:1", "one", "oci");
    let bench = Bench::new(&[&open.name("acme/run:1")]);
    let refused = |arguments: &[&str], message: String| {
        let ran = bench.phase("analyzer", arguments);
        assert!(ran.code == 32 && ran.said.contains(&message) && ran.said.contains("401"), "{} {}", ran.code, ran.said);
    };
    let app = closed.name("team/app:1");
    refused(&[&app], format!("validating registry read access: failed to ensure registry read access to {app}"));
    let run = closed.name("acme/run:1");
    refused(&["-run-image", &run, &open.name("team/app:1")], format!("failed to ensure registry read access to {run}"));
    let cache = closed.name("team/cache:1");
    refused(
        &["-cache-image", &cache, &open.name("team/app:1")],
        format!("validating registry write access: failed to ensure registry read/write access to {cache}"),
    );
    let read_only = Registry::start_read_only();
    let app = read_only.name("team/app:1");
    let ran = bench.phase("analyzer", &[&app]);
    let message = format!("validating registry write access: failed to ensure registry read/write access to {app}");
    assert!(ran.code == 32 && ran.said.contains(&message) && ran.said.contains("405"), "{} {}", ran.code, ran.said);
    bench.phase("analyzer", &[&open.name("team/app:1")]).well();
}

/// IMG-14.
#[test]
fn plain_http_is_spoken_elsewhere_only_where_that_was_said() {
    let registry = Registry::start();
    push_run_image(&registry, "acme/run:1", "one", "oci");
    // The same registry under an address that is not known to be this machine's own.
    let elsewhere = registry.host().replace("127.0.0.1", "[::ffff:127.0.0.1]");
    let (run, app) = (format!("{elsewhere}/acme/run:1"), format!("{elsewhere}/team/app:1"));
    let mut bench = Bench::new(&[&run]);
    let arguments = ["-run-image", &run, &app];
    for prefix in ["r.test", "127.0.0.1", &format!("{elsewhere}/acme/run")] {
        let ran = bench.phase("analyzer", &[&["-insecure-registry", prefix][..], &arguments].concat());
        assert!(ran.code == 32 && ran.said.contains("failed to ensure registry read access"), "{prefix}: {} {}", ran.code, ran.said);
    }
    bench.phase("analyzer", &[&["-insecure-registry", "r.test", "-insecure-registry", &elsewhere][..], &arguments].concat()).well();
    bench.set("CNB_INSECURE_REGISTRIES", format!("r.test,{elsewhere}"));
    bench.phase("analyzer", &arguments).well();
}

/// IMG-02, IMG-03.
#[test]
fn names_must_be_names_and_in_one_registry() {
    let bench = Bench::new(&["127.0.0.1:1/run"]);
    for flag in ["-previous-image", "-run-image", "-cache-image"] {
        let ran = bench.phase("analyzer", &[flag, "Not A Name", "127.0.0.1:1/app"]);
        assert!(ran.code == 3 && ran.said.contains("`Not A Name`"), "{flag}: {} {}", ran.code, ran.said);
    }
    let ran = bench.phase("analyzer", &["-tag", "127.0.0.1:2/app", "127.0.0.1:1/app"]);
    assert!(ran.code == 3 && ran.said.contains("writing to multiple registries is unsupported"), "{} {}", ran.code, ran.said);
}

/// IMG-29, IMG-30, RES-19, RES-20.
#[test]
fn a_run_image_is_taken_from_the_first_place_that_has_it() {
    let (registry, closed) = (Registry::start(), Registry::start_with_password());
    push_run_image(&registry, "acme/run:1", "one", "oci");
    let names = [closed.name("acme/run:1"), registry.name("acme/run:1"), "127.0.0.1:1/run".into()];
    let bench = Bench::new(&names.each_ref().map(String::as_str));
    bench.phase("analyzer", &[&registry.name("team/app:1")]).well();
    assert_eq!(bench.toml("layers/analyzed.toml")["run-image"]["image"].as_str(), Some(names[1].as_str()));
    bench.phase("detector", &[]).well();
    bench.phase("restorer", &[]).well();
    // What was readable may not be when the restorer looks: it says so and takes no other.
    bench.write("layers/analyzed.toml", &bench.read("layers/analyzed.toml").replace(&names[1], &names[0]));
    let ran = bench.phase("restorer", &[]);
    assert!(
        ran.code == 1 && ran.said.contains(&format!("selected run image '{}' is not accessible", names[0])),
        "{} {}",
        ran.code,
        ran.said
    );
    bench.write("layers/analyzed.toml", &bench.read("layers/analyzed.toml").replace(&names[0], "127.0.0.1:1/not-listed"));
    bench.phase("restorer", &[]).well();
}

/// ANA-15.
#[test]
fn older_platforms_name_run_images_in_stack_toml() {
    let registry = Registry::start();
    push_run_image(&registry, "acme/run:1", "one", "oci");
    let mut bench = Bench::new(&["127.0.0.1:1/unused"]);
    bench.write("stack.toml", &format!("[run-image]\nimage = '127.0.0.1:1/run'\nmirrors = ['{}']\n", registry.name("acme/run:1")));
    bench.set("CNB_STACK_PATH", bench.path("stack.toml").display().to_string());
    bench.set("CNB_PLATFORM_API", "0.11");
    bench.phase("analyzer", &[&registry.name("team/app:1")]).well();
    let run_image = bench.toml("layers/analyzed.toml")["run-image"].clone();
    assert!(run_image["reference"].as_str().unwrap().starts_with(&format!("{}@sha256:", registry.name("acme/run"))), "{run_image}");
    assert!(run_image.get("image").is_none() && run_image.get("target").is_none(), "{run_image}");
}

/// REB-02, REB-23, IN-24.
#[test]
fn a_rebase_needs_an_app_and_a_run_image() {
    let (registry, bench, app) = with_registry();
    let refused = |arguments: &[&str], code: i32, message: &str| {
        let ran = bench.phase("rebaser", arguments);
        assert!(ran.code == code && ran.said.contains(message), "{arguments:?}: {} {}", ran.code, ran.said);
    };
    refused(&[&app], 72, "set app image");
    refused(&[], 3, "at least one image argument is required");
    refused(&[&app, "127.0.0.1:1/app"], 3, "writing to multiple registries is unsupported");
    bench.build(&app, &[]);
    refused(&["-run-image", &registry.name("acme/none"), &app], 1, "ERROR: failed to access run image: there is no image `");
    let (run, none) = (registry.name("acme/run:1"), registry.name("acme/none"));
    let both = "failed to resolve inputs: supply only one of -run-image or (deprecated) -image";
    refused(&["-run-image", &run, "-image", &none, &app], 3, both);
    refused(&["-image", &none, &app], 1, "failed to access run image");
    bench.phase("rebaser", &["-image", &run, &app]).well();
}

/// RES-18.
#[test]
fn a_restorer_looks_at_the_run_image_that_an_extension_chose() {
    let registry = Registry::start();
    push_run_image(&registry, "acme/run:1", "one", "oci");
    let bench = Bench::new(&["127.0.0.1:1/run"]);
    let name = registry.name("acme/run:1");
    bench.write(
        "layers/group.toml",
        "[[group]]\nid = 'acme/one'\nversion = '1'\napi = '0.12'\n[[group-extensions]]\nid = 'acme/ext'\nversion = '1'\napi = '0.12'\n",
    );
    bench.write("layers/analyzed.toml", &format!("[run-image]\nimage = '{name}'\nreference = '{name}'\n"));
    bench.phase("restorer", &[]).well();
    let run_image = bench.toml("layers/analyzed.toml")["run-image"].clone();
    let (_, digest) = manifest(&registry, "acme/run:1");
    assert_eq!(run_image["reference"].as_str(), Some(format!("{}@{digest}", registry.name("acme/run")).as_str()));
    assert_eq!(run_image["target"]["os"].as_str(), Some("linux"));
    bench.write("layers/analyzed.toml", &format!("[run-image]\nimage = '{0}'\nreference = '{0}'\n", registry.name("acme/none")));
    let ran = bench.phase("restorer", &[]);
    assert!(ran.code == 1 && ran.said.contains(&format!("get run image {}", registry.name("acme/none"))), "{} {}", ran.code, ran.said);
}

/// EXIT-10.
#[test]
fn a_cache_that_cannot_be_opened_ends_the_phase() {
    let closed = Registry::start_with_password();
    let bench = Bench::new(&["127.0.0.1:1/run"]);
    bench.write("layers/group.toml", "[[group]]\nid = 'acme/one'\nversion = '1'\napi = '0.12'\n");
    let ran = bench.phase("restorer", &["-cache-image", &closed.name("team/cache")]);
    assert!(ran.code == 1 && ran.said.contains("ERROR: failed to create image cache: "), "{} {}", ran.code, ran.said);
}

/// EXP-37, EXP-38, IN-30.
#[test]
fn a_cache_that_cannot_be_written_only_warns() {
    let (registry, read_only) = (Registry::start(), Registry::start_read_only());
    push_run_image(&registry, "acme/run:1", "one", "oci");
    let bench = Bench::new(&[&registry.name("acme/run:1")]);
    let app = registry.name("team/app:1");
    bench.phase("analyzer", &[&app]).well();
    bench.phase("detector", &[]).well();
    bench.phase("builder", &[]).well();
    for (parallel, name) in [("-parallel=false", "one"), ("-parallel", "two")] {
        let said = bench.phase("exporter", &[parallel, "-cache-image", &read_only.name("team/cache"), &app]).well();
        assert!(said.contains("Warning: Failed to export cache: saving image '"), "{said}");
        // The image comes first, unless both are made at once.
        let cache = registry.name(&format!("team/{name}"));
        let ran = bench.phase("exporter", &[parallel, "-cache-image", &cache, &read_only.name("team/app:1")]);
        assert_eq!(ran.code, 62, "{}", ran.said);
        let kept = registry.data().join("repositories/team").join(name);
        assert_eq!(kept.exists(), parallel == "-parallel", "{}", ran.said);
    }
}

/// A file stands where the registry would have to make a folder for uploads.
fn block(registry: &Registry) {
    let blocked = registry.data().join("repositories/blocked/app");
    fs::create_dir_all(&blocked).unwrap();
    fs::write(blocked.join("_uploads"), "").unwrap();
}

/// ANA-05.
#[test]
fn a_previous_image_that_lost_a_layer_counts_as_none() {
    let (registry, bench, app) = with_registry();
    bench.build(&app, &[]);
    let layers = manifest(&registry, "team/app:1").0["layers"].as_array().unwrap().clone();
    fs::remove_file(blob_path(&registry, layers[1]["digest"].as_str().unwrap())).unwrap();
    let said = bench.phase("analyzer", &[&app]).well();
    assert!(said.contains(&format!("Ignoring image \"{app}\" because it was corrupt")), "{said}");
    assert_eq!(bench.toml("layers/analyzed.toml")["image"]["reference"].as_str(), Some(""));
}

/// EXP-31, EXP-36.
/// The other names are written, and the report is not.
#[test]
fn an_export_says_which_names_it_could_not_write() {
    let (registry, bench, app) = with_registry();
    bench.phase("analyzer", &[&app]).well();
    bench.phase("detector", &[]).well();
    bench.phase("builder", &[]).well();
    block(&registry);
    let ran = bench.phase("exporter", &[&app, &registry.name("blocked/app:1")]);
    assert!(ran.code == 62 && ran.said.contains(&format!("      {app}\n")), "{} {}", ran.code, ran.said);
    assert!(ran.said.contains(&format!("      {} - ", registry.name("blocked/app:1"))), "{}", ran.said);
    assert!(!bench.path("layers/report.toml").exists());
    manifest(&registry, "team/app:1");
}
