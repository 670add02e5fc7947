//! The grammar of the phases' flags, and the table of who knows which (API-18 to API-20; IN rows). A flag may be unknown to a phase, or to
//! an older Platform API. Start with [`parse`].

use super::Program::{self, Analyzer, Builder, Creator, Detector, Exporter, Extender, Rebaser, Restorer};
use crate::error::{Error, Result};
use launcher::api::Api;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Exit code for a flag that cannot be understood (EXIT-01).
const BAD_FLAG: u8 = 2;

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Text,
    Number,
    /// Nothing, or `=true` or `=false`.
    Switch,
}

/// A flag, who knows it, and since which minor of Platform API `0.x`, before which.
struct Flag {
    name: &'static str,
    takes: Takes,
    since: u64,
    before: u64,
    programs: &'static [Program],
}

const fn flag(name: &'static str, takes: Takes, programs: &'static [Program]) -> Flag {
    since(0, name, takes, programs)
}

const fn since(since: u64, name: &'static str, takes: Takes, programs: &'static [Program]) -> Flag {
    Flag { name, takes, since, before: u64::MAX, programs }
}

const ALL: &[Program] = &[Analyzer, Detector, Restorer, Extender, Builder, Exporter, Creator, Rebaser];
const WITH_IMAGES: &[Program] = &[Analyzer, Restorer, Exporter, Creator];

const FLAGS: &[Flag] = {
    use Takes::{Number, Switch, Text};
    &[
        flag("analyzed", Text, &[Analyzer, Restorer, Extender, Exporter]),
        since(10, "analyzed", Text, &[Detector]),
        since(12, "analyzed", Text, &[Builder]),
        flag("app", Text, &[Detector, Extender, Builder, Exporter, Creator]),
        since(11, "build-config", Text, &[Detector, Builder, Creator]),
        since(10, "build-image", Text, &[Restorer]),
        flag("buildpacks", Text, &[Detector, Extender, Builder, Creator]),
        flag("cache-dir", Text, &[Restorer, Exporter, Creator]),
        flag("cache-image", Text, WITH_IMAGES),
        flag("daemon", Switch, &[Analyzer, Exporter, Creator, Rebaser]),
        since(12, "daemon", Switch, &[Restorer]),
        since(12, "extended", Text, &[Extender, Exporter]),
        since(10, "extensions", Text, &[Detector]),
        since(12, "force", Switch, &[Rebaser]),
        since(10, "generated", Text, &[Detector]),
        since(12, "generated", Text, &[Restorer]),
        flag("generated", Text, &[Extender]),
        flag("gid", Number, &[Analyzer, Restorer, Extender, Exporter, Creator, Rebaser]),
        flag("group", Text, &[Detector, Restorer, Extender, Builder, Exporter]),
        flag("image", Text, &[Exporter, Rebaser]),
        since(13, "insecure-registry", Text, &[Analyzer, Restorer, Exporter, Creator, Rebaser]),
        flag("kaniko-cache-ttl", Text, &[Extender]),
        since(12, "kind", Text, &[Extender]),
        since(9, "launch-cache", Text, &[Analyzer]),
        flag("launch-cache", Text, &[Exporter, Creator]),
        flag("launcher", Text, &[Exporter, Creator]),
        since(11, "launcher-sbom", Text, &[Exporter, Creator]),
        flag("layers", Text, &[Analyzer, Detector, Restorer, Extender, Builder, Exporter, Creator]),
        since(12, "layout", Switch, WITH_IMAGES),
        since(12, "layout-dir", Text, WITH_IMAGES),
        flag("log-level", Text, ALL),
        flag("no-color", Switch, ALL),
        flag("order", Text, &[Detector, Creator]),
        flag("parallel", Switch, &[Exporter, Creator]),
        flag("plan", Text, &[Detector, Extender, Builder]),
        flag("platform", Text, &[Detector, Extender, Builder, Creator]),
        flag("previous-image", Text, &[Analyzer, Creator]),
        since(11, "previous-image", Text, &[Rebaser]),
        flag("process-type", Text, &[Exporter, Creator]),
        flag("project-metadata", Text, &[Exporter, Creator]),
        flag("report", Text, &[Exporter, Creator, Rebaser]),
        since(12, "run", Text, &[Analyzer, Detector, Exporter, Creator]),
        since(14, "run", Text, &[Restorer]),
        flag("run-image", Text, &[Analyzer, Exporter, Creator, Rebaser]),
        since(9, "skip-layers", Switch, &[Analyzer]),
        flag("skip-layers", Switch, &[Restorer]),
        flag("skip-restore", Switch, &[Creator]),
        Flag { name: "stack", takes: Text, since: 0, before: 12, programs: &[Analyzer, Exporter] },
        flag("stack", Text, &[Creator]),
        since(15, "system", Text, &[Detector, Creator]),
        flag("tag", Text, &[Analyzer, Creator]),
        flag("uid", Number, &[Analyzer, Restorer, Extender, Exporter, Creator, Rebaser]),
        flag("version", Switch, ALL),
        flag("h", Switch, ALL),
        flag("help", Switch, ALL),
    ]
};

/// What stood on the command line.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// Each flag with its value, in order.
    pub flags: Vec<(&'static str, OsString)>,
    /// What came after the flags.
    pub positional: Vec<OsString>,
}

/// Reads the arguments of a program as Go's package `flag` does: `-name value`, `-name=value`, with one or two dashes, until the first
/// argument that is no flag, or `--`.
///
/// # Errors
/// When the program does not know a flag on this Platform API, or its value is none (exit code 2).
pub(super) fn parse(program: Program, api: Api, arguments: &[OsString]) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let bytes = argument.as_bytes();
        if argument == "--" {
            break;
        }
        if bytes.len() < 2 || bytes[0] != b'-' {
            parsed.positional.push(argument.clone());
            break;
        }
        let text = bytes.strip_prefix(b"--").unwrap_or(&bytes[1..]);
        let (name, value) = match text.iter().position(|byte| *byte == b'=') {
            Some(at) => (&text[..at], Some(OsString::from_vec(text[at + 1..].to_vec()))),
            None => (text, None),
        };
        let name = String::from_utf8_lossy(name);
        let flag = find(program, api, &name).ok_or_else(|| bad(format!("flag provided but not defined: -{name}")))?;
        let value = match value {
            None if flag.takes == Takes::Switch => OsString::from("true"),
            None => rest.next().cloned().ok_or_else(|| bad(format!("flag needs an argument: -{name}")))?,
            Some(value) => value,
        };
        check(flag, &value)?;
        parsed.flags.push((flag.name, value));
    }
    parsed.positional.extend(rest.cloned());
    Ok(parsed)
}

fn find(program: Program, api: Api, name: &str) -> Option<&'static Flag> {
    let fits = |flag: &&Flag| api >= Api::new(0, flag.since) && (flag.before == u64::MAX || api < Api::new(0, flag.before));
    FLAGS.iter().filter(|flag| flag.name == name && flag.programs.contains(&program)).find(fits)
}

fn check(flag: &Flag, value: &OsString) -> Result<()> {
    let text = value.to_string_lossy();
    match flag.takes {
        Takes::Switch if boolean(&text).is_none() => Err(bad(format!("invalid boolean value \"{text}\" for -{}", flag.name))),
        Takes::Number if text.parse::<i64>().is_err() => Err(bad(format!("invalid value \"{text}\" for flag -{}", flag.name))),
        Takes::Switch | Takes::Number | Takes::Text => Ok(()),
    }
}

fn bad(message: String) -> Error {
    Error::new(message).code(BAD_FLAG)
}

/// Yes or no as Go's `ParseBool` reads it (API-22).
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The flags that a program knows on a Platform API, one a line, for `-h`.
pub(super) fn usage(program: Program, api: Api) -> String {
    let mut names: Vec<&str> = FLAGS.iter().filter(|flag| find(program, api, flag.name).is_some()).map(|flag| flag.name).collect();
    names.dedup();
    let lines = names.iter().filter(|name| !["h", "help"].contains(name)).map(|name| format!("  -{name}\n"));
    format!("Usage of {}:\n{}", program.name(), lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(program: Program, minor: u64, arguments: &[&str]) -> Result<(Vec<String>, Vec<String>), u8> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let parsed = parse(program, Api::new(0, minor), &arguments).map_err(|error| error.exit_code())?;
        let flags = parsed.flags.iter().map(|(name, value)| format!("{name}={}", value.to_string_lossy())).collect();
        Ok((flags, parsed.positional.iter().map(|text| text.to_string_lossy().into_owned()).collect()))
    }

    /// API-18, API-20.
    #[test]
    fn flags_are_read_as_go_reads_them() {
        let arguments = ["-daemon", "--app=/x", "-layers", "/l", "-parallel=false", "image", "-daemon", "other"];
        let (flags, images) = parsed(Exporter, 15, &arguments).unwrap();
        assert_eq!(flags, ["daemon=true", "app=/x", "layers=/l", "parallel=false"]);
        assert_eq!(images, ["image", "-daemon", "other"]);
        assert_eq!(parsed(Exporter, 15, &["--", "-x"]).unwrap().1, ["-x"]);
        for wrong in [&["-nope"][..], &["-app"], &["-daemon=perhaps"], &["-uid", "root"], &["--version=x"]] {
            assert_eq!(parsed(Exporter, 15, wrong).unwrap_err(), 2, "{wrong:?}");
        }
    }

    /// API-19, IN-05, IN-06, IN-09, IN-10, IN-11, IN-19, IN-20, IN-22, IN-23, IN-26, IN-32, IN-34, IN-38, CRE-08, REB-22, VER-03, VER-04,
    /// VER-05, VER-06, VER-07, VER-08, VER-09.
    #[test]
    fn flags_came_with_platform_apis() {
        for (program, name, first, last) in [
            (Detector, "system", 15, 15),
            (Creator, "system", 15, 15),
            (Detector, "build-config", 11, 15),
            (Detector, "analyzed", 10, 15),
            (Builder, "analyzed", 12, 15),
            (Restorer, "run", 14, 15),
            (Analyzer, "run", 12, 15),
            (Analyzer, "stack", 7, 11),
            (Exporter, "stack", 7, 11),
            (Creator, "stack", 7, 15),
            (Analyzer, "launch-cache", 9, 15),
            (Restorer, "daemon", 12, 15),
            (Restorer, "layout", 12, 15),
            (Exporter, "insecure-registry", 13, 15),
            (Rebaser, "previous-image", 11, 15),
            (Restorer, "build-image", 10, 15),
            (Extender, "kind", 12, 15),
            (Rebaser, "force", 12, 15),
        ] {
            let known: Vec<u64> = (7..=15).filter(|minor| find(program, Api::new(0, *minor), name).is_some()).collect();
            assert_eq!(known, (first..=last).collect::<Vec<_>>(), "{program:?} -{name}");
        }
        for (program, name) in
            [(Creator, "analyzed"), (Creator, "group"), (Creator, "generated"), (Rebaser, "layout"), (Extender, "kaniko-dir")]
        {
            assert!(find(program, Api::new(0, 15), name).is_none(), "{program:?} -{name}");
        }
    }
}
