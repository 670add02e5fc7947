//! `cooper builder create --builtin`: a built-in builder as an ordinary image, which other platforms build with.

use crate::support::{Engine, Machine, Registry, copied, repository, succeed};
use std::fs;
use std::process::Command;

fn exported(name: &str, more: &[&str]) -> String {
    let machine = Machine::shared();
    machine.prepare();
    succeed(machine.command(&["builder", "create", name, "--builtin", "trixie", "--quiet"]).args(more)).trim().to_string()
}

/// What buildpacks ask for in every build is there, what an app asks for besides has to be named when the builder is made.
#[test]
fn an_exported_builder_has_the_packages_that_its_buildpacks_ask_for() {
    let machine = Machine::shared();
    assert_eq!(exported("exported:1", &[]), exported("exported-again:1", &["--run-image", "exported-run:1"]));
    let app = repository("fixtures/apps/python-aptfile");
    let build = |builder: &str| machine.run(&["build", "exported-app", "--path", app.to_str().unwrap(), "--builder", builder]);
    let output = build("exported:1");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(51), "{said}");
    for line in [
        "the run image of this builder lacks Debian packages that are required: hello",
        "make a builder that has them: cooper builder create NAME --builtin BUILDER --package hello",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    exported("exported-with-hello", &["--package", "hello"]);
    let output = build("exported-with-hello");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(machine.serve("exported-app").get(), fs::read_to_string(app.join("expected.json")).unwrap());
    // Whoever has no package list of a built-in builder rebases by names, as any image.
    let labels = machine.config("exported-app")["config"]["Labels"].clone();
    assert!(
        labels["io.buildpacks.lifecycle.metadata"].as_str().unwrap().contains("\"image\":\"exported-with-hello-run:latest\""),
        "{labels}"
    );
}

#[test]
fn a_builtin_builder_takes_no_configuration_and_composes_what_there_is() {
    let machine = Machine::shared();
    machine.prepare();
    for (arguments, code, words) in [
        (&["--builtin", "trixie", "--config", "x.toml"][..], 2, "cannot be used with"),
        (&["--package", "hello"], 2, "--builtin"),
        (&["--builtin", "none"], 1, "the built-in ones are trixie and bookworm"),
        (&["--builtin", "trixie", "--package", "not-in-debian"], 1, "not-in-debian"),
    ] {
        let output = machine.run(&[&["builder", "create", "refused-export"][..], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(words), "{arguments:?}: {said}");
    }
}

/// In an engine, as every platform runs a builder: its creator in a container, which sends the app to a registry.
#[test]
fn the_creator_of_an_exported_builder_builds_in_a_container() {
    let (engine, registry, machine) = (Engine::shared(), Registry::start(), Machine::shared());
    let (builder, run_image) = (registry.name("exported"), registry.name("exported-run"));
    machine.prepare();
    let mut create = machine.command(&["builder", "create", &builder, "--builtin", "trixie", "--publish", "--output", "docker"]);
    succeed(create.env("DOCKER_HOST", engine.host()));
    assert!(engine.docker(&["image", "inspect", &run_image]).output().unwrap().status.success());
    let (app, name) = (copied("procfile"), registry.name("made-in-a-container"));
    succeed(Command::new("chown").args(["-R", "1001:1000"]).arg(app.path()));
    let volume = format!("{}:/workspace", app.path().display());
    let arguments = ["run", "--rm", "--network", "host", "--volume", &volume, "--env", "CNB_PLATFORM_API=0.13", &builder];
    let creator = ["/cnb/lifecycle/creator", "-insecure-registry", &registry.host(), &name];
    let said = succeed(&mut engine.docker(&[&arguments[..], &creator].concat()));
    assert!(said.contains("cooper/procfile") && said.contains("Setting default process type 'web'"), "{said}");
    succeed(&mut machine.command(&["pull", &name, "--quiet"]));
    assert_eq!(succeed(&mut machine.command(&["run", &name, "--entrypoint", "worker"])), "working\n");
}

/// The real `pack`, where `PEER_PACK` names it: with the builder's own lifecycle in one container, and with a lifecycle's image in several.
#[test]
fn the_real_pack_builds_with_an_exported_builder() {
    let Some(pack) = std::env::var_os("PEER_PACK") else { return };
    let (engine, machine, home) = (Engine::shared(), Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    let cooper = |arguments: &[&str]| succeed(machine.command(arguments).env("DOCKER_HOST", engine.host()));
    cooper(&["builder", "create", "exported-for-pack", "--builtin", "trixie", "--output", "docker"]);
    cooper(&["lifecycle", "image", "own-lifecycle:1"]);
    cooper(&["copy", "own-lifecycle:1", "docker:own-lifecycle:1"]);
    let app = repository("fixtures/apps/python-fastapi");
    for trust in [&["--trust-builder"][..], &["--lifecycle-image", "own-lifecycle:1"]] {
        let mut command = Command::new(&pack);
        command.args(["build", "by-pack", "--builder", "exported-for-pack", "--pull-policy", "never", "--docker-host", "inherit"]);
        command
            .args(["--network", "host", "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro", "--clear-cache", "--path"])
            .arg(&app)
            .args(trust);
        for name in ["PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE"].into_iter().filter(|name| std::env::var_os(name).is_some()) {
            command.args(["--env", name]);
        }
        succeed(command.env("DOCKER_HOST", engine.host()).env("HOME", home.path()));
        assert_eq!(engine.answer("by-pack"), fs::read_to_string(app.join("expected.json")).unwrap());
    }
}
