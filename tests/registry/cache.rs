//! The cache in an image of a registry.

use super::bench::{Bench, blob_path, config, exists, manifest, uploads, with_registry};
use crate::support::Registry;
use serde_json::Value;
use std::fs;

const LABEL: &str = "io.buildpacks.lifecycle.cache.metadata";

fn started() -> (Registry, Bench, String) {
    let (registry, bench, app) = with_registry();
    (registry, bench, app)
}

fn layer_of<'a>(metadata: &'a Value, name: &str) -> &'a str {
    metadata["buildpacks"][0]["layers"][name]["sha"].as_str().unwrap()
}

/// ANA-14, CACHE-06, CACHE-09, CACHE-10, CACHE-14, CACHE-15, CACHE-17, IN-18, RES-05, RES-09, RES-14.
#[test]
fn an_unchanged_layer_is_not_sent_again() {
    let (registry, mut bench, app) = started();
    let cache = registry.name("team/cache:1");
    // The image wins.
    fs::create_dir(bench.path("unused")).unwrap();
    bench.set("CNB_CACHE_DIR", bench.path("unused").display().to_string());
    let said = bench.build(&app, &["-cache-image", &cache]);
    // The restorer and the exporter say it.
    assert_eq!(said.matches("Layer cache not found").count(), 2, "{said}");
    assert!(said.contains("Adding cache layer 'acme/one:kept'"), "{said}");
    assert!(!exists(&bench.path("unused/committed/io.buildpacks.lifecycle.cache.metadata")));
    let first = config(&registry, "team/cache:1");
    let metadata: Value = serde_json::from_str(first["config"]["Labels"][LABEL].as_str().unwrap()).unwrap();
    let diff_ids: Vec<&str> = first["rootfs"]["diff_ids"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(diff_ids, [layer_of(&metadata, "kept"), layer_of(&metadata, "tool"), metadata["sbom"]["sha"].as_str().unwrap()]);
    assert!(metadata["buildpacks"][0]["layers"].get("data").is_none(), "{metadata}");

    let before = registry.requests().len();
    bench.clear();
    bench.phase("analyzer", &["-cache-image", &cache, &app]).well();
    let kept = manifest(&registry, "team/cache:1").0["layers"][0]["digest"].as_str().unwrap().to_string();
    assert!(!registry.requests()[before..].iter().any(|request| request.starts_with("GET ") && request.contains(&kept)));
    let before = registry.requests().len();
    let said = bench.build(&app, &["-cache-image", &cache]);
    assert!(said.contains("Restoring data for \"acme/one:kept\" from cache") && said.contains("kept came back"), "{said}");
    assert!(said.contains("Reusing cache layer 'acme/one:kept'") && !said.contains("Adding cache layer"), "{said}");
    assert!(said.contains("its SBOM came back") && said.contains("Reusing cache layer 'buildpacksio/lifecycle:cache.sbom'"), "{said}");
    let requests = registry.requests()[before..].to_vec();
    assert!(uploads(&requests).is_empty(), "{requests:#?}");
    assert_eq!(requests.iter().filter(|request| request.starts_with("GET ") && request.contains(&kept)).count(), 1);
    assert_eq!(config(&registry, "team/cache:1"), first);
}

/// CACHE-12.
/// DIST-15.
#[test]
fn the_former_cache_is_deleted_for_old_platforms_only() {
    for (api, stays) in [("0.12", false), ("0.13", true)] {
        let (registry, mut bench, app) = started();
        bench.set("CNB_PLATFORM_API", api);
        let cache = registry.name("team/cache:1");
        bench.build(&app, &["-cache-image", &cache]);
        let (_, former) = manifest(&registry, "team/cache:1");
        bench.write("app/kept", "another thing");
        bench.clear();
        bench.phase("analyzer", &[&app]).well();
        bench.phase("detector", &[]).well();
        bench.phase("builder", &[]).well();
        bench.phase("exporter", &["-cache-image", &cache, &app]).well();
        assert_ne!(manifest(&registry, "team/cache:1").1, former);
        let link = registry.data().join("repositories/team/cache/_manifests/revisions/sha256").join(&former[7..]).join("link");
        assert_eq!(exists(&link), stays, "{api}");
    }
}

/// CACHE-13.
#[test]
fn a_damaged_cache_image_is_an_empty_cache() {
    let (registry, bench, app) = started();
    let cache = registry.name("team/cache:1");
    bench.build(&app, &["-cache-image", &cache]);
    let kept = manifest(&registry, "team/cache:1").0["layers"][0]["digest"].as_str().unwrap().to_string();
    fs::remove_file(blob_path(&registry, &kept)).unwrap();
    let said = bench.build(&app, &["-cache-image", &cache]);
    assert!(said.contains(&format!("Ignoring cache image \"{cache}\" because it was corrupt")), "{said}");
    assert!(!said.contains("kept came back") && said.contains("Adding cache layer 'acme/one:kept'"), "{said}");
    assert!(exists(&blob_path(&registry, &kept)));
}

/// CACHE-10.
/// An image without layers is none for some engines.
#[test]
fn a_cache_of_nothing_has_one_empty_layer() {
    let (registry, bench, app) = started();
    bench.write("buildpacks/acme_one/1/bin/build", "#!/bin/sh\n");
    bench.build(&app, &["-cache-image", &registry.name("team/cache:1")]);
    let config = config(&registry, "team/cache:1");
    let zeros = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
    assert_eq!(config["rootfs"]["diff_ids"], serde_json::json!([zeros]));
}
