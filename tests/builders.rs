//! Builders that are images: other people's buildpacks run unchanged.

use crate::support::builder::Builder;
use crate::support::{Engine, Machine, Registry, repository, run, succeed};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// BLD-16, DESC-05, DESC-14, DET-24, ENV-16, LCH-13, SBOM-05, SLC-01, VER-10, VER-15, VER-17.
#[test]
fn buildpacks_of_a_builder_image_run_unchanged() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let builder = Builder::new(&machine, folder.path());
    let app = repository("fixtures/builder/app");
    let build = |more: &[&str]| {
        let name = builder.name();
        let arguments = ["build", "foreign", "--path", app.to_str().unwrap(), "--builder", &name, "--env", "USER_SETS=user"];
        let output = run(machine.command(&arguments).args(more));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    };
    // An earlier run's image has a store, which a cleared cache does not forget; on a new machine there is none.
    drop(machine.run(&["rmi", "foreign"]));
    let first = build(&["--clear-cache"]);
    assert!(first.contains("build 1 sees nothing but user and operator"), "{first}");
    let started = |arguments: &[&str]| succeed(&mut machine.command(&[&["run", "foreign"], arguments].concat()));
    assert_eq!(started(&[]), "linux production exec.d hello\n");
    assert_eq!(started(&["--entrypoint", "shell"]), "profile old tool\n");

    let second = build(&[]);
    assert!(second.contains("build 2 sees nothing"), "{second}");
    assert!(second.contains("the cached layer is back") && !first.contains("the cached layer is back"), "{second}");

    let config = machine.config("foreign");
    let labels = &config["config"]["Labels"];
    assert_eq!(labels["acme.label"], "from a buildpack");
    let metadata: Value = serde_json::from_str(labels["io.buildpacks.lifecycle.metadata"].as_str().unwrap()).unwrap();
    assert_eq!(metadata["runImage"]["image"], builder.run_image.as_str());
    assert_eq!(metadata["app"].as_array().unwrap().len(), 2);
    assert_eq!(metadata["buildpacks"][1]["store"]["metadata"]["count"], 2);
    let files = started(&["--entrypoint", "launcher", "--", "sh", "-c", "cd /layers/sbom/launch && find . -type f | sort"]);
    let of_launcher = ["cdx", "spdx", "syft"].map(|format| format!("./buildpacksio_lifecycle/launcher/sbom.{format}.json\n")).concat();
    let of_buildpack = "./acme_new/cached/sbom.cdx.json\n./acme_new/cached/sbom.spdx.json\n./acme_new/sbom.cdx.json\n";
    assert_eq!(files, format!("{of_buildpack}{of_launcher}./sbom.legacy.json\n"));
    assert_eq!(succeed(&mut machine.command(&["store", "verify"])), "the store is valid\n");
}

/// The images are nowhere but in a registry, then nowhere but in an engine.
#[test]
fn builders_come_from_registries_and_engines() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let builder = Builder::new(&machine, folder.path());
    let (registry, engine) = (Registry::start(), Engine::shared());
    let run_image = format!("oci:{}:{}", machine.store.display(), builder.run_image);
    let copy = |source: &str, target: &str, more: &[&str]| {
        succeed(Command::new("skopeo").args(["copy", "--quiet", "--dest-tls-verify=false"]).args(more).args([source, target]));
    };
    let in_registry = |name: &str| format!("{}/{name}:1", registry.host());
    copy(&builder.name(), &format!("docker://{}", in_registry("builder")), &[]);
    copy(&run_image, &format!("docker://{}", in_registry("run")), &[]);
    copy(&builder.name(), "docker-daemon:far-builder:1", &["--dest-daemon-host", &engine.host()]);
    copy(&run_image, "docker-daemon:far-run:1", &["--dest-daemon-host", &engine.host()]);

    let app = repository("fixtures/builder/app");
    let built = |store: &str, builder: &str, run_image: &str, policy: &str| {
        let machine = Machine::empty(&folder.path().join(store));
        let arguments = ["build", "far", "--path", app.to_str().unwrap(), "--builder", builder, "--run-image", run_image, "--quiet"];
        succeed(machine.command(&arguments).args(["--pull-policy", policy]).env("DOCKER_HOST", engine.host()));
        assert_eq!(succeed(&mut machine.command(&["run", "far"])), "linux production exec.d hello\n");
        assert_eq!(succeed(&mut machine.command(&["store", "verify"])), "the store is valid\n");
    };
    built("from-registry", &in_registry("builder"), &in_registry("run"), "always");
    built("from-engine", "docker:far-builder:1", "docker:far-run:1", "never");
    // What stands on a run image of an engine knows it by its ID there.
    let inspected = succeed(&mut Machine::empty(&folder.path().join("from-engine")).command(&["inspect", "far", "--output", "json"]));
    let id = engine.inspect("far-run:1", "{{.Id}}");
    assert!(inspected.contains(&format!("\"run_image\": \"{}\"", &id["sha256:".len()..])), "{id} {inspected}");
    // A mirror has what its registry is named for; what it does not have is asked of the registry itself.
    let configuration = folder.path().join("configuration/cooper");
    fs::create_dir_all(&configuration).unwrap();
    let mirrors = format!("[registry-mirrors]\n'far.test' = '{}'\n'{}' = '127.0.0.1:1'\n", registry.host(), registry.host());
    fs::write(configuration.join("config.toml"), mirrors).unwrap();
    let by_mirror = |more: &[&str]| {
        let machine = Machine::empty(&folder.path().join("by-mirror"));
        let run_image = in_registry("run");
        let arguments = ["build", "far", "--path", app.to_str().unwrap(), "--builder", "far.test/builder:1", "--run-image", &run_image];
        run(machine.command(&arguments).args(more).env("XDG_CONFIG_HOME", folder.path().join("configuration")))
    };
    let output = by_mirror(&["--offline"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("there is no image `far.test/builder:1`"), "{said}");
    for more in [&[][..], &["--offline", "--pull-policy", "always"]] {
        let output = by_mirror(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // What was pulled once is enough.
    let names = ["builder", "run"].map(in_registry);
    drop(registry);
    built("from-registry", &names[0], &names[1], "if-not-present");
    built("from-registry", &names[0], &names[1], "daily");
    built("from-registry", &names[0], &names[1], "always");
}

#[test]
fn what_is_no_builder_is_said() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let builder = Builder::new(&machine, folder.path());
    let app = repository("fixtures/builder/app");
    let refused = |arguments: &[&str]| {
        let output = run(machine.command(&["build", "refused", "--path", app.to_str().unwrap()]).args(arguments));
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused(&["--builder", &builder.run_image]);
    assert!(said.contains("has no label `io.buildpacks.builder.metadata`"), "{said}");
    let said = refused(&["--builder", "oci:nowhere"]);
    assert!(said.contains("cannot read the OCI layout `nowhere`"), "{said}");
    let said = refused(&["--run-image", "busybox"]);
    assert!(said.contains("has a run image of its own"), "{said}");

    let blob = fs::read_dir(builder.layout.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap()).max_by_key(|entry| {
        let of_buildpacks = entry.metadata().unwrap().len() < 1 << 20;
        (of_buildpacks, entry.metadata().unwrap().len())
    });
    let damaged = Machine::empty(folder.path());
    fs::write(blob.unwrap().path(), "damaged").unwrap();
    let output = run(&mut damaged.command(&["build", "refused", "--path", app.to_str().unwrap(), "--builder", &builder.name()]));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("is damaged: its content has"), "{said}");
    assert_eq!(succeed(&mut damaged.command(&["store", "verify"])), "the store is valid\n");
}
