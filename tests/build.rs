//! Promises of `cooper build`: the same source gives the same image, anywhere, and what did not change is not made anew.

use crate::support::{Machine, copied, repository, succeed};
use serde_json::Value;
use std::fs;

/// An address where nobody listens: whoever asks it has no network.
const NOWHERE: &str = "http://127.0.0.1:1";

fn layers(machine: &Machine, image: &str) -> Vec<(String, String)> {
    let text = succeed(&mut machine.command(&["inspect", image, "--output", "json"]));
    let value: Value = serde_json::from_str(&text).unwrap();
    let layer = |layer: &Value| (layer["created_by"].as_str().unwrap().to_string(), layer["diff_id"].as_str().unwrap().to_string());
    value["layers"].as_array().unwrap().iter().map(layer).collect()
}

/// The same digest as root, as a user without subordinate ids, and in another store.
#[test]
fn the_same_source_is_the_same_image_everywhere() {
    let source = repository("fixtures/apps/python-fastapi");
    let machine = Machine::shared();
    machine.prepare();
    let digest = machine.built("everywhere", &source, &[]);
    let folder = tempfile::tempdir().unwrap();
    let user = Machine::for_user(folder.path());
    let app = folder.path().join("app");
    succeed(std::process::Command::new("cp").arg("-r").arg(&source).arg(&app));
    assert_eq!(user.built("everywhere", &app, &[]), digest);
    assert_eq!(succeed(&mut user.command(&["store", "verify"])), "the store is valid\n");
}

#[test]
fn an_unchanged_app_is_built_again_without_network() {
    let machine = Machine::shared();
    machine.prepare();
    let source = repository("fixtures/apps/python-fastapi");
    let digest = machine.built("again", &source, &[]);
    let mut command = machine.command(&["build", "again", "--path", source.to_str().unwrap(), "--quiet", "--offline"]);
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"] {
        command.env(name, NOWHERE);
    }
    assert_eq!(succeed(&mut command).trim(), digest);
}

#[test]
fn one_changed_line_changes_the_apps_layer_alone() {
    let machine = Machine::shared();
    machine.prepare();
    let app = copied("python-fastapi");
    machine.built("changed", app.path(), &[]);
    let before = layers(&machine, "changed");
    let code = fs::read_to_string(app.path().join("main.py")).unwrap();
    fs::write(app.path().join("main.py"), code.replace("Hello", "Good day")).unwrap();
    machine.built("changed", app.path(), &[]);
    let after = layers(&machine, "changed");
    let changed: Vec<&str> =
        before.iter().zip(&after).filter(|(before, after)| before != after).map(|(before, _)| before.0.as_str()).collect();
    assert_eq!((before.len(), changed), (after.len(), vec!["Application Layer"]));
}

#[test]
fn variables_of_the_build_are_the_builds_and_not_the_images() {
    let machine = Machine::shared();
    machine.prepare();
    let app = copied("procfile");
    machine.built("variables", app.path(), &["--env", "SECRET_OF_THE_BUILD=s3cr3t"]);
    let text = succeed(&mut machine.command(&["run", "variables", "--env", "GIVEN=1", "--entrypoint", "launcher", "--", "env"]));
    assert!(text.contains("GIVEN=1\n") && !text.contains("SECRET_OF_THE_BUILD") && !text.contains("CNB_APP_DIR"), "{text}");
}

#[test]
fn two_builds_of_one_image_wait_for_each_other() {
    let machine = Machine::shared();
    machine.prepare();
    let app = copied("procfile");
    let arguments = ["build", "twice", "--path", app.path().to_str().unwrap(), "--quiet"];
    let spawn = || machine.command(&arguments).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let (one, other) = (spawn(), spawn());
    let (one, other) = (one.wait_with_output().unwrap(), other.wait_with_output().unwrap());
    assert!(one.status.success() && other.status.success());
    assert_eq!(one.stdout, other.stdout);
}

/// Nothing in the base images is missing or there twice.
#[test]
fn base_images_are_whole() {
    Machine::shared().prepare();
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::fresh(folder.path());
    let output = machine.run(&["build", "whole", "--path", repository("fixtures/apps/python-fastapi").to_str().unwrap(), "--verbose"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let odd: Vec<&str> =
        said.lines().filter(|line| ["needs the library", "both have", "is not there"].iter().any(|text| line.contains(text))).collect();
    assert!(odd.is_empty() && said.contains("composing the run image"), "{odd:#?}");
}
