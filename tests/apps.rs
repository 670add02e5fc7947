//! Real apps become running images and answer what they should.

use crate::support::{Machine, get, repository};
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
