//! An app in an engine whose run image this program composes.

use crate::support::{Engine, Machine, repository, run, succeed, write};
use serde_json::Value;
use std::process::{Command, Output};

/// REB-01, REB-13.
/// The new run image is composed and comes into the engine; the app's own layers stay.
#[test]
fn patches_of_debian_reach_an_app_in_an_engine() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), Engine::shared());
    let machine = Machine::fresh(folder.path());
    let source = folder.path().join("source");
    succeed(Command::new("cp").arg("-rT").arg(repository("fixtures/apps/procfile")).arg(&source));
    write(&source.join("Aptfile"), "openssl\n");
    let cooper = |arguments: &[&str]| -> Output { run(machine.command(arguments).env("DOCKER_HOST", engine.host())) };
    let done = |arguments: &[&str]| {
        let output = cooper(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    // The state of the last point release.
    done(&["builder", "update", "bookworm", "--without", "debian-security"]);
    done(&["build", "patched-there", "--path", source.to_str().unwrap(), "--builder", "bookworm", "--docker", "--quiet"]);
    let layers = || -> Vec<String> { serde_json::from_str(&engine.inspect("patched-there", "{{json .RootFS.Layers}}")).unwrap() };
    let before = layers();
    let name = "docker:patched-there:latest";
    assert_eq!(cooper(&["rebase", name, "--check"]).status.code(), Some(10));
    assert_eq!(layers(), before);
    let id = engine.inspect("patched-there", "{{.Id}}");
    let report: Value = serde_json::from_str(&done(&["rebase", name, "--output", "json"])).unwrap();
    let difference = &report["comparison"]["difference"];
    let changed: Vec<&Value> = difference["changed"].as_array().unwrap().iter().filter(|changed| changed["source"] == "openssl").collect();
    assert!(changed.iter().any(|changed| changed["cves"][0].as_str().is_some_and(|cve| cve.starts_with("CVE-20"))), "{report:#}");
    // The store has the app's layers: the engine need not give the whole image.
    assert!(!engine.log().lines().any(|line| line.contains(&id["sha256:".len()..]) && line.contains("/get")));
    let after = layers();
    let kept = before.iter().zip(&after).map(|(before, after)| before == after);
    // The base and the packages of the app are new; the app is not.
    assert_eq!((after.len(), kept.collect::<Vec<_>>()), (before.len(), [&[false; 2][..], &vec![true; before.len() - 2]].concat()));
    assert_eq!(cooper(&["rebase", name, "--check"]).status.code(), Some(0));
    let listed: Vec<String> = succeed(&mut engine.docker(&["images", "--format", "{{.Repository}}"])).lines().map(Into::into).collect();
    assert!(listed.iter().any(|name| name.ends_with("cooper/bookworm-run")), "{listed:?}");
}
