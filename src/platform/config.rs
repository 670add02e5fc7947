//! The user's configuration: `cooper/config.toml` in `$XDG_CONFIG_HOME` or `~/.config`. What a command line says comes before it.

use super::pull::Pull;
use crate::error::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the file says. Debian's mirrors, which stand in the table `[mirrors]`, are read where packages are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// When registries are asked.
    pub pull: Option<Pull>,
    /// Mirrors of registries, by the registries' names; `*` stands for all.
    pub registry_mirrors: BTreeMap<String, String>,
    /// Beginnings of images' names that may be reached without encryption.
    pub insecure_registries: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    pull_policy: Option<String>,
    #[serde(default)]
    registry_mirrors: BTreeMap<String, String>,
    #[serde(default)]
    insecure_registries: Vec<String>,
}

/// Where the file is, or would be.
pub fn path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("cooper/config.toml"))
}

impl Config {
    /// Reads the file; nothing is configured where there is none.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn read(path: &Path) -> Result<Self> {
        let describe = || format!("cannot read the configuration `{}`", path.display());
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).context(describe),
        };
        Self::parse(&text).context(describe)
    }

    fn parse(text: &str) -> Result<Self> {
        let document: Document = toml::from_str(text).context(|| "it makes no sense")?;
        Ok(Self {
            pull: document.pull_policy.map(|policy| policy.parse()).transpose()?,
            registry_mirrors: document.registry_mirrors,
            insecure_registries: document.insecure_registries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_a_missing_one_says_nothing() {
        let text = "pull-policy = 'daily'\ninsecure-registries = ['r.test']\n[registry-mirrors]\n'docker.io' = 'm.test:5000'\n[mirrors]\ndebian = 'x'\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.pull, Some("daily".parse().unwrap()));
        assert_eq!(config.registry_mirrors["docker.io"], "m.test:5000");
        assert_eq!(config.insecure_registries, ["r.test"]);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Config::read(&folder.path().join("none")).unwrap(), Config::default());
        let bad = folder.path().join("bad");
        std::fs::write(&bad, "pull-policy = 'sometimes'").unwrap();
        let error = format!("{:?}", Config::read(&bad).unwrap_err());
        assert!(error.contains("bad`") && error.contains("is no pull policy"), "{error}");
    }

    #[test]
    fn the_file_is_where_configurations_are() {
        let with = |variables: &[(&str, &str)]| {
            path(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
        };
        assert_eq!(with(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]), Some("/x/cooper/config.toml".into()));
        assert_eq!(with(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "relative")]), Some("/h/.config/cooper/config.toml".into()));
        assert_eq!(with(&[]), None);
    }
}
