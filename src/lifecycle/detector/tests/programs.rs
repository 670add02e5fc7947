//! What detection asks of buildpacks' programs, and what it says of them.

use super::*;
use std::time::{Duration, Instant};

/// DET-09: those of a group are asked at the same time.
#[test]
fn the_members_of_a_group_are_asked_at_the_same_time() {
    let world = World::new();
    for id in ["a", "b", "c"] {
        world.buildpack(id, "sleep 0.5");
    }
    let started = Instant::now();
    assert_eq!(names(&world.detect("a b c").0.unwrap()), ["a", "b", "c"]);
    assert!(started.elapsed() < Duration::from_millis(1400), "{:?}", started.elapsed());
}

/// DET-19: the lines of a group of two, and who sees which (DET-18).
#[test]
fn every_step_is_said_to_those_who_look_for_a_mistake() {
    let world = World::new();
    world.buildpack("long/name", "echo out; echo err >&2").buildpack("b", "true").buildpack("no", "exit 100");
    world.buildpack("long_name", "true");
    fs::rename(world.path("buildpacks/long/name"), world.path("buildpacks/long_name")).unwrap_or_default();
    let (detected, said) = world.detect_with("b no? long_name", &Case { level: Level::Debug, ..Case::default() });
    assert_eq!(names(&detected.unwrap()), ["b", "long_name"]);
    let expected = "======== Results ========\npass: b@1\nskip: no@1\npass: long_name@1\nResolving plan... (try #1)\n\
        2 of 3 buildpacks participating\nb         1\nlong_name 1\n";
    assert_eq!(said, expected);
}

/// DET-10: every way to end.
#[test]
fn exit_codes_are_answers() {
    for (script, line, code) in [
        ("exit 100", "fail: x@1", 20),
        ("exit 1", "err:  x@1 (1)", 21),
        ("exit 101", "err:  x@1 (101)", 21),
        ("kill -9 $$", "err:  x@1", 21),
        ("echo 'nonsense' > $CNB_BUILD_PLAN_PATH", "err:  x@1", 21),
        ("head -c 9000000 /dev/zero > $CNB_BUILD_PLAN_PATH", "err:  x@1", 21),
        ("rm $CNB_BUILD_PLAN_PATH; mkfifo $CNB_BUILD_PLAN_PATH", "err:  x@1", 21),
        ("printf '\\377' > $CNB_BUILD_PLAN_PATH", "err:  x@1", 21),
        ("printf '[[requires]]\\nname = \"y\"\\nversion = \"1\"\\n' > $CNB_BUILD_PLAN_PATH", "err:  x@1", 21),
        ("", "err:  x@1", 21),
    ] {
        let world = World::new();
        let (result, said) = world.buildpack("x", script).detect("x");
        assert_eq!(result.unwrap_err().exit_code(), code, "{script}");
        assert!(said.lines().any(|said| said == line), "{script}: {said}");
    }
}

/// DET-15, DET-16, DESC-05, ENV-16, ENV-17, ENV-18, ENV-19: what a program sees, by the Buildpack API that it speaks.
#[test]
fn the_environment_follows_the_buildpack_api() {
    for (api, clear_env, expected) in [
        ("0.7", false, "BUILDPACK_DIR FROM_CONFIG FROM_USER=user"),
        ("0.8", false, "BUILDPACK_DIR BUILD_PLAN_PATH FROM_CONFIG FROM_USER=user PLATFORM_DIR"),
        ("0.10", false, "BUILDPACK_DIR BUILD_PLAN_PATH FROM_CONFIG FROM_USER=user PLATFORM_DIR TARGET_ARCH=amd64 TARGET_OS=linux"),
        ("0.12", true, "BUILDPACK_DIR BUILD_PLAN_PATH EXEC_ENV=production FROM_CONFIG PLATFORM_DIR TARGET_ARCH=amd64 TARGET_OS=linux"),
    ] {
        let world = World::new();
        world.buildpack("x", "env | sort > $1/../seen; echo $# $1 > $1/../arguments; pwd >> $1/../arguments");
        let text = format!("api = '{api}'\n[buildpack]\nid = 'x'\nversion = '1'\nclear-env = {clear_env}\n");
        fs::write(world.path("buildpacks/x/1/buildpack.toml"), text).unwrap();
        fs::create_dir(world.path("config/env")).unwrap();
        for (file, content) in [
            ("platform/env/CNB_FROM_USER", "user"),
            ("platform/env/CNB_BUILDPACK_DIR", "not this"),
            ("config/env/CNB_FROM_CONFIG.override", "c"),
        ] {
            fs::write(world.path(file), content).unwrap();
        }
        world.detect("x").0.unwrap();
        let seen = fs::read_to_string(world.path("seen")).unwrap();
        let root = world.path("buildpacks/x/1").display().to_string();
        let ours = seen.lines().filter_map(|line| line.strip_prefix("CNB_")).map(|line| match line.split_once('=') {
            Some(("BUILDPACK_DIR", value)) if value != root => format!("wrong {value}"),
            Some((name, _)) if name.ends_with("_DIR") || name.ends_with("_PATH") || name == "FROM_CONFIG" => name.to_string(),
            _ => line.to_string(),
        });
        assert_eq!(ours.collect::<Vec<_>>().join(" "), expected, "{api}");
        let (platform, app) = (world.path("platform"), world.path("app").canonicalize().unwrap());
        let arguments = format!("2 {}\n{}\n", platform.display(), app.display());
        assert_eq!(fs::read_to_string(world.path("arguments")).unwrap(), arguments);
    }
}

/// DET-17: each has a file of its own, which is gone afterwards.
#[test]
fn plan_files_are_private_and_go() {
    let world = World::new();
    let paths = world.path("paths");
    let script = format!("stat -c '%a %s %n' $CNB_BUILD_PLAN_PATH >> {}", paths.display());
    world.buildpack("a", &script).buildpack("b", &script);
    world.detect("a b").0.unwrap();
    let text = fs::read_to_string(paths).unwrap();
    let files: Vec<&str> = text.lines().map(|line| line.strip_prefix("600 0 ").unwrap()).collect();
    assert!(files.len() == 2 && files[0] != files[1] && files.iter().all(|file| !Path::new(file).exists()), "{text}");
}

/// A program that never ends its lines, or leaves something running, holds nothing up.
#[test]
fn endless_lines_and_programs_left_running_hold_nothing_up() {
    let world = World::new();
    world.buildpack("flood", "head -c 30000000 /dev/zero; exit 100").buildpack("daemon", "sleep 60 & echo started");
    let started = Instant::now();
    let (result, said) = world.detect("flood daemon");
    assert_eq!(result.unwrap_err().exit_code(), 20);
    assert!(said.len() < 20_000_000 && started.elapsed() < Duration::from_secs(30), "{} {:?}", said.len(), started.elapsed());
}

/// DET-31, DET-32, DET-34: a buildpack for another machine is never asked; before Platform API 0.12 nobody looks.
#[test]
fn targets_are_looked_at_since_platform_api_0_12() {
    let world = World::new();
    world.module("buildpacks", "arm", "buildpack", "[[targets]]\nos = 'linux'\narch = 'arm64'\n", "touch asked").buildpack("yes", "true");
    let (result, said) = world.detect("arm? yes | arm");
    assert_eq!(names(&result.unwrap()), ["yes"]);
    assert_eq!(said, "1 of 2 buildpacks participating\nyes 1\n");
    let (result, said) = world.detect("arm? | arm");
    assert_eq!(result.unwrap_err().exit_code(), 21);
    let problem = "unable to satisfy target os/arch constraints; run image: {\"os\":\"linux\",\"arch\":\"amd64\"}, buildpack: [{\"os\":\"linux\",\"arch\":\"arm64\"}]";
    assert!(said.contains(problem) && said.contains("err:  arm@1\n") && !world.path("app/asked").exists(), "{said}");
    let (result, _) = world.detect_with("arm", &Case { platform_api: 11, ..Case::default() });
    assert!(names(&result.unwrap()) == ["arm"] && world.path("app/asked").exists());
}

/// DET-24: plans with more combinations of alternatives than can be tried end too.
#[test]
fn alternatives_without_end_are_refused() {
    let world = World::new();
    let alternatives =
        "for i in 0 1 2 3 4 5 6 7 8 9; do printf '[[or]]\\n[[or.requires]]\\nname = \"never\"\\n'; done > $CNB_BUILD_PLAN_PATH";
    let ids: Vec<String> = (0..8).map(|at| format!("b{at}")).collect();
    for id in &ids {
        world.buildpack(id, &format!("{alternatives}; printf '[[requires]]\\nname = \"x\"\\n' >> $CNB_BUILD_PLAN_PATH"));
    }
    let error = world.detect(&ids.join(" ")).0.unwrap_err();
    assert_eq!(error.to_string(), "the build plans have too many alternatives: none of the first 100000 combinations fits");
}

/// DET-22: an extension that requires something, also as an alternative, went wrong and is left out. DET-23: one without a program passes.
#[test]
fn extensions_only_provide() {
    let world = World::new();
    let provides = "[[provides]]\nname = 'tool'\n";
    world.module("extensions", "ready", "extension", "", "");
    fs::create_dir_all(world.path("extensions/ready/1/detect")).unwrap();
    fs::write(world.path("extensions/ready/1/detect/plan.toml"), provides).unwrap();
    world.module("extensions", "wants", "extension", "", "printf '[[or]]\\n[[or.requires]]\\nname = \"x\"\\n' > $CNB_BUILD_PLAN_PATH");
    world.module("extensions", "silent", "extension", "", "");
    world.buildpack("user", "printf '[[requires]]\\nname = \"tool\"\\n' > $CNB_BUILD_PLAN_PATH");
    let (detected, said) = world.detect("user / wants ready silent");
    let extensions: Vec<String> = detected.unwrap().extensions.into_iter().map(|descriptor| descriptor.id).collect();
    assert_eq!(extensions, ["ready", "silent"]);
    assert!(said.contains("err:  wants@1\n") && said.contains("3 of 4 buildpacks participating"), "{said}");
}
