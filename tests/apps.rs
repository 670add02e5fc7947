//! Real apps become running images and answer what they should.

use crate::support::{Machine, copied, get, repository, succeed, write};
use rustix::process::Signal;
use std::fs;

fn answers(fixture: &str, more: &[&str]) {
    let machine = Machine::shared();
    machine.prepare();
    let source = repository("fixtures/apps").join(fixture);
    machine.built(fixture, &source, more);
    let expected = fs::read_to_string(source.join("expected.json")).unwrap();
    assert_eq!(machine.serve(fixture).get(), expected);
}

#[test]
fn fastapi_answers_on_two_ports_at_once_and_ends_with_ctrl_c() {
    answers("python-fastapi", &[]);
    let machine = Machine::shared();
    let (mut one, mut other) = (machine.serve("python-fastapi"), machine.serve("python-fastapi"));
    assert_eq!(one.get(), other.get());
    // uvicorn ends by the signal that it was sent: SIGTERM, also for Ctrl-C.
    assert_eq!(one.stop(Signal::INT), Some(143));
    assert_eq!(other.stop(Signal::TERM), Some(143));
}

#[test]
fn flask_answers() {
    answers("python-flask", &[]);
}

/// A program of Debian's that the app starts is in the run image.
#[test]
fn an_app_with_an_aptfile_has_its_packages() {
    answers("python-aptfile", &[]);
    let machine = Machine::shared();
    let base = machine.config("python-aptfile")["config"]["Labels"]["io.buildpacks.base.metadata"].to_string();
    assert!(base.contains("hello"), "{base}");
}

/// Packages for the build alone are not in the image; what cannot be a package is refused before anything is built.
#[test]
fn packages_are_named_in_the_project_file_too() {
    let (machine, app) = (Machine::shared(), copied("procfile"));
    machine.prepare();
    let other = tempfile::tempdir().unwrap();
    for (folder, more) in [(app.path(), vec![]), (other.path(), vec!["--descriptor", "project.toml"])] {
        write(&folder.join("project.toml"), "[_]\nschema-version = '0.2'\n[io.cooper.packages]\nbuild = ['hello']\nrun = ['jq']\n");
        let descriptor = folder.join("project.toml").display().to_string();
        let more: Vec<&str> = more.into_iter().map(|word| if word == "project.toml" { descriptor.as_str() } else { word }).collect();
        machine.built("with-packages", app.path(), &more);
        let find = succeed(&mut machine.command(&[
            "run",
            "with-packages",
            "--entrypoint",
            "launcher",
            "--",
            "sh",
            "-c",
            "command -v hello; command -v jq",
        ]));
        assert_eq!(find, "/usr/bin/jq\n");
        drop(std::fs::remove_file(app.path().join("project.toml")));
    }
    write(&app.path().join("Aptfile"), "jq=1.7\n");
    let output = machine.run(&["build", "with-packages", "--path", app.path().to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("line 1 of the Aptfile cannot be used: `jq=1.7` is a version"), "{said}");
}

#[test]
fn django_answers() {
    answers("python-django", &[]);
}

#[test]
fn a_project_without_requirements_answers() {
    answers("python-pyproject", &[]);
}

#[test]
fn fastapi_answers_on_debian_12() {
    let machine = Machine::shared();
    let source = repository("fixtures/apps/python-fastapi");
    machine.built("on-bookworm", &source, &["--builder", "bookworm"]);
    assert_eq!(machine.serve("on-bookworm").get(), fs::read_to_string(source.join("expected.json")).unwrap());
    assert_eq!(get(1), None);
}

#[test]
fn a_procfile_names_the_processes() {
    let machine = Machine::shared();
    machine.prepare();
    machine.built("procfile", &repository("fixtures/apps/procfile"), &[]);
    let worker = machine.run(&["run", "procfile", "--entrypoint", "worker"]);
    assert_eq!(String::from_utf8_lossy(&worker.stdout), "working\n");
}

/// Starts are quick because the image's own Python is compiled, without times that could change.
#[test]
fn modules_of_the_images_python_are_compiled() {
    let machine = Machine::shared();
    machine.prepare();
    machine.built("compiled", &repository("fixtures/apps/python-fastapi"), &[]);
    let script = "import importlib.util as u, json; b = open(u.cache_from_source(json.__file__), 'rb').read(); print(int.from_bytes(b[4:8], 'little'))";
    let output = machine.run(&["run", "compiled", "--entrypoint", "launcher", "--", "python3", "-c", script]);
    // 1: checked by nothing, neither time nor content.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n", "{}", String::from_utf8_lossy(&output.stderr));
}
