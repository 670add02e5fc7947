//! `cooper buildpack test`: what people who write buildpacks expect, and what they are told where it is otherwise.

use crate::support::{Machine, write};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A buildpack that does a little of everything.
const BUILD: &str = r#"#!/usr/bin/env bash
set -euo pipefail
layer=$CNB_LAYERS_DIR/deps
if [ -e "$layer.toml" ]; then echo "deps are back"; else echo "made deps for $CNB_EXEC_ENV"; fi
[ "${BROKEN:-}" = "" ] || { echo "it is broken"; exit 7; }
mkdir -p "$layer/bin" "$layer/env.launch"
printf '#!/bin/sh\necho "tool of $GREETING"\n' > "$layer/bin/tool"
chmod 755 "$layer/bin/tool"
printf hello > "$layer/env.launch/GREETING.default"
printf '[types]\nlaunch = true\ncache = true\n[metadata]\nversion = "1.2.3"\ncount = 2\n' > "$layer.toml"
printf '{"bomFormat":"CycloneDX","specVersion":"1.4","components":[{"type":"library","name":"left","version":"9"}]}' > "$layer.sbom.cdx.json"
printf '[[labels]]\nkey = "acme.label"\nvalue = "x"\n[[processes]]\ntype = "web"\ncommand = ["python3", "-m", "http.server", "8080"]\ndefault = true\n[[processes]]\ntype = "tool"\ncommand = ["tool"]\n' > "$CNB_LAYERS_DIR/launch.toml"
"#;
const DETECT: &str = "#!/bin/sh\n[ -f app.txt ] || exit 100\nprintf '[[provides]]\\nname = \"deps\"\\n[[requires]]\\nname = \"deps\"\\n[requires.metadata]\\nversion = \"1\"\\n[[requires]]\\nname = \"debian-packages\"\\n[requires.metadata]\\nrun = [\"python3\"]\\n' > \"$CNB_BUILD_PLAN_PATH\"\n";

fn program(path: &Path, text: &str) {
    write(path, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn buildpack(folder: &Path) {
    write(
        &folder.join("buildpack.toml"),
        "api = \"0.12\"\n[buildpack]\nid = \"acme/all\"\nversion = \"1.0.0\"\nsbom-formats = [\"application/vnd.cyclonedx+json\"]\n",
    );
    program(&folder.join("bin/detect"), DETECT);
    program(&folder.join("bin/build"), BUILD);
}

fn case(folder: &Path, name: &str, app: &[&str], text: &str) {
    let case = folder.join("tests").join(name);
    fs::create_dir_all(case.join("app")).unwrap();
    app.iter().for_each(|file| write(&case.join("app").join(file), "app\n"));
    write(&case.join("test.toml"), text);
}

fn results(machine: &Machine, folder: &Path, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = [&["buildpack", "test", folder.to_str().unwrap(), "--output", "json"][..], more].concat();
    let output = machine.run(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}")))
}

const ALL: &str = r#"
exec-env = "test"
[expect]
group = ["cooper/debian-packages", "acme/all@1.0.0"]
output = ['made deps for test$']
no-output = ["are back"]
[[expect.plan]]
name = "deps"
providers = ["acme/all"]
metadata = { version = "1" }
[[expect.layers]]
name = "deps"
launch = true
build = false
cache = true
metadata = { version = "1.2.3" }
env = { "env.launch/GREETING.default" = "hello" }
[[expect.processes]]
type = "tool"
default = false
[[expect.labels]]
key = "acme.label"
value = "x"
[[expect.sbom]]
name = "left"
version = "9"
[expect.dockerfiles]
run = ["apt-get install .* python3"]
[[expect.files]]
path = "/layers/acme_all/deps/bin/tool"
mode = "755"
matches = "^echo"
[[expect.files]]
path = "/workspace/app.txt"
text = "app\n"
[[expect.files]]
path = "/workspace/none"
exists = false
[again]
output = ["deps are back"]
[[run]]
process = "tool"
stdout = "tool of hello\n"
[[run]]
command = ["sh", "-c", "echo $GREETING; exit 3"]
env = { GREETING = "mine" }
matches = ["^mine$"]
exit = 3
[[http]]
path = "/app.txt"
body = "app\n"
[[http]]
path = "/none"
status = 404
matches = ["not found"]
"#;

#[test]
fn everything_that_a_build_makes_can_be_expected() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    buildpack(folder.path());
    case(folder.path(), "all", &["app.txt"], ALL);
    case(folder.path(), "another-app", &["other.txt"], "[expect]\ndetect = \"fail\"\n");
    case(folder.path(), "broken", &["app.txt"], "[env]\nBROKEN = \"1\"\n[expect]\nbuild = \"fail\"\noutput = [\"it is broken\"]\n");
    let (code, said) = results(&machine, folder.path(), &["--update"]);
    assert_eq!((code, said.as_array().unwrap().len()), (Some(0), 3), "{said:#}");
    let names: Vec<(&str, bool)> =
        said.as_array().unwrap().iter().map(|one| (one["name"].as_str().unwrap(), one["updated"].as_bool().unwrap())).collect();
    assert_eq!(names, [("all", true), ("another-app", false), ("broken", false)]);
    let snapshot = fs::read_to_string(folder.path().join("tests/all/expected.toml")).unwrap();
    for line in [
        "files = [\"755 bin/tool\", \"644 env.launch/GREETING.default\"]",
        "group = [\"cooper/debian-packages@0.1.0\", \"acme/all@1.0.0\"]",
    ] {
        assert!(snapshot.contains(line), "{line}: {snapshot}");
    }
    // What was written is what is compared with, and a test of one is that one.
    let (code, said) = results(&machine, folder.path(), &["--test", "all"]);
    assert_eq!((code, said.as_array().unwrap().len()), (Some(0), 1), "{said:#}");
    assert!(!String::from_utf8(machine.run(&["images"]).stdout).unwrap().contains("buildpack-test"));
}

#[test]
fn each_difference_is_told() {
    let (machine, folder) = (Machine::shared(), tempfile::tempdir().unwrap());
    machine.prepare();
    buildpack(folder.path());
    let wrong = ALL
        .replace("made deps for test$", "made deps for production")
        .replace("\"acme/all@1.0.0\"", "\"acme/all@2.0.0\"")
        .replace("1.2.3", "1.2.4")
        .replace("version = \"9\"", "version = \"10\"")
        .replace("value = \"x\"", "value = \"y\"")
        .replace("\"755\"", "\"644\"")
        .replace("text = \"app\\n\"", "text = \"other\"")
        .replace("exists = false", "exists = true")
        .replace("deps are back", "deps are new")
        .replace("tool of hello", "tool of nobody")
        .replace("exit = 3", "exit = 4")
        .replace("body = \"app\\n\"", "body = \"other\"")
        .replace("status = 404", "status = 200");
    case(folder.path(), "wrong", &["app.txt"], &wrong);
    case(folder.path(), "passes", &["app.txt"], "[expect]\ndetect = \"fail\"\n");
    write(&folder.path().join("tests/wrong/expected.toml"), "group = [\"cooper/debian-packages@0.1.0\"]\nmore = 1\n");
    let (code, said) = results(&machine, folder.path(), &[]);
    let found =
        |at: usize| said[at]["findings"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n");
    assert_eq!((code, found(0).as_str()), (Some(1), "the build ended with 0, not with 20"));
    for line in [
        "no line of the output matches `made deps for production`",
        "the group is cooper/debian-packages@0.1.0, acme/all@1.0.0, not cooper/debian-packages, acme/all@2.0.0",
        "layers: none has {",
        "sbom: none has { name = \"left\", version = \"10\" }; the nearest is { name = \"left\", version = \"9\" }",
        "labels: none has { key = \"acme.label\", value = \"y\" }",
        "`/layers/acme_all/deps/bin/tool` has the permissions 755",
        "`/workspace/app.txt` has another text: \"app\\n\"",
        "`/workspace/none` is not in the image",
        "no line of the output matches `deps are new`",
        "run tool: it wrote \"tool of hello\\n\"",
        "run sh -c echo $GREETING; exit 3: it ended with 3, not with 4",
        "GET /app.txt: the body is \"app\\n\"",
        "GET /none: the status is 404, not 200",
        "expected.toml: more is gone: 1",
        "expected.toml: group.1 is new: \"acme/all@1.0.0\"",
    ] {
        assert!(found(1).contains(line), "{line}:\n{}", found(1));
    }
    let text = String::from_utf8(machine.run(&["buildpack", "test", folder.path().to_str().unwrap(), "--test", "passes"]).stdout).unwrap();
    assert!(text.starts_with("FAILED  passes") && text.ends_with("0 passed, 1 failed\n"), "{text}");
    let none = machine.run(&["buildpack", "test", folder.path().to_str().unwrap(), "--test", "none"]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("there are passes, wrong"));
}
