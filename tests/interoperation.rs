//! Other people's tools take the images: skopeo, umoci, Docker's engine.

use crate::support::{Engine, Machine, repository, succeed};
use std::path::Path;
use std::process::Command;

struct Exported {
    folder: tempfile::TempDir,
    digest: String,
}

fn exported(name: &str) -> Exported {
    let machine = Machine::shared();
    machine.prepare();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let outputs = ["--output", &format!("oci:{}:v1", path("layout")), "--output", &format!("docker-archive:{}", path("app.tar"))];
    let digest = machine.built(name, &repository("fixtures/apps/python-fastapi"), &outputs);
    Exported { folder, digest }
}

#[test]
fn skopeo_copies_the_layout_and_the_archive() {
    let exported = exported("for-skopeo");
    let path = |name: &str| exported.folder.path().join(name).display().to_string();
    succeed(Command::new("skopeo").args(["copy", "--quiet", &format!("oci:{}:v1", path("layout")), &format!("dir:{}", path("copy"))]));
    let text = succeed(Command::new("skopeo").args(["inspect", &format!("oci:{}:v1", path("layout"))]));
    let inspected: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(inspected["Digest"], exported.digest.as_str());
    succeed(Command::new("skopeo").args([
        "copy",
        "--quiet",
        &format!("docker-archive:{}", path("app.tar")),
        &format!("dir:{}", path("again")),
    ]));
}

#[test]
fn umoci_unpacks_the_layout() {
    let exported = exported("for-umoci");
    let bundle = exported.folder.path().join("bundle");
    let image = format!("{}:v1", exported.folder.path().join("layout").display());
    succeed(Command::new("umoci").args(["unpack", "--rootless", "--image", &image]).arg(&bundle));
    for file in ["rootfs/workspace/main.py", "rootfs/cnb/lifecycle/launcher", "rootfs/usr/bin/python3", "rootfs/var/lib/dpkg/status"] {
        assert!(bundle.join(file).symlink_metadata().is_ok(), "{file}");
    }
}

#[test]
fn dockers_engine_loads_the_archive_and_serves_the_app() {
    let exported = exported("for-docker");
    let engine = Engine::shared();
    let loaded = succeed(engine.docker(&["load", "--input"]).arg(exported.folder.path().join("app.tar")));
    assert!(loaded.contains("for-docker:latest"), "{loaded}");
    assert_eq!(engine.answer("for-docker"), std::fs::read_to_string(repository("fixtures/apps/python-fastapi/expected.json")).unwrap());
    assert!(Path::new(&exported.folder.path().join("app.tar")).exists());
}
