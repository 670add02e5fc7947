//! Detection with real buildpacks: small scripts.

mod orders;
mod programs;

use super::*;
use crate::buildpack::Target;
use launcher::environment::Environment;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["app", "platform/env", "config", "buildpacks", "extensions"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        Self(folder)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn module(&self, folder: &str, id: &str, table: &str, rest: &str, detect: &str) -> &Self {
        let root = self.path(folder).join(id).join("1/bin");
        fs::create_dir_all(&root).unwrap();
        let file = if table == "buildpack" { "buildpack.toml" } else { "extension.toml" };
        fs::write(root.parent().unwrap().join(file), format!("api = '0.12'\n[{table}]\nid = '{id}'\nversion = '1'\n{rest}\n")).unwrap();
        if !detect.is_empty() {
            for program in ["detect", "build"] {
                fs::write(root.join(program), format!("#!/bin/sh\n{detect}\n")).unwrap();
                fs::set_permissions(root.join(program), fs::Permissions::from_mode(0o755)).unwrap();
            }
        }
        self
    }

    fn buildpack(&self, id: &str, detect: &str) -> &Self {
        self.module("buildpacks", id, "buildpack", "", detect)
    }

    fn detect(&self, order: &str) -> (Result<Detected>, String) {
        self.detect_with(order, &Case::default())
    }

    fn detect_on(&self, order: &str, target: &Target, exec_env: &str) -> (Result<Detected>, String) {
        self.detect_with(order, &Case { target: target.clone(), exec_env: exec_env.into(), ..Case::default() })
    }

    fn detect_with(&self, order: &str, case: &Case) -> (Result<Detected>, String) {
        self.detect_order(&Order::parse(&written(order)).unwrap(), case)
    }

    fn detect_order(&self, order: &Order, case: &Case) -> (Result<Detected>, String) {
        let modules = Modules { buildpacks: self.path("buildpacks"), extensions: self.path("extensions") };
        let environment = Environment::for_build(std::env::vars_os());
        let (app, platform, config) = (self.path("app"), self.path("platform"), self.path("config"));
        let detect_input = DetectInput {
            app: &app,
            platform: &platform,
            build_config: &config,
            environment: &environment,
            target: &case.target,
            exec_env: &case.exec_env,
        };
        let said = Mutex::new(String::new());
        let input = Input { modules: &modules, order, detect: detect_input, platform_api: Api::new(0, case.platform_api) };
        let result = detect(&input, &|level, line| {
            if level >= case.level {
                said.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        (result, said.into_inner().unwrap())
    }
}

/// What a detection is asked with.
struct Case {
    target: Target,
    exec_env: String,
    platform_api: u64,
    level: Level,
}

impl Default for Case {
    fn default() -> Self {
        let target = Target { os: "linux".into(), arch: "amd64".into(), ..Target::default() };
        Self { target, exec_env: "production".into(), platform_api: 15, level: Level::Info }
    }
}

/// `a b? | c / +e`: groups, optional members, extensions.
fn written(order: &str) -> String {
    let (buildpacks, extensions) = order.split_once('/').unwrap_or((order, ""));
    let entry = |table: &str, word: &str| {
        format!("[[{table}.group]]\nid = '{}'\nversion = '1'\noptional = {}\n", word.trim_end_matches('?'), word.ends_with('?'))
    };
    let group =
        |table: &str, text: &str| format!("[[{table}]]\n{}", text.split_whitespace().map(|word| entry(table, word)).collect::<String>());
    let mut text: String = buildpacks.split('|').map(|text| group("order", text)).collect();
    if !extensions.trim().is_empty() {
        text.push_str(&group("order-extensions", extensions).replace("optional = false\n", ""));
    }
    text
}

fn names(detected: &Detected) -> Vec<&str> {
    detected.buildpacks.iter().map(|descriptor| descriptor.id.as_str()).collect()
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// DET-03, DET-04, DET-07, DET-08, DET-11, DESC-06.
#[test]
fn the_first_group_that_passes_wins_and_nobody_is_asked_twice() {
    let world = World::new();
    let log = world.path("log");
    world.buildpack("yes", &format!("echo asked >> {}", log.display())).buildpack("no", "exit 100").buildpack("later", "touch later");
    world.module(
        "buildpacks",
        "both",
        "buildpack",
        "[[order]]\n[[order.group]]\nid = 'no'\nversion = '1'\n[[order]]\n[[order.group]]\nid = 'yes'\nversion = '1'\n",
        "",
    );
    let (detected, said) = world.detect("yes no | both no? | later");
    assert_eq!(names(&detected.unwrap()), ["yes"]);
    assert_eq!((lines(&log), world.path("app/later").exists()), (1, false));
    assert_eq!(said, "1 of 2 buildpacks participating\nyes 1\n");
}

/// DET-10, DET-13, DET-14, DET-18, DET-19, EXIT-02.
#[test]
fn nothing_passing_says_what_each_looked_for() {
    let world = World::new();
    world.buildpack("no", "echo looked for x; exit 100").buildpack("bad", "echo oops; exit 3").buildpack("yes", "true");
    let (result, said) = world.detect("no");
    let error = result.unwrap_err();
    assert_eq!((error.exit_code(), error.to_string().as_str()), (20, "No buildpack groups passed detection."));
    assert_eq!(error.nearest_hint(), Some("Please check that you are running against the correct path."));
    assert_eq!(said, "======== Output: no@1 ========\nlooked for x\n======== Results ========\nfail: no@1\n");
    let (result, said) = world.detect("no | bad | bad? no");
    let error = result.unwrap_err();
    assert_eq!((error.exit_code(), error.nearest_hint()), (21, None));
    assert!(said.ends_with("err:  bad@1 (3)\nfail: no@1\n"), "{said}");
    let (detected, said) = world.detect("bad? yes");
    assert_eq!(names(&detected.unwrap()), ["yes"]);
    let expected = "======== Output: bad@1 ========\noops\nerr:  bad@1 (3)\n1 of 2 buildpacks participating\nyes 1\n";
    assert_eq!(said, expected);
}

/// DET-15, DET-16, DET-17, ENV-18, ENV-13.
#[test]
fn programs_see_what_the_specification_says() {
    let world = World::new();
    fs::write(world.path("platform/env/FROM_USER"), "user").unwrap();
    let out = world.path("out");
    let script = format!(
        "test -f \"$CNB_BUILD_PLAN_PATH\" -a ! -s \"$CNB_BUILD_PLAN_PATH\" -a \"$2\" = \"$CNB_BUILD_PLAN_PATH\" || exit 9\necho $(pwd) $1 $CNB_PLATFORM_DIR $CNB_BUILDPACK_DIR $CNB_TARGET_OS/$CNB_TARGET_ARCH $CNB_EXEC_ENV $FROM_USER > {}",
        out.display()
    );
    world.buildpack("a", &script);
    world.detect("a").0.unwrap();
    let (app, platform, root) = (world.path("app").canonicalize().unwrap(), world.path("platform"), world.path("buildpacks/a/1"));
    let expected =
        format!("{} {} {} {} linux/amd64 production user\n", app.display(), platform.display(), platform.display(), root.display());
    assert_eq!(fs::read_to_string(out).unwrap(), expected);
}

/// DET-02, DET-12, DET-22, DET-23, DET-29.
#[test]
fn extensions_come_first_and_only_when_somebody_needs_them() {
    let world = World::new();
    let provide = "printf '[[provides]]\\nname = \"tool\"\\n' > $CNB_BUILD_PLAN_PATH";
    world.module("extensions", "ext", "extension", "", provide).module(
        "extensions",
        "greedy",
        "extension",
        "",
        "printf '[[requires]]\\nname = \"x\"\\n' > $CNB_BUILD_PLAN_PATH",
    );
    world
        .buildpack("user", "printf '[[requires]]\\nname = \"tool\"\\n' > $CNB_BUILD_PLAN_PATH")
        .buildpack("plain", "true")
        .buildpack("no", "exit 100");
    let (detected, _) = world.detect("user / ext greedy");
    let detected = detected.unwrap();
    assert_eq!(detected.extensions.iter().map(|descriptor| descriptor.id.as_str()).collect::<Vec<_>>(), ["ext"]);
    assert!(detected.plan.entries[0].providers[0].extension);
    assert!(world.detect("plain / ext").0.unwrap().extensions.is_empty());
    assert_eq!(world.detect("no / ext").0.unwrap_err().exit_code(), 20);
}

/// DET-32, DET-34, DET-35, DET-06, API-08.
#[test]
fn targets_environments_circles_and_apis() {
    let world = World::new();
    world.module("buildpacks", "arm", "buildpack", "[[targets]]\nos = 'linux'\narch = 'arm64'\n", "touch asked").buildpack("yes", "true");
    world.module("buildpacks", "tests", "buildpack", "exec-env = ['test']", "true");
    assert_eq!(world.detect("arm").0.unwrap_err().exit_code(), 21);
    assert_eq!(names(&world.detect("arm? yes").0.unwrap()), ["yes"]);
    assert!(!world.path("app/asked").exists());
    assert_eq!(names(&world.detect("tests yes").0.unwrap()), ["yes"]);
    let target = Target::default();
    assert_eq!(names(&world.detect_on("tests yes", &target, "test").0.unwrap()), ["tests", "yes"]);
    world.module("buildpacks", "round", "buildpack", "[[order]]\n[[order.group]]\nid = 'round'\nversion = '1'\n", "");
    assert!(world.detect("round").0.unwrap_err().to_string().contains("round@1 -> round@1"));
    fs::write(world.path("buildpacks/yes/1/buildpack.toml"), "api = '0.99'\n[buildpack]\nid = 'yes'\nversion = '1'\n").unwrap();
    let (result, _) = world.detect("tests | yes");
    assert_eq!(result.unwrap_err().exit_code(), 12);
}
