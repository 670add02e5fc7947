//! Buildpacks that mean no good, or nothing at all: nothing hangs, nothing grows without bound, nothing outside the layers is touched.

use super::*;
use std::time::{Duration, Instant};

/// BLD-11, BLD-15: documents and variables that are too large, endless, or no text.
#[test]
fn what_cannot_be_read_is_named_and_not_waited_for() {
    for (script, expected) in [
        ("truncate -s 1G $1/launch.toml", "launch.toml`: it is larger than 8388608 bytes"),
        ("truncate -s 1G $1/l.toml", "l.toml`: it is larger than 8388608 bytes"),
        ("mkfifo $1/build.toml", "build.toml`: it is not a regular file"),
        ("ln -s /dev/zero $1/launch.toml", "launch.toml`: it is not a regular file"),
        ("mkdir $1/launch.toml", "launch.toml`: it is not a regular file"),
        ("printf '\\377' > $1/l.toml", "l.toml`: it is not UTF-8"),
        ("ln -s l.toml $1/l.toml", "l.toml`: Too many levels of symbolic links (os error 40)"),
        ("(printf 'x = '; head -c 200000 /dev/zero | tr '\\0' '[') > $1/l.toml", "l.toml`: it is not TOML"),
        ("touch $1/...toml", "cannot be the name of a layer"),
        ("touch $1/..toml", "cannot be the name of a layer"),
        (
            "printf '[types]\\nbuild = true\\n' > $1/l.toml; mkdir -p $1/l/env; truncate -s 200K $1/l/env/V",
            "env/V`: it is larger than 131072 bytes",
        ),
        (
            "printf '[types]\\nbuild = true\\n' > $1/l.toml; mkdir -p $1/l/env; printf 'a\\0b' > $1/l/env/V",
            "env/V`: no variable can hold a NUL byte",
        ),
    ] {
        let started = Instant::now();
        let world = World::new(&[("a", script)]);
        world.file("app/untouched", "");
        let why = why(world.build(&["a"], "").0);
        assert!(why.contains(expected), "{script}: {why}");
        assert!(started.elapsed() < Duration::from_secs(30) && world.path("app/untouched").exists() && world.path("layers/a").exists());
    }
}

/// ENV-07, ENV-11: what is no variable is left out.
#[test]
fn files_that_are_no_variables_are_left_out() {
    let script = "printf '[types]\\nbuild = true\\n' > $1/l.toml; mkdir -p $1/l/env/folder; cd $1/l/env
mkfifo PIPE; ln -s folder LINK_TO_FOLDER; ln -s /dev/zero ENDLESS; truncate -s 1G README.md; printf x > .hidden; printf x > A=B; printf good > target.txt
ln -s target.txt LINK; printf 1 > OTHER.unknown";
    let world = World::new(&[("a", script), ("b", "env | grep -cE 'PIPE|FOLDER|ENDLESS|README|hidden|^A=|OTHER' || true; echo $LINK")]);
    let (result, lines) = world.build(&["a", "b"], "");
    result.unwrap();
    assert_eq!(lines, ["0", "good"]);
}

/// BLD-02, EXIT-05: every way in which a program can fail.
#[test]
fn failing_programs_have_their_exit_code() {
    for script in ["exit 1", "exit 100", "kill -9 $$"] {
        let world = World::new(&[("a", script)]);
        assert_eq!(world.build(&["a"], "").0.unwrap_err().exit_code(), 51, "{script}");
    }
    let world = World::new(&[("a", "true")]);
    fs::remove_file(world.path("buildpacks/a/1/bin/build")).unwrap();
    assert_eq!(world.build(&["a"], "").0.unwrap_err().exit_code(), 51);
}

/// What a buildpack leaves running is not waited for, and its lines come until then.
#[test]
fn programs_left_running_hold_nothing_up() {
    let world = World::new(&[("a", "sleep 60 & echo started"), ("b", "printf 'no end of line'")]);
    let started = Instant::now();
    let (result, lines) = world.build(&["a", "b"], "");
    result.unwrap();
    assert_eq!(lines, ["started", "no end of line"]);
    assert!(started.elapsed() < Duration::from_secs(20));
}
