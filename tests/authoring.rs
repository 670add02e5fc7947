//! `cooper buildpack new`, `validate`, `inspect`, `pull`, `register`, `yank`: for people who write buildpacks.

use crate::buildpackages::module;
use crate::support::{Machine, Registry, repository, succeed, write};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// What is new has nothing wrong, and builds.
#[test]
fn a_new_buildpack_builds_at_once() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    let run = |arguments: &[&str]| succeed(machine.command(arguments).current_dir(folder.path()));
    run(&["buildpack", "new", "acme/hello", "--targets", "linux/amd64,linux/arm64"]);
    run(&["extension", "new", "acme/made-by", "--path", "ext", "--version", "2.0.0", "--api", "0.10"]);
    assert_eq!(
        [run(&["buildpack", "validate", "hello"]), run(&["extension", "validate", "ext"])],
        ["nothing is wrong\n", "nothing is wrong\n"]
    );
    for (kind, folder) in [("buildpack", "hello"), ("extension", "ext")] {
        let said = run(&[kind, "test", folder]);
        assert!(said.starts_with("passed  hello") && said.ends_with("1 passed, 0 failed\n"), "{said}");
    }
    let app = repository("fixtures/builder/app");
    run(&["build", "new-hello", "--path", app.to_str().unwrap(), "--buildpack", "hello", "--quiet"]);
    assert_eq!(run(&["run", "new-hello"]), "hello from /workspace: hello.txt other\n");
    run(&["buildpack", "package", "new-hello-package", "--path", "hello"]);
    assert_eq!(run(&["buildpack", "validate", "new-hello-package"]), "nothing is wrong\n");
    let said: Value = serde_json::from_str(&run(&["buildpack", "inspect", "new-hello-package", "--output", "json"])).unwrap();
    assert_eq!((&said[0]["id"], &said[0]["version"]), (&"acme/hello".into(), &"1.0.0".into()));
    assert!(run(&["buildpack", "inspect", "hello"]).contains("for     linux/amd64, linux/arm64"));
    let again = machine.command(&["buildpack", "new", "acme/hello"]).current_dir(folder.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"));
    let bad = machine.run(&["buildpack", "new", "acme/a b", "--path", "none"]);
    assert!(String::from_utf8_lossy(&bad.stderr).contains("is no letter, digit"));
}

/// The crates are those that this program is made of: nothing is fetched.
#[test]
fn a_new_buildpack_in_rust_compiles_and_builds_at_once() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    let run = |arguments: &[&str]| succeed(machine.command(arguments).current_dir(folder.path()));
    run(&["buildpack", "new", "acme/rusty", "--language", "rust"]);
    fs::copy(repository("Cargo.lock"), folder.path().join("rusty/Cargo.lock")).unwrap();
    let target = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("rusty");
    let mut compile = Command::new(folder.path().join("rusty/compile"));
    compile.env("CARGO_NET_OFFLINE", "true").env("CARGO_TARGET_DIR", target);
    // What cargo says of this crate to its tests is not for another one.
    std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG") || name == "CARGO_MANIFEST_DIR").for_each(|(name, _)| {
        compile.env_remove(name);
    });
    succeed(&mut compile);
    let said = run(&["buildpack", "test", "rusty/buildpack", "--tests", "rusty/tests"]);
    assert!(said.starts_with("passed  hello"), "{said}");
    assert_eq!(run(&["buildpack", "validate", "rusty/buildpack"]), "nothing is wrong\n");
    let extension = machine.command(&["extension", "new", "acme/e", "--language", "rust"]).current_dir(folder.path()).output().unwrap();
    assert!(String::from_utf8_lossy(&extension.stderr).contains("libcnb.rs, which is for buildpacks"));
}

/// DESC-03, DESC-04, DESC-06, DESC-18, DESC-19, PKG-20, PKG-21, PKG-22.
#[test]
fn each_finding_has_its_place_and_its_rule() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::empty(folder.path());
    let path = folder.path().join("buildpack");
    let validate = |text: &str| {
        write(&path.join("buildpack.toml"), text);
        let output = machine.run(&["buildpack", "validate", path.to_str().unwrap()]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let text = |section: &str, more: &str| format!("api = \"0.12\"\n[buildpack]\n{section}\n{more}");
    let good = "id = \"acme/x\"\nversion = \"1.0.0\"";
    let (code, said) = validate(&text(good, ""));
    assert_eq!(
        (code, said.as_str()),
        (Some(1), "bin/build: error: it is missing [programs]\nbin/detect: error: it is missing [programs]\n")
    );
    write(&path.join("bin/detect"), "#!/bin/sh\n");
    write(&path.join("bin/build"), "echo");
    let not_started = "bin/build: warning: it cannot be started; packages make it so, builds from this folder do not [programs]\n";
    assert_eq!(validate(&text(good, "")), (Some(0), not_started.to_string()));
    write(&path.join("bin/build"), "#!/bin/sh\n");
    let order = "[[order]]\n[[order.group]]\nid = \"acme/y\"\n";
    for (text, code, finding) in [
        ("api = \n".to_string(), 1, "buildpack.toml:1: error: "),
        (
            text("id = \"app\"\nversion = \"1.0.0\"", ""),
            1,
            "buildpack.toml:3: error: `app` cannot be an ID: the platform uses it itself [id]",
        ),
        (text("id = \"a_b\"\nversion = \"1.0.0\"", ""), 1, "buildpack.toml:3: error: `a_b` cannot be an ID: `_` is no letter"),
        (text("id = \"a\"\nversion = \"1.02.0\"", ""), 0, "buildpack.toml:4: warning: `1.02.0` is not of the form X.Y.Z"),
        (text("id = \"a\"", ""), 1, "`buildpack.version` is required [version]"),
        (text("version = \"1.0.0\"", ""), 1, "`buildpack.id` is required"),
        (format!("[buildpack]\n{good}\n"), 1, "error: buildpack API version '' is incompatible with the lifecycle [api]"),
        (text(good, "[extra]\n"), 0, "buildpack.toml:5: warning: `extra` is no key that anybody reads"),
        (text(good, "[metadata]\nextra = 1\n"), 0, "nothing is wrong"),
        (text(good, "sbom-formats = [\"text/plain\"]\n"), 1, "buildpack.toml:5: error: `text/plain` is no SBOM format"),
        (text(good, "sbom-formats = [\"application/spdx+json;version=2.3\"]\n"), 0, "nothing is wrong"),
        (text(good, &format!("[[stacks]]\nid = \"*\"\n{order}")), 1, "buildpack.toml:5: error: a buildpack with an order has no `stacks`"),
        (text(good, order), 1, "buildpack.toml:6: error: `acme/y` in the order has no version"),
        (text(good, order), 1, "bin/build: warning: a buildpack with an order runs no program"),
        (text(good, "[[buildpack.exec-env]]\nname = \"test\"\n"), 0, "buildpack.toml:5: warning: the reference does not read tables"),
    ] {
        let (found, said) = validate(&text);
        assert!(found == Some(code) && said.contains(finding), "{finding}: {found:?} {said}");
    }
    write(&path.join("package.toml"), "[buildpack]\nurl = \".\"\n");
    let json = machine.run(&["buildpack", "validate", path.to_str().unwrap(), "--output", "json"]).stdout;
    let json: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        (&json[0]["file"], &json[0]["severity"], &json[0]["rule"]),
        (&"package.toml".into(), &"error".into(), &"package.toml".into())
    );
}

/// REG-05, REG-08. A registry that is a git repository gets a commit, one on GitHub a request.
#[test]
fn buildpacks_are_registered_and_taken_back() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start());
    let machine = Machine::empty(folder.path());
    module(&folder.path().join("one"), "buildpack", "acme/one", "1.0.0", "");
    let image = format!("{}/one:1", registry.host());
    let one = folder.path().join("one");
    let digest = succeed(&mut machine.command(&["buildpack", "package", &image, "--path", one.to_str().unwrap(), "--publish", "--quiet"]));
    let bare = folder.path().join("index.git");
    succeed(Command::new("git").args(["init", "--quiet", "--bare"]).arg(&bare));
    let index = bare.to_str().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = machine.command(&["buildpack"]);
        for (name, value) in
            [("GIT_AUTHOR_NAME", "t"), ("GIT_AUTHOR_EMAIL", "t@t.test"), ("GIT_COMMITTER_NAME", "t"), ("GIT_COMMITTER_EMAIL", "t@t.test")]
        {
            command.env(name, value);
        }
        command.args(arguments).output().unwrap()
    };
    let said = |output: std::process::Output| String::from_utf8(output.stderr).unwrap();
    let done = run(&["register", &image, "--buildpack-registry", index]);
    assert!(done.status.success(), "{}", said(done));
    let pulled = said(run(&["pull", "urn:cnb:registry:acme/one", "--buildpack-registry", index]));
    assert!(pulled.contains("the store has the buildpack acme/one@1.0.0"), "{pulled}");
    let log = succeed(Command::new("git").arg("-C").arg(&bare).args(["log", "--all", "--format=%s"]));
    assert_eq!(log, "ADD acme/one@1.0.0\n");
    assert!(said(run(&["register", &image, "--buildpack-registry", index])).contains("has `acme/one@1.0.0` already"));
    assert!(run(&["yank", "acme/one@1.0.0", "--buildpack-registry", index]).status.success());
    assert!(
        said(run(&["pull", "urn:cnb:registry:acme/one", "--buildpack-registry", index])).contains("does not have a version of `acme/one`")
    );
    let explicit = said(run(&["pull", "urn:cnb:registry:acme/one@1.0.0", "--buildpack-registry", index]));
    assert!(explicit.contains("was taken back by its author"), "{explicit}");
    assert!(run(&["yank", "acme/one@1.0.0", "--undo", "--buildpack-registry", index]).status.success());
    assert!(!said(run(&["pull", "acme/one@1.0.0", "--buildpack-registry", index])).contains("taken back"));

    let asked = run(&["register", &image, "--buildpack-registry", "https://github.com/acme/index"]);
    let url = String::from_utf8(asked.stdout).unwrap();
    let addr = format!("{}/one@{}", registry.host(), digest.trim()).replace('/', "%2F").replace(':', "%3A").replace('@', "%40");
    let body = format!("%0Aid%20%3D%20%22acme%2Fone%22%0Aversion%20%3D%20%221.0.0%22%0Aaddr%20%3D%20%22{addr}%22%0A");
    assert_eq!(url, format!("https://github.com/acme/index/issues/new?title=ADD%20acme%2Fone%401.0.0&body={body}\n"));
    let bad = said(run(&["yank", "acme/one"]));
    assert!(bad.contains("names no version"), "{bad}");
    drop(fs::remove_dir_all(&bare));
}
