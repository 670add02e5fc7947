//! Keys, signatures and attestations, beside cosign and oras: each verifies or shows what the other made, without any network.

mod flips;
mod keys;
mod published;
mod rebased;
mod signed;
mod trust;

use crate::support::{Machine, Registry, run, succeed};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The password of all keys in these tests.
const PASSWORD: &str = "open sesame";

/// A command of the program that knows the password.
fn cooper(machine: &Machine, arguments: &[&str]) -> Command {
    let mut command = machine.command(arguments);
    command.env("COOPER_KEY_PASSWORD", PASSWORD);
    command
}

/// What a command of the program said that must end with a code.
fn said(machine: &Machine, arguments: &[&str], code: i32) -> String {
    let output = run(&mut cooper(machine, arguments));
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

/// A command of cosign that knows the password, and asks nobody.
fn cosign(arguments: &[&str]) -> Command {
    let mut command = Command::new("cosign");
    command.args(arguments).env("COSIGN_PASSWORD", PASSWORD).env("COSIGN_YES", "true").env("HOME", std::env::temp_dir());
    command
}

/// What cosign signs or attests, without a log of the world's.
fn cosign_signs(command: &str, key: &Path, image: &str, more: &[&str]) {
    let key = key.to_str().unwrap();
    let offline = ["--tlog-upload=false", "--use-signing-config=false", "--allow-http-registry"];
    succeed(&mut cosign(&[&[command, "--key", key], more, &offline, &[image]].concat()));
}

/// What cosign says of an image with a public key.
fn cosign_verifies(command: &str, key: &Path, image: &str, more: &[&str]) -> Output {
    let key = key.to_str().unwrap();
    run(&mut cosign(&[&[command, "--key", key, "--insecure-ignore-tlog", "--allow-http-registry"], more, &[image]].concat()))
}

/// A pair of keys of this program: the private and the public one.
fn key_pair(machine: &Machine, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let prefix = folder.join(name);
    said(machine, &["key", "generate", "--output-key-prefix", prefix.to_str().unwrap()], 0);
    (prefix.with_extension("key"), prefix.with_extension("pub"))
}

/// An image in a registry, of a layout with the image `x`.
fn pushed(machine: &Machine, layout: &Path, registry: &Registry, name: &str) -> String {
    let name = registry.name(name);
    said(machine, &["copy", &format!("oci:{}:x", layout.display()), &name], 0);
    name
}

/// The types of what refers to an image, as oras tells, sorted.
fn discovered(image: &str) -> Vec<(String, String)> {
    let found = succeed(Command::new("oras").args(["discover", "--plain-http", "--format", "json", image]));
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_string();
    let entry = |entry: &serde_json::Value| {
        let stated = ["dev.sigstore.bundle.predicateType", "in-toto.io/predicate-type"].map(|name| text(&entry["annotations"][name]));
        (text(&entry["artifactType"]), stated.concat())
    };
    let mut all: Vec<_> = found["referrers"].as_array().unwrap().iter().map(entry).collect();
    all.sort();
    all
}
