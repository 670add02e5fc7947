//! Builds and rebases whose images are in a registry.

use super::bench::{Bench, blob_path, config, manifest, push_run_image, uploads, with_registry};
use crate::support::{PASSWORD, Registry, USER, succeed};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// EXP-32, EXP-33, EXP-34, IMG-05, IMG-17, IMG-27, ANA-02, ANA-08, ANA-16.
#[test]
fn a_build_sends_only_what_the_registry_lacks() {
    let registry = Registry::start();
    let base = push_run_image(&registry, "acme/run:1", "one", "oci");
    let bench = Bench::new(&[&registry.name("acme/run:1")]);
    let app = registry.name("team/app:1");
    let before = registry.requests().len();
    let said = bench.build(&app, &[]);
    assert!(said.contains(&format!("Image with name \"{app}\" not found")), "{said}");
    let (image, digest) = manifest(&registry, "team/app:1");
    assert!(said.contains(&format!("Saving {app}...")) && said.contains(&format!("*** Images ({digest}):\n      {app}\n")), "{said}");
    assert!(said.contains(&format!("*** Digest: {digest}")) && said.contains("*** Manifest Size: "), "{said}");
    assert_eq!(image["layers"][0]["digest"], base.as_str());
    // The base layer is mounted: it is neither fetched nor sent.
    let requests = registry.requests()[before..].to_vec();
    assert!(requests.iter().any(|request| request.starts_with("POST ")
        && request.contains(&format!("mount={base}&from=acme/run"))
        && request.ends_with(" 201")));
    assert!(!requests.iter().any(|request| request.starts_with("GET ") && request.contains(&base)), "{requests:#?}");
    assert_eq!(uploads(&requests).len(), image["layers"].as_array().unwrap().len() - 1 + 1, "{requests:#?}");
    let report = bench.toml("layers/report.toml");
    assert_eq!(report["image"]["digest"].as_str(), Some(digest.as_str()));
    assert_eq!(report["image"]["tags"].as_array().unwrap().len(), 1);
    assert!(report["image"]["manifest-size"].is_integer());
    let (_, run_digest) = manifest(&registry, "acme/run:1");
    let analyzed = bench.toml("layers/analyzed.toml");
    assert_eq!(analyzed["run-image"]["reference"].as_str(), Some(format!("{}@{run_digest}", registry.name("acme/run")).as_str()));

    let before = registry.requests().len();
    let said = bench.build(&app, &[]);
    assert!(said.contains(&format!("Found image with identifier \"{}@{digest}\"", registry.name("team/app"))), "{said}");
    assert!(said.contains("Reusing layer 'acme/one:data'") && said.contains("Reused 1/1 app layer(s)"), "{said}");
    let requests = registry.requests()[before..].to_vec();
    assert!(uploads(&requests).is_empty(), "{requests:#?}");
    assert_eq!(manifest(&registry, "team/app:1").1, digest);
}

/// The lifecycle's own images may be of nothing but the program; their phases need no folder for temporary files.
///
/// RES-01, EXP-32, REB-01.
#[test]
fn an_image_without_a_place_for_temporary_files_will_do() {
    let registry = Registry::start();
    push_run_image(&registry, "acme/run:1", "one", "oci");
    let mut bench = Bench::new(&[&registry.name("acme/run:1")]);
    let (app, rebased) = (registry.name("team/app:1"), registry.name("team/app:2"));
    bench.build(&app, &[]);
    bench.set("TMPDIR", "/no/such/folder");
    for (phase, arguments) in [("analyzer", vec![app.as_str()]), ("restorer", vec![]), ("exporter", vec![&app])] {
        bench.phase(phase, &arguments).well();
    }
    bench.phase("rebaser", &["-previous-image", &app, "-report", &bench.path("layers/report.toml").display().to_string(), &rebased]).well();
    assert_eq!(manifest(&registry, "team/app:1").0["layers"], manifest(&registry, "team/app:2").0["layers"]);
    assert!(fs::read_dir(bench.path("layers")).unwrap().all(|entry| !entry.unwrap().file_name().to_string_lossy().starts_with('.')));
}

/// CRE-04, EXIT-17, EXIT-21, EXP-31, IMG-08, IMG-09.
#[test]
fn a_creator_uses_credentials_that_its_buildpacks_do_not_see() {
    let registry = Registry::start_with_password();
    push_run_image(&registry, "acme/run:1", "one", "oci");
    let mut bench = Bench::new(&[&registry.name("acme/run:1")]);
    let secret = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    bench.set("CNB_REGISTRY_AUTH", json!({ format!("http://{}/v1", registry.host()): format!("basic {secret}") }).to_string());
    // Platforms look for names as they wrote them.
    let (app, other) = (registry.name("team/app"), registry.name("other/app:2"));
    let said = bench.phase("creator", &["-tag", &other, "-cache-image", &registry.name("team/cache"), &app]).well();
    assert!(said.contains("credentials: none"), "{said}");
    assert!(!said.contains(&secret) && !said.contains(PASSWORD), "{said}");
    assert_eq!(manifest(&registry, "team/app").1, manifest(&registry, "other/app:2").1);
    let tags = bench.toml("layers/report.toml")["image"]["tags"].as_array().unwrap().clone();
    assert_eq!(tags.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>(), [&app, &other]);
    // Each document is read once.
    let requests = registry.requests();
    let run_config = manifest(&registry, "acme/run:1").0["config"]["digest"].as_str().unwrap().to_string();
    let read = requests.iter().filter(|request| request.starts_with("GET ") && request.contains(&run_config) && request.ends_with(" 200"));
    assert_eq!(read.count(), 1, "{requests:#?}");
    // What the first name has is mounted to the second.
    assert!(
        !uploads(&registry.requests())
            .iter()
            .any(|request| request.contains("/other/app/") && !request.contains(&config_digest(&registry)))
    );
}

fn config_digest(registry: &Registry) -> String {
    manifest(registry, "team/app").0["config"]["digest"].as_str().unwrap().replace(':', "%3A")
}

/// EXIT-17, IMG-11.
/// The file is only root's, and is read before privileges are given up.
#[test]
fn credentials_of_dockers_file_are_read_first() {
    let registry = Registry::start_with_password();
    push_run_image(&registry, "acme/run:1", "one", "oci");
    let mut bench = Bench::new(&[&registry.name("acme/run:1")]);
    let auths = json!({ "auths": { registry.host(): { "auth": STANDARD.encode(format!("{USER}:{PASSWORD}")) } } });
    bench.write("docker/config.json", &auths.to_string());
    fs::set_permissions(bench.path("docker"), fs::Permissions::from_mode(0o700)).unwrap();
    bench.set("DOCKER_CONFIG", bench.path("docker").display().to_string());
    bench.build(&registry.name("team/app:1"), &["-cache-image", &registry.name("team/cache:1")]);
    assert_eq!(config(&registry, "team/app:1")["os"], "linux");
}

/// REB-01, REB-03, REB-04, REB-20, REB-21.
/// The new run image is the one at the name that is nearest to the app.
#[test]
fn a_rebase_reads_and_sends_no_layer() {
    let registry = Registry::start();
    push_run_image(&registry, "acme/run:1", "one", "oci");
    let bench = Bench::new(&["127.0.0.1:1/acme/run", &registry.name("acme/run:1")]);
    let app = registry.name("team/app:1");
    bench.build(&app, &[]);
    let old = manifest(&registry, "team/app:1");
    let new_base = push_run_image(&registry, "acme/run:1", "two", "oci");
    let before = registry.requests().len();
    let report = bench.path("layers/rebased.toml").display().to_string();
    bench.phase("rebaser", &["-report", &report, &app]).well();
    let requests = registry.requests()[before..].to_vec();
    let (new, digest) = manifest(&registry, "team/app:1");
    assert_eq!(new["layers"][0]["digest"], new_base.as_str());
    assert_eq!(new["layers"].as_array().unwrap()[1..], old.0["layers"].as_array().unwrap()[1..]);
    assert_eq!(bench.toml("layers/rebased.toml")["image"]["digest"].as_str(), Some(digest.as_str()));
    for layer in new["layers"].as_array().unwrap().iter().chain(old.0["layers"].as_array().unwrap()) {
        let layer = layer["digest"].as_str().unwrap();
        let moved = |request: &&String| (request.starts_with("GET ") || request.starts_with("PUT ")) && request.contains(&layer[7..]);
        assert!(!requests.iter().any(|request| moved(&request)), "{requests:#?}");
    }
    assert!(requests.iter().any(|request| request.contains(&format!("mount={new_base}"))), "{requests:#?}");
}

/// IMG-14, IMG-28.
/// This registry has a certificate that nobody vouches for.
#[test]
fn an_app_on_a_docker_image_is_a_docker_image() {
    let registry = Registry::start_with_certificate();
    push_run_image(&registry, "acme/run:docker", "one", "v2s2");
    let bench = Bench::new(&[&registry.name("acme/run:docker")]);
    bench.build(&registry.name("team/app:1"), &[]);
    let (image, _) = manifest(&registry, "team/app:1");
    assert_eq!(image["mediaType"], "application/vnd.docker.distribution.manifest.v2+json");
    assert_eq!(image["config"]["mediaType"], "application/vnd.docker.container.image.v1+json");
    for layer in image["layers"].as_array().unwrap() {
        assert_eq!(layer["mediaType"], "application/vnd.docker.image.rootfs.diff.tar.gzip");
    }
}

/// IN-29.
#[test]
fn the_launcher_may_be_another_program() {
    let (registry, bench, app) = with_registry();
    bench.build(&app, &[]);
    bench.write("mine/launcher", "#!/bin/another-launcher\n");
    bench.write("mine/launcher.sbom.cdx.json", "{}");
    let path = |name: &str| bench.path(name).display().to_string();
    bench.phase("exporter", &["-launcher", &path("mine/launcher"), "-launcher-sbom", &path("mine"), &app]).well();
    let (document, configuration) = (manifest(&registry, "team/app:1").0, config(&registry, "team/app:1"));
    let metadata = configuration["config"]["Labels"]["io.buildpacks.lifecycle.metadata"].as_str().unwrap();
    let metadata: serde_json::Value = serde_json::from_str(metadata).unwrap();
    let diff_ids = configuration["rootfs"]["diff_ids"].as_array().unwrap();
    let read = |sha: &serde_json::Value, path: &str| {
        let number = diff_ids.iter().position(|diff_id| diff_id == sha).unwrap();
        let blob = blob_path(&registry, document["layers"][number]["digest"].as_str().unwrap());
        succeed(std::process::Command::new("tar").arg("-xzPOf").arg(blob).arg(path))
    };
    assert_eq!(read(&metadata["launcher"]["sha"], "/cnb/lifecycle/launcher"), "#!/bin/another-launcher\n");
    let inside = format!("{}/sbom/launch/buildpacksio_lifecycle/launcher/launcher.sbom.cdx.json", path("layers"));
    assert_eq!(read(&metadata["sbom"]["sha"], &inside), "{}");
}

/// CRE-07: what the analysis found is what the export works with.
#[test]
fn a_creator_looks_at_the_run_image_once() {
    let (_registry, bench, app) = with_registry();
    bench.phase("analyzer", &[&app]).well();
    let analyzed = bench.read("layers/analyzed.toml");
    bench.clear();
    bench.phase("creator", &[&app]).well();
    assert_eq!(bench.read("layers/analyzed.toml"), analyzed);
    let written = |name: &str| bench.path(name).metadata().unwrap().modified().unwrap();
    assert!(written("layers/analyzed.toml") < written("layers/group.toml"), "the restore step wrote it again");
}
