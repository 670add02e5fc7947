//! Builders and run images that must be signed.

use super::{key_pair, said};
use crate::support::builder::Builder;
use crate::support::{Machine, Registry, repository, run, succeed};
use std::path::Path;
use std::process::Command;

/// A rebase in a registry, and a build, of which every base must be signed.
#[test]
fn what_must_be_signed_is_not_used_unless_it_is() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    let ((key, public), (_, other)) = (key_pair(&machine, folder.path(), "one"), key_pair(&machine, folder.path(), "other"));
    let builder = Builder::new(&machine, folder.path());
    let registry = Registry::start();
    let (run_image, of_builder) = (registry.name("base/run:1"), registry.name("base/builder:1"));
    let layout = |name: &str| format!("oci:{}:{name}", machine.store.display());
    for (source, name) in [(layout(&builder.run_image), &run_image), (builder.name(), &of_builder)] {
        let source = if source.contains(':') { source } else { layout(&source) };
        succeed(Command::new("skopeo").args(["copy", "--quiet", "--dest-tls-verify=false", &source, &format!("docker://{name}")]));
    }
    let configured = |arguments: &[&str], code: i32| -> String {
        let fresh = Machine::empty(&folder.path().join("store"));
        let mut command = fresh.command(arguments);
        let output =
            run(command.env("XDG_CONFIG_HOME", folder.path()).env("HOME", folder.path()).env("COOPER_KEY_PASSWORD", super::PASSWORD));
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    };
    let pattern = format!("{}/base/*", registry.host());
    let add = |key: &Path| configured(&["config", "trust", "add", &pattern, "--key", key.to_str().unwrap()], 0);
    add(&other);
    let app = repository("fixtures/builder/app");
    let build = ["build", "trusted", "--path", app.to_str().unwrap(), "--builder", &of_builder, "--run-image", &run_image, "--quiet"];
    let refused = configured(&build, 1);
    assert!(refused.contains("must be signed") && refused.contains("base/builder"), "{refused}");
    // Signed, but with another key than the rule has.
    for name in [&run_image, &of_builder] {
        said(&machine, &["sign", name, "--key", key.to_str().unwrap()], 0);
    }
    assert!(configured(&build, 1).contains("no key that is trusted for it"));
    add(&public);
    assert!(configured(&["config", "trust", "list"], 0).contains(&pattern));
    configured(&build, 0);
    // What was found out once needs no network.
    configured(&[&build[..], &["--offline"]].concat(), 0);
    configured(&["config", "trust", "remove", &pattern], 0);
    assert!(configured(&["config", "trust", "remove", &pattern], 1).contains("has no rule"));
}
