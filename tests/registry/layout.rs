//! Builds whose images are in a folder of OCI layouts, which platforms fill for them.

use super::bench::{Bench, write_layout};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// Platforms that run as root, or as another user than the build, may keep layers to themselves.
///
/// IMG-21, IMG-22.
#[test]
fn layers_of_the_run_image_that_the_build_may_not_read_are_left_out() {
    let mut bench = Bench::new(&["r.test/run:1"]);
    for (name, value) in
        [("CNB_USE_LAYOUT", "true".into()), ("CNB_EXPERIMENTAL_MODE", "warn".into()), ("CNB_LAYOUT_DIR", bench.path("all"))]
    {
        bench.set(name, value.display().to_string());
    }
    let base = write_layout(&bench.path("all/r.test/run/1"), "etc/run-image", "one");
    let secret = bench.path("all/r.test/run/1/blobs/sha256").join(&base[7..]);
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let app = bench.path("all/r.test/app/1");
    fs::create_dir_all(&app).unwrap();
    fs::set_permissions(&app, fs::Permissions::from_mode(0o777)).unwrap();
    let said = bench.phase("creator", &["r.test/app:1"]).well();
    assert!(said.contains(&format!("Warning: Leaving out the layer {base}: cannot read `{}`", secret.display())), "{said}");
    let read = |path: &str| -> Value { serde_json::from_str(&fs::read_to_string(app.join(path)).unwrap()).unwrap() };
    let manifest = read(&format!("blobs/sha256/{}", &read("index.json")["manifests"][0]["digest"].as_str().unwrap()[7..]));
    let there: Vec<(bool, &str)> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| layer["digest"].as_str().unwrap())
        .map(|digest| (app.join("blobs/sha256").join(&digest[7..]).is_file(), digest))
        .collect();
    assert_eq!(there[0], (false, base.as_str()));
    assert!(there.len() > 1 && there[1..].iter().all(|(there, _)| *there), "{there:?}");
}
