//! Flags and environment of the phases: command line before environment before default (API-18, API-21, API-22; IN rows).

use super::Level;
use crate::error::{Advice, Error, Result};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Exit codes (EXIT-01).
const BAD_FLAG: u8 = 2;
const BAD_ARGUMENT: u8 = 3;

/// Flag, variable, and where the path is below the layers' folder or, with a leading `/`, anywhere.
const PATHS: [(&str, &str, &str); 12] = [
    ("layers", "CNB_LAYERS_DIR", "/layers"),
    ("app", "CNB_APP_DIR", "/workspace"),
    ("platform", "CNB_PLATFORM_DIR", "/platform"),
    ("buildpacks", "CNB_BUILDPACKS_DIR", "/cnb/buildpacks"),
    ("extensions", "CNB_EXTENSIONS_DIR", "/cnb/extensions"),
    ("build-config", "CNB_BUILD_CONFIG_DIR", "/cnb/build-config"),
    ("order", "CNB_ORDER_PATH", "/cnb/order.toml"),
    ("group", "CNB_GROUP_PATH", "group.toml"),
    ("plan", "CNB_PLAN_PATH", "plan.toml"),
    ("analyzed", "CNB_ANALYZED_PATH", "analyzed.toml"),
    ("generated", "CNB_GENERATED_DIR", "generated"),
    ("log-level", "CNB_LOG_LEVEL", "info"),
];

/// What a phase was asked to work with.
pub(super) struct Inputs {
    values: HashMap<&'static str, OsString>,
    environment: HashMap<OsString, OsString>,
}

impl Inputs {
    pub fn read(arguments: &[OsString], environment: &[(OsString, OsString)]) -> Result<Self> {
        let environment: HashMap<OsString, OsString> = environment.iter().filter(|(_, value)| !value.is_empty()).cloned().collect();
        let mut values = HashMap::new();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let text = argument.to_string_lossy();
            let Some(flag) = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).filter(|flag| !flag.is_empty()) else {
                return Err(Error::new(format!("received unexpected arguments: {text}"))).code(BAD_ARGUMENT);
            };
            let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(OsString::from(value))));
            if name == "no-color" {
                continue;
            }
            let known = PATHS.iter().find(|(known, _, _)| *known == name).map(|(known, _, _)| *known);
            let Some(known) = known else {
                return Err(Error::new(format!("flag provided but not defined: -{name}"))).code(BAD_FLAG);
            };
            let value = value.or_else(|| rest.next().cloned());
            let Some(value) = value else {
                return Err(Error::new(format!("flag needs an argument: -{name}"))).code(BAD_FLAG);
            };
            values.insert(known, value);
        }
        Ok(Self { values, environment })
    }

    /// A path, absolute (API-25). Files of the layers' folder follow that (IN-16).
    pub fn path(&self, name: &str) -> PathBuf {
        let (_, variable, default) = PATHS.iter().find(|(known, _, _)| *known == name).copied().unwrap_or(("", "", "/"));
        let given = self.values.get(name).or_else(|| self.environment.get(OsStr::new(variable)));
        let path = match given {
            Some(given) => PathBuf::from(given),
            None if name == "order" && self.path("layers").join("order.toml").exists() => self.path("layers").join("order.toml"),
            None if default.starts_with('/') => PathBuf::from(default),
            None => self.path("layers").join(default),
        };
        std::path::absolute(&path).unwrap_or(path)
    }

    /// The execution environment (IN-35).
    pub fn exec_env(&self) -> Result<String> {
        let value = self
            .environment
            .get(OsStr::new("CNB_EXEC_ENV"))
            .map_or_else(|| "production".to_string(), |value| value.to_string_lossy().into_owned());
        if value.contains('/') {
            Err(Error::new(format!("the execution environment `{value}` must not contain `/`"))).code(BAD_ARGUMENT)
        } else {
            Ok(value)
        }
    }

    /// The least important lines that are logged (IN-36).
    pub fn log_level(&self) -> Result<Level> {
        let value = self.values.get("log-level").or_else(|| self.environment.get(OsStr::new("CNB_LOG_LEVEL")));
        match value.map(|value| value.to_string_lossy().to_ascii_lowercase()).as_deref() {
            None | Some("info") => Ok(Level::Info),
            Some("debug") => Ok(Level::Debug),
            Some("warn" | "warning" | "error" | "fatal") => Ok(Level::Warning),
            Some(other) => Err(Error::new(format!("failed to parse log level: not a valid level: \"{other}\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Inputs> {
        let environment: Vec<_> = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect();
        Inputs::read(&arguments.iter().map(OsString::from).collect::<Vec<_>>(), &environment)
    }

    /// API-18, API-21, API-22, API-25, IN-01, IN-02, IN-07, IN-16.
    #[test]
    fn flags_beat_environment_which_beats_defaults() {
        let read =
            inputs(&["-layers", "/l", "--app=/a"], &[("CNB_APP_DIR", "/b"), ("CNB_PLAN_PATH", "/p"), ("CNB_PLATFORM_DIR", "")]).unwrap();
        let paths = ["layers", "app", "plan", "platform", "group"].map(|name| read.path(name).display().to_string());
        assert_eq!(paths, ["/l", "/a", "/p", "/platform", "/l/group.toml"]);
        assert!(inputs(&["-app", "x"], &[]).unwrap().path("app").is_absolute());
    }

    /// API-18, API-23, IN-35, IN-36, EXIT-01.
    #[test]
    fn wrong_input_has_its_exit_code() {
        let code = |arguments: &[&str]| inputs(arguments, &[]).map(drop).unwrap_err().exit_code();
        assert_eq!([code(&["-nope"]), code(&["-app"]), code(&["positional"])], [2, 2, 3]);
        assert_eq!(inputs(&["-log-level", "loud"], &[]).unwrap().log_level().unwrap_err().exit_code(), 1);
        assert!(inputs(&[], &[("CNB_EXEC_ENV", "a/b")]).unwrap().exec_env().is_err());
    }
}
