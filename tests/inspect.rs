//! What commands say of images: `cooper inspect` in pack's words.

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
