//! Validators of the formats' makers, and scanners.

use super::{components, download, files, json, purls};
use crate::support::{Machine, repository, succeed};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Reads each file that it is given with the validator of its format, and asks of merged SPDX documents whether they have the minimum elements.
const VALIDATOR: &str = r#"
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from ntia_conformance_checker import sbom_checker
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

wrong = []
for name in sys.argv[1:]:
    text = open(name).read()
    if name.endswith('.cdx.json'):
        version = SchemaVersion['V' + json.loads(text)['specVersion'].replace('.', '_')]
        problem = JsonStrictValidator(version).validate_str(text)
        wrong += [f'{name}: {problem}'] if problem else []
    if name.endswith('.spdx.json'):
        wrong += [f'{name}: {found.validation_message}' for found in validate_full_spdx_document(parse_file(name))]
        if 'layers/sbom' not in name and not sbom_checker.SbomChecker(name).compliant:
            wrong += [f'{name}: minimum elements are missing']
sys.exit('\n'.join(wrong) or 0)
"#;

fn syft(arguments: &[&str]) -> Value {
    let mut command = Command::new("syft");
    command.args(arguments).env("SYFT_CHECK_FOR_APP_UPDATE", "false");
    serde_json::from_str(&succeed(&mut command)).unwrap()
}

/// SBOM-01. The files of buildpacks and the launcher, and the merged documents.
#[test]
fn validators_accept_all_documents() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    machine.built("for-validators", &repository("fixtures/apps/python-fastapi"), &[]);
    let venv = folder.path().join("venv");
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let packages = ["cyclonedx-python-lib[json-validation]==11.*", "spdx-tools==0.8.*", "ntia-conformance-checker==6.*"];
    succeed(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "--disable-pip-version-check"]).args(packages));
    let target = folder.path().join("sbom");
    download(&machine, "for-validators", &target, &[]);
    let all: Vec<_> = files(&target).into_iter().map(|(path, _)| target.join(path)).collect();
    for (ending, count) in [(".cdx.json", 3), (".spdx.json", 3), (".syft.json", 3)] {
        assert_eq!(all.iter().filter(|path| path.to_str().unwrap().ends_with(ending)).count(), count, "{all:?}");
    }
    succeed(Command::new(venv.join("bin/python")).args(["-W", "ignore", "-c", VALIDATOR]).args(&all));
}

/// Scanners read dpkg's database and the packages' own metadata, which nothing of ours tells them; our documents say the same, and the launcher's
/// crates besides. Releases of Debian are named otherwise: Syft takes point releases from `/etc/debian_version`, we the release of `os-release`.
#[test]
fn syft_finds_the_packages_that_the_documents_list() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    let layout = folder.path().join("layout").display().to_string();
    machine.built("for-syft", &repository("fixtures/apps/python-fastapi"), &["--output", &format!("oci:{layout}:v1")]);
    let target = folder.path().join("sbom");
    download(&machine, "for-syft", &target, &[]);
    let found = syft(&["scan", "--quiet", "--output", "json", &format!("oci-dir:{layout}")]);
    let own = json(target.join("sbom.syft.json"));
    for kind in ["deb", "python"] {
        assert!(!purls(&own, kind).is_empty());
        assert_eq!(purls(&own, kind), purls(&found, kind));
    }
    assert_eq!(purls(&found, "rust-crate").len(), 0);
    assert!(purls(&own, "rust-crate").iter().any(|purl| purl.starts_with("pkg:cargo/cooper-launcher@")));
    assert_eq!(found["distro"]["id"], own["distro"]["id"]);
}

/// Every document means the same to Syft as to us.
#[test]
fn syft_reads_the_documents() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    machine.built("for-syft-to-read", &repository("fixtures/apps/python-flask"), &[]);
    download(&machine, "for-syft-to-read", folder.path(), &[]);
    let own = json(folder.path().join("sbom.syft.json"));
    for name in ["sbom.cdx.json", "sbom.spdx.json", "sbom.syft.json"] {
        let path = folder.path().join(name).display().to_string();
        let read = syft(&["convert", "--quiet", &path, "--output", "json"]);
        for kind in ["deb", "python", "rust-crate"] {
            assert_eq!(purls(&read, kind), purls(&own, kind), "{name}");
        }
    }
}

/// Everything that is known of packages of Python, of Debian and of the launcher is in the document.
#[test]
fn packages_have_what_their_makers_say() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    machine.built(
        "with-everything",
        &repository("fixtures/apps/python-flask"),
        &["--sbom-output-dir", folder.path().join("built").to_str().unwrap()],
    );
    let target = folder.path().join("downloaded");
    download(&machine, "with-everything", &target, &[]);
    for name in ["sbom.cdx.json", "sbom.spdx.json", "sbom.syft.json"] {
        assert!(std::fs::read(folder.path().join("built").join(name)).unwrap() == std::fs::read(target.join(name)).unwrap(), "{name}");
    }
    let all = components(&target);
    let named = |name: &str| all.iter().find(|component| component["name"] == name).unwrap_or_else(|| panic!("no {name}"));
    let (flask, libc, launcher) = (named("Flask"), named("libc6"), named("cooper-launcher"));
    assert_eq!(flask["licenses"][0]["expression"], "BSD-3-Clause");
    for component in [flask, libc] {
        let hash = &component["hashes"][0];
        assert_eq!((&hash["alg"], hash["content"].as_str().unwrap().len()), (&"SHA-256".into(), 64), "{component}");
        assert!(component["supplier"]["name"].is_string() && component["licenses"].is_array(), "{component}");
    }
    let described: Value =
        serde_json::from_str(&succeed(&mut machine.command(&["inspect", "with-everything", "--output", "json"]))).unwrap();
    let layers = &described["layers"];
    let layer_of = |component: &Value| {
        let place = &component["evidence"]["occurrences"][0];
        let layer = layers.as_array().unwrap().iter().find(|layer| layer["diff_id"] == place["additionalContext"]).unwrap();
        (layer["created_by"].as_str().unwrap().to_string(), place["location"].as_str().unwrap().to_string())
    };
    assert_eq!(layer_of(libc), ("Debian packages of the run image".into(), "/var/lib/dpkg/status".into()));
    assert_eq!(layer_of(launcher), ("Buildpacks Application Launcher".into(), "/cnb/lifecycle/launcher".into()));
    let (by, path) = layer_of(flask);
    assert!(by.contains("cooper/python") && Path::new(&path).ends_with("METADATA"), "{by} {path}");
    let edges = &json(target.join("sbom.cdx.json"))["dependencies"];
    let of = |component: &Value| {
        let edge = edges.as_array().unwrap().iter().find(|edge| edge["ref"] == component["bom-ref"]).unwrap();
        edge["dependsOn"].as_array().cloned().unwrap_or_default()
    };
    assert!(
        of(flask).contains(&named("Werkzeug")["bom-ref"])
            && of(named("python3")).iter().any(|on| on.as_str().unwrap().contains("/libc") || on.as_str().unwrap().contains("/python3"))
    );
}

/// CI stops where a rule is broken.
#[test]
fn rules_are_checked() {
    let machine = Machine::shared();
    machine.prepare();
    machine.built("to-be-checked", &repository("fixtures/apps/python-flask"), &[]);
    let check = |more: &[&str]| {
        let output = machine.run(&[&["sbom", "check", "to-be-checked"][..], more].concat());
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(check(&["--deny-license", "AGPL-*", "--require", "versions", "--require", "package:flask"]).0, 0);
    let (code, text) = check(&["--type", "pypi", "--deny-license", "BSD-*", "--except", "werkzeug"]);
    assert!(
        code == 10 && text.contains("Flask") && text.contains("its licence is denied: BSD-3-Clause") && !text.contains("Werkzeug"),
        "{text}"
    );
    let (code, text) = check(&["--require", "package:log4j", "--output", "json"]);
    let checked: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &checked["findings"][0]["package"], &checked["findings"][0]["rule"]), (10, &"log4j".into(), &"require".into()));
    assert_eq!(check(&["--require", "nonsense"]).0, 2);
}
