//! The phases as programs, apart from what they do: what they are called, what they say, and where.

use crate::registry::bench::with_registry;
use crate::support::cooper;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

const PROGRAMS: [&str; 8] = ["analyzer", "detector", "restorer", "extender", "builder", "exporter", "creator", "rebaser"];

/// Starts the program under a name, in an empty folder and environment.
fn start(name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(cooper());
    command.arg0(name).args(arguments).env_clear().env("CNB_PLATFORM_API", "0.12").env("CNB_LAYERS_DIR", folder.path());
    command.envs(environment.iter().copied()).current_dir(folder.path()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// API-17.
#[test]
fn each_phase_tells_its_version() {
    let expected = format!("{}+cooperage\n", env!("CARGO_PKG_VERSION"));
    let verbs = ["analyze", "detect", "restore", "extend", "build", "export", "create", "rebase"];
    let verbs = verbs.map(|verb| ("lifecycle", vec![verb, "-version"]));
    for (name, arguments) in PROGRAMS.map(|name| (name, vec!["-version"])).into_iter().chain(verbs).chain([("lifecycle", vec!["-version"])])
    {
        let output = start(name, &arguments, &[]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), expected.clone()), "{name} {arguments:?}");
    }
}

/// IN-37.
#[test]
fn colours_are_on_until_somebody_turns_them_off() {
    for (arguments, environment, colours) in [
        (&[][..], &[][..], true),
        (&["-no-color"], &[], false),
        (&["-no-color=false"], &[("CNB_NO_COLOR", "true")], true),
        (&[], &[("CNB_NO_COLOR", "true")], false),
        (&[], &[("CNB_NO_COLOR", "no")], true),
    ] {
        let said = text(&start("restorer", arguments, environment).stdout);
        assert_eq!(said.contains("\u{1b}["), colours, "{arguments:?} {environment:?}: {said:?}");
        assert!(said.contains("ERROR:"), "{said:?}");
    }
}

/// EXIT-13: warnings and errors too, as the reference does, so that the lines stay in order.
#[test]
fn phases_say_everything_on_standard_output() {
    let output = start("analyzer", &["-no-color", "-run-image", "127.0.0.1:1/run", "127.0.0.1:1/app", "-late"], &[]);
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(said.starts_with("Warning: ") && said.contains("\nERROR: "), "{said}");
    assert_eq!(errors, "");
}

/// EXIT-15.
#[test]
fn at_debug_level_phases_tell_what_they_do_and_how_long_it_takes() {
    let (_registry, bench, app) = with_registry();
    bench.write("cache/.keep", "");
    let cache = bench.path("cache").display().to_string();
    for (program, arguments, timers) in [
        ("analyzer", &[app.as_str()][..], &["Analyzer"][..]),
        ("detector", &[], &["Detector"]),
        ("restorer", &["-cache-dir", &cache], &["Restorer"]),
        ("builder", &[], &["Builder"]),
        ("exporter", &["-cache-dir", &cache, &app], &["Exporter", &format!("Saving {app}..."), "Cache"]),
        ("creator", &[&app], &["Analyzer", "Detector", "Restorer", "Builder", "Exporter", &format!("Saving {app}...")]),
        ("rebaser", &[&app], &["Rebaser", &format!("Saving {app}...")]),
    ] {
        let said = bench.phase(program, arguments).well();
        let steps = [&format!("Starting {program}..."), "Parsing inputs...", "Ensuring privileges...", "Executing command..."];
        let at: Vec<Option<usize>> = steps.iter().map(|step| said.lines().position(|line| line == *step)).collect();
        assert!(at.is_sorted() && at.iter().all(Option::is_some), "{program}: {at:?} {said}");
        assert_eq!(timed(&said), timers, "{said}");
        let quiet = bench.phase(program, &[&["-log-level", "info"], arguments].concat()).well();
        assert!(!quiet.contains("Timer: ") && !quiet.contains("Executing"), "{program}: {quiet}");
    }
}

/// What was timed from start to end, in the order of the starts.
fn timed(said: &str) -> Vec<String> {
    let mut names = Vec::new();
    for line in said.lines().filter_map(|line| line.strip_prefix("Timer: ")) {
        if let Some((name, time)) = line.split_once(" started at ") {
            time.parse::<jiff::Timestamp>().unwrap();
            names.push(name.to_string());
        } else {
            let (name, rest) = line.split_once(" ran for ").unwrap();
            let (length, time) = rest.split_once(" and ended at ").unwrap();
            time.parse::<jiff::Timestamp>().unwrap();
            assert!(length.ends_with('s') && length.starts_with(|first: char| first.is_ascii_digit()), "{line}");
            assert!(names.iter().any(|known| known == name), "{line}");
        }
    }
    let ended = said.lines().filter(|line| line.contains(" ran for ")).count();
    assert_eq!(ended, names.len(), "{said}");
    names
}

/// ANA-17.
#[test]
fn an_analyzer_tells_of_the_previous_image() {
    let (registry, bench, app) = with_registry();
    let missing = format!("Image with name \"{app}\" not found\n");
    let info = ["-log-level", "info", &app];
    assert!(bench.phase("analyzer", &info).well().contains(&missing));
    bench.build(&app, &[]);
    let found = bench.phase("analyzer", &[&app]).well();
    let (_, digest) = crate::registry::bench::manifest(&registry, "team/app:1");
    let line = format!("Found image with identifier \"{}@{digest}\"\n", registry.name("team/app"));
    assert!(found.contains(&line) && !found.contains(&missing), "{found}");
    let said = bench.phase("analyzer", &info).well();
    assert!(!said.contains("Found image") && !said.contains(&missing), "{said}");
}
