//! Other people's tools take the images: skopeo, umoci, Docker's engine.

use crate::support::{Engine, Machine, get, repository, run, succeed};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

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

/// Scanners read dpkg's database and the packages' own metadata: nothing of ours tells them.
#[test]
fn syft_lists_the_packages_of_debian_and_of_python() {
    let exported = exported("for-syft");
    let layout = format!("oci-dir:{}", exported.folder.path().join("layout").display());
    let mut command = Command::new("syft");
    command.args(["scan", "--quiet", "--output", "json", &layout]).env("SYFT_CHECK_FOR_APP_UPDATE", "false");
    let found: serde_json::Value = serde_json::from_str(&succeed(&mut command)).unwrap();
    let names = |kind: &str| -> Vec<&str> {
        let all = found["artifacts"].as_array().unwrap().iter().filter(|artifact| artifact["type"] == kind);
        all.map(|artifact| artifact["name"].as_str().unwrap()).collect()
    };
    for (kind, wanted) in [("deb", ["libc6", "python3"]), ("python", ["fastapi", "uvicorn"])] {
        assert!(wanted.iter().all(|name| names(kind).contains(name)), "{kind}: {:?}", names(kind));
    }
    assert_eq!(found["distro"]["id"], "debian");
}

/// The validators that the makers of the formats publish read each SBOM file of the image (SBOM-01).
#[test]
fn validators_accept_the_sbom_files() {
    let machine = Machine::shared();
    machine.prepare();
    machine.built("for-validators", &repository("fixtures/apps/python-fastapi"), &[]);
    let folder = tempfile::tempdir().unwrap();
    let venv = folder.path().join("venv");
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let packages = ["cyclonedx-python-lib[json-validation]==11.*", "spdx-tools==0.8.*"];
    succeed(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check"]).args(packages));
    let files = ["-c", "cd /layers/sbom/launch && find . -type f -name 'sbom.c*' -o -type f -name 'sbom.s*' | sort"];
    let listed = succeed(&mut machine.command(&[&["run", "for-validators", "--entrypoint", "launcher", "--", "sh"][..], &files].concat()));
    let mut kinds = [0; 2];
    for file in listed.lines() {
        let inside = format!("/layers/sbom/launch/{file}");
        let text = succeed(&mut machine.command(&["run", "for-validators", "--entrypoint", "launcher", "--", "cat", &inside]));
        let validator = match Path::new(file).file_name().and_then(std::ffi::OsStr::to_str) {
            Some("sbom.cdx.json") => {
                kinds[0] += 1;
                "import sys\nfrom cyclonedx.schema import SchemaVersion\nfrom cyclonedx.validation.json import JsonStrictValidator\n\
                 import json\ntext = open(sys.argv[1]).read()\nversion = 'V' + json.loads(text)['specVersion'].replace('.', '_')\n\
                 sys.exit(str(JsonStrictValidator(SchemaVersion[version]).validate_str(text) or '') or 0)"
            }
            Some("sbom.spdx.json") => {
                kinds[1] += 1;
                "import sys\nfrom spdx_tools.spdx.parser.parse_anything import parse_file\n\
                 from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document\n\
                 messages = validate_full_spdx_document(parse_file(sys.argv[1]))\n\
                 sys.exit('\\n'.join(message.validation_message for message in messages) or 0)"
            }
            _ => continue,
        };
        let copy = folder.path().join(Path::new(file).file_name().unwrap());
        std::fs::write(&copy, text).unwrap();
        succeed(Command::new(venv.join("bin/python")).args(["-c", validator]).arg(&copy));
    }
    assert!(kinds.iter().all(|count| *count > 0), "{listed}");
}

#[test]
fn dockers_engine_loads_the_archive_and_serves_the_app() {
    let exported = exported("for-docker");
    let engine = Engine::shared();
    let loaded = succeed(engine.docker(&["load", "--input"]).arg(exported.folder.path().join("app.tar")));
    assert!(loaded.contains("for-docker:latest"), "{loaded}");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let variable = format!("PORT={port}");
    let id = succeed(&mut engine.docker(&["run", "--detach", "--network", "host", "--env", &variable, "for-docker"]));
    let started = Instant::now();
    let body = loop {
        if let Some(body) = get(port) {
            break body;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", run(&mut engine.docker(&["logs", id.trim()])));
        std::thread::sleep(Duration::from_millis(200));
    };
    let stopped = run(&mut engine.docker(&["rm", "--force", id.trim()]));
    assert!(stopped.status.success());
    assert_eq!(body, std::fs::read_to_string(repository("fixtures/apps/python-fastapi/expected.json")).unwrap());
    assert!(Path::new(&exported.folder.path().join("app.tar")).exists());
}
