//! What commands say of images: `cooper inspect` in pack's words, and the SBOM files in an image.

use crate::support::{Machine, Registry, repository, succeed};
use serde_json::Value;

/// CLI-41.
#[test]
fn an_image_is_inspected_in_packs_words() {
    let (machine, registry) = (Machine::shared(), Registry::start());
    machine.prepare();
    machine.built("inspected", &repository("fixtures/apps/procfile"), &[]);
    let remote = format!("docker://{}/inspected", registry.host());
    succeed(&mut machine.command(&["copy", "inspected", &remote]));
    let inspect = |arguments: &[&str]| -> Value { serde_json::from_str(&succeed(&mut machine.command(arguments))).unwrap() };
    let local = inspect(&["inspect-image", "inspected", "--output", "json"]);
    let info = &local["local_info"];
    assert_eq!((&local["image_name"], &local["remote_info"], &info["rebasable"]), (&"inspected:latest".into(), &Value::Null, &true.into()));
    assert_eq!((&info["processes"][0]["type"], &info["processes"][0]["default"]), (&"web".into(), &true.into()));
    assert_eq!(info["buildpacks"][0]["id"], "cooper/procfile");
    assert!(info["base_image"]["top_layer"].as_str().unwrap().starts_with("sha256:"));
    let written: toml::Table = succeed(&mut machine.command(&["inspect", "inspected", "--output", "toml"])).parse().unwrap();
    assert_eq!(written["local_info"]["processes"][0]["type"].as_str(), Some("web"));
    assert!(succeed(&mut machine.command(&["inspect", "inspected", "--output", "yaml"])).contains("  rebasable: true\n"));
    let found = inspect(&["inspect", &remote, "--output", "json"]);
    assert_eq!((&found["remote_info"], &found["local_info"]), (info, &Value::Null));
    assert_eq!(inspect(&["inspect", "inspected", "--bom"]), serde_json::json!({ "remote": null, "local": null }));
}

/// CLI-43, SBOM-15.
#[test]
fn sbom_files_come_out_of_an_image_here_or_in_a_registry() {
    let (machine, registry, folder) = (Machine::shared(), Registry::start(), tempfile::tempdir().unwrap());
    machine.prepare();
    machine.built("with-sbom", &repository("fixtures/apps/python-flask"), &[]);
    let remote = format!("{}/with-sbom", registry.host());
    succeed(&mut machine.command(&["copy", "with-sbom", &format!("docker://{remote}")]));
    let download = |name: &str, more: &[&str]| {
        let target = folder.path().join(name.replace('/', "_"));
        succeed(&mut machine.command(&[&["sbom", "download", name, "--output-dir", target.to_str().unwrap()], more].concat()));
        let files = walkdir::WalkDir::new(&target).sort_by_file_name().into_iter().map(|entry| entry.unwrap());
        let files = files.filter(|entry| entry.file_type().is_file());
        files
            .map(|entry| (entry.path().strip_prefix(&target).unwrap().to_path_buf(), std::fs::read(entry.path()).unwrap()))
            .collect::<Vec<_>>()
    };
    let local = download("with-sbom", &[]);
    let has = |name: &str| local.iter().any(|(path, text)| path.ends_with(name) && !text.is_empty());
    assert!(has("layers/sbom/launch/cooper_python/venv/sbom.cdx.json") && has("launch/buildpacksio_lifecycle/launcher/sbom.spdx.json"));
    assert_eq!(download(&remote, &["--remote"]), local);
    let output = machine.run(&["sbom", "download", "no-such-image"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no image `no-such-image` in the store"));
}
