//! What a phase works with: command line before environment before default (API-21, API-22, API-25; IN rows).

use super::flags::{self, Parsed};
use super::{Phase, Program};
use crate::error::{Advice, Error, Result};
use crate::lifecycle::layer::Owner;
use launcher::api::Api;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Exit code for arguments that make no sense together (EXIT-01).
const BAD_ARGUMENT: u8 = 3;

/// Flag, variable, and where the path is below the layers' folder or, with a leading `/`, anywhere.
const PATHS: [(&str, &str, &str); 22] = [
    ("layers", "CNB_LAYERS_DIR", "/layers"),
    ("app", "CNB_APP_DIR", "/workspace"),
    ("platform", "CNB_PLATFORM_DIR", "/platform"),
    ("buildpacks", "CNB_BUILDPACKS_DIR", "/cnb/buildpacks"),
    ("extensions", "CNB_EXTENSIONS_DIR", "/cnb/extensions"),
    ("build-config", "CNB_BUILD_CONFIG_DIR", "/cnb/build-config"),
    ("order", "CNB_ORDER_PATH", "/cnb/order.toml"),
    ("system", "CNB_SYSTEM_PATH", "/cnb/system.toml"),
    ("run", "CNB_RUN_PATH", "/cnb/run.toml"),
    ("stack", "CNB_STACK_PATH", "/cnb/stack.toml"),
    ("launcher", "", "/cnb/lifecycle/launcher"),
    ("launcher-sbom", "", "/cnb/lifecycle"),
    ("group", "CNB_GROUP_PATH", "group.toml"),
    ("plan", "CNB_PLAN_PATH", "plan.toml"),
    ("analyzed", "CNB_ANALYZED_PATH", "analyzed.toml"),
    ("generated", "CNB_GENERATED_DIR", "generated"),
    ("extended", "CNB_EXTENDED_DIR", "extended"),
    ("report", "CNB_REPORT_PATH", "report.toml"),
    ("project-metadata", "CNB_PROJECT_METADATA_PATH", "project-metadata.toml"),
    ("cache-dir", "CNB_CACHE_DIR", ""),
    ("launch-cache", "CNB_LAUNCH_CACHE_DIR", ""),
    ("layout-dir", "CNB_LAYOUT_DIR", ""),
];

/// Flags with texts and their variables.
const TEXTS: [(&str, &str); 9] = [
    ("cache-image", "CNB_CACHE_IMAGE"),
    ("previous-image", "CNB_PREVIOUS_IMAGE"),
    ("run-image", "CNB_RUN_IMAGE"),
    ("build-image", "CNB_BUILD_IMAGE"),
    ("process-type", "CNB_PROCESS_TYPE"),
    ("kind", "CNB_EXTEND_KIND"),
    ("kaniko-cache-ttl", "CNB_KANIKO_CACHE_TTL"),
    ("log-level", "CNB_LOG_LEVEL"),
    ("image", ""),
];

/// Flags without a value and their variables.
const SWITCHES: [(&str, &[&str]); 8] = [
    ("daemon", &["CNB_USE_DAEMON"]),
    ("layout", &["CNB_USE_LAYOUT"]),
    ("skip-layers", &["CNB_SKIP_LAYERS", "CNB_SKIP_RESTORE"]),
    ("skip-restore", &["CNB_SKIP_RESTORE", "CNB_SKIP_LAYERS"]),
    ("parallel", &["CNB_PARALLEL_EXPORT"]),
    ("force", &["CNB_FORCE_REBASE"]),
    ("no-color", &["CNB_NO_COLOR"]),
    ("version", &[]),
];

/// What a phase was asked to work with.
pub(super) struct Inputs {
    /// The Platform API.
    pub api: Api,
    parsed: Parsed,
    environment: HashMap<OsString, OsString>,
}

impl Inputs {
    /// Reads the arguments of a program; empty variables count as unset.
    pub fn read(program: Program, api: Api, arguments: &[OsString], environment: &[(OsString, OsString)]) -> Result<Self> {
        let environment = environment.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
        Ok(Self { api, parsed: flags::parse(program, api, arguments)?, environment })
    }

    /// Whether help was asked for.
    pub fn wants_help(&self) -> bool {
        self.flag("h").or_else(|| self.flag("help")).is_some()
    }

    /// The images that the phase is to make, as they were written.
    ///
    /// # Errors
    /// When their number is not in `wanted` (API-23, exit code 3).
    pub fn images(&self, wanted: impl std::ops::RangeBounds<usize>) -> Result<Vec<String>> {
        let images: Vec<String> = self.parsed.positional.iter().map(|text| text.to_string_lossy().into_owned()).collect();
        if wanted.contains(&images.len()) {
            return Ok(images);
        }
        let message = match images.len() {
            0 => "at least one image argument is required".to_string(),
            count => format!("received {count} arguments, but expected {}", if wanted.contains(&1) { "one" } else { "none" }),
        };
        Err(Error::new(format!("failed to parse arguments: {message}"))).code(BAD_ARGUMENT)
    }

    /// API-20.
    pub fn warn_of_late_flags(&self, phase: &Phase) {
        for argument in self.parsed.positional.iter().skip(1).filter(|argument| argument.as_bytes().starts_with(b"-")) {
            phase.output.warn(&format!("Not recognized as flag: {}; flags go before images", argument.to_string_lossy()));
        }
    }

    fn flag(&self, name: &str) -> Option<&OsString> {
        self.parsed.flags.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn variable(&self, name: &str) -> Option<&OsString> {
        self.environment.get(OsStr::new(name))
    }

    /// A path, absolute (API-25). Files of the layers' folder follow that (IN-16).
    pub fn path(&self, name: &str) -> PathBuf {
        self.optional_path(name).unwrap_or_else(|| PathBuf::from("/"))
    }

    /// A path that has no default.
    pub fn optional_path(&self, name: &str) -> Option<PathBuf> {
        let (_, variable, default) = PATHS.iter().find(|(known, _, _)| *known == name).copied()?;
        let path = match self.flag(name).or_else(|| self.variable(variable)) {
            Some(given) => PathBuf::from(given),
            None if name == "order" && self.path("layers").join("order.toml").exists() => self.path("layers").join("order.toml"),
            None if default.is_empty() => return None,
            None if default.starts_with('/') => PathBuf::from(default),
            None => self.path("layers").join(default),
        };
        Some(std::path::absolute(&path).unwrap_or(path))
    }

    /// A text; none where it is empty.
    pub fn text(&self, name: &str) -> Option<String> {
        let variable = TEXTS.iter().find(|(known, _)| *known == name).map_or("", |(_, variable)| *variable);
        let given = self.flag(name).or_else(|| self.variable(variable))?;
        Some(given.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
    }

    /// A text that only the command line has.
    pub fn flag_text(&self, name: &str) -> Option<String> {
        self.flag(name).map(|value| value.to_string_lossy().into_owned()).filter(|text| !text.is_empty())
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        let variables = SWITCHES.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, variables)| variables);
        let yes = |value: &OsString| flags::boolean(&value.to_string_lossy()) == Some(true);
        match self.flag(name) {
            Some(value) => yes(value),
            None => variables.iter().filter_map(|variable| self.variable(variable)).any(yes),
        }
    }

    /// All values of a flag that may be repeated; those of the variable, divided by commas, where there is none.
    pub fn texts(&self, name: &str, variable: &str) -> Vec<String> {
        let given: Vec<String> = self
            .parsed
            .flags
            .iter()
            .filter(|(known, _)| *known == name)
            .map(|(_, value)| value.to_string_lossy().into_owned())
            .filter(|value| !value.is_empty())
            .collect();
        if !given.is_empty() {
            return given;
        }
        let listed = self.variable(variable).map(|value| value.to_string_lossy().into_owned()).unwrap_or_default();
        listed.split(',').map(str::trim).filter(|text| !text.is_empty()).map(str::to_string).collect()
    }

    /// Whom the files of the build belong to; what is not said is 0 (IN-17).
    pub fn owner(&self) -> Owner {
        let number = |flag: &str, variable: &str| {
            let given = self.flag(flag).or_else(|| self.variable(variable));
            given.and_then(|value| value.to_str()?.parse().ok()).unwrap_or(0)
        };
        Owner { uid: number("uid", "CNB_USER_ID"), gid: number("gid", "CNB_GROUP_ID") }
    }

    /// The execution environment (IN-35).
    pub fn exec_env(&self) -> Result<String> {
        let value = self.variable("CNB_EXEC_ENV").map_or_else(|| "production".into(), |value| value.to_string_lossy().into_owned());
        if value.contains('/') {
            Err(Error::new(format!("the execution environment `{value}` must not contain `/`"))).code(BAD_ARGUMENT)
        } else {
            Ok(value)
        }
    }

    /// A variable that is no input of the specification's tables.
    pub fn environment_text(&self, name: &str) -> Option<String> {
        self.variable(name).map(|value| value.to_string_lossy().into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(program: Program, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Inputs> {
        let environment: Vec<_> = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        Inputs::read(program, Api::new(0, 15), &arguments.iter().map(OsString::from).collect::<Vec<_>>(), &environment)
    }

    /// API-21, API-22, API-25, IN-01 to IN-04, IN-06 to IN-16.
    #[test]
    fn flags_beat_environment_which_beats_defaults() {
        let arguments = ["-layers", "/l", "--app=/a"];
        let environment = [("CNB_APP_DIR", "/b"), ("CNB_PLAN_PATH", "/p"), ("CNB_PLATFORM_DIR", "")];
        let read = inputs(Program::Detector, &arguments, &environment).unwrap();
        let paths = ["layers", "app", "plan", "platform", "group", "generated", "report"].map(|name| read.path(name).display().to_string());
        assert_eq!(paths, ["/l", "/a", "/p", "/platform", "/l/group.toml", "/l/generated", "/l/report.toml"]);
        assert!(inputs(Program::Builder, &["-app", "x"], &[]).unwrap().path("app").is_absolute());
        assert_eq!(read.optional_path("cache-dir"), None);
        assert_eq!(inputs(Program::Rebaser, &[], &[]).unwrap().path("report"), PathBuf::from("/layers/report.toml"));
    }

    /// API-22, IN-17, IN-20, IN-22, IN-27, IN-31.
    #[test]
    fn variables_are_read_as_the_reference_reads_them() {
        let environment = [
            ("CNB_USE_DAEMON", "yes"),
            ("CNB_SKIP_RESTORE", "t"),
            ("CNB_USER_ID", "1000"),
            ("CNB_GROUP_ID", "many"),
            ("CNB_INSECURE_REGISTRIES", "a.test, b.test:5000"),
        ];
        let read = inputs(Program::Restorer, &[], &environment).unwrap();
        assert_eq!([read.is_on("daemon"), read.is_on("skip-layers")], [false, true]);
        assert_eq!(read.owner(), Owner { uid: 1000, gid: 0 });
        assert_eq!(read.texts("insecure-registry", "CNB_INSECURE_REGISTRIES"), ["a.test", "b.test:5000"]);
        let read = inputs(Program::Creator, &["-tag", "a", "-tag", "b", "-skip-restore=false"], &environment).unwrap();
        assert_eq!((read.texts("tag", ""), read.is_on("skip-restore")), (vec!["a".to_string(), "b".to_string()], false));
    }

    /// API-23, IN-35.
    #[test]
    fn the_number_of_images_is_checked() {
        let images = |arguments: &[&str], wanted: std::ops::RangeInclusive<usize>| {
            inputs(Program::Exporter, arguments, &[]).unwrap().images(wanted).map_err(|error| error.exit_code())
        };
        assert_eq!(images(&["a", "b"], 1..=usize::MAX).unwrap(), ["a", "b"]);
        assert_eq!([images(&[], 1..=1), images(&["a", "b"], 1..=1), images(&["a"], 0..=0)], [const { Err(3) }; 3]);
        assert_eq!(inputs(Program::Builder, &[], &[("CNB_EXEC_ENV", "a/b")]).unwrap().exec_env().unwrap_err().exit_code(), 3);
    }
}
