//! Buildpacks whose program stands in `project.toml` (PRJ-12).

use crate::buildpack::{Descriptor, Kind, folder_of};
use crate::error::{Advice, Context, Error, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The interpreter where none is named.
const SHELL: &str = "/bin/sh";
/// The version where none is named.
const VERSION: &str = "0.0.0";

/// A buildpack that always passes detection, and its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inline {
    /// Its ID.
    pub id: String,
    /// Its version.
    pub version: String,
    descriptor: String,
    build: String,
}

impl Inline {
    /// Puts one together; `version` and `shell` may be empty.
    ///
    /// # Errors
    /// When it speaks no known API, or its ID or version cannot be one.
    pub(super) fn new(id: &str, version: &str, api: &str, shell: &str, program: &str) -> Result<Self> {
        let describe = || format!("cannot use the inline buildpack `{id}`");
        if api.is_empty() {
            return Err(Error::new("its `script` has no API")).context(describe).hint("write `api = \"0.10\"` below `script`");
        }
        let version = if version.is_empty() { VERSION } else { version };
        let shell = if shell.is_empty() { SHELL } else { shell };
        let section = toml::Table::from_iter([("id".to_string(), id.into()), ("version".to_string(), version.into())]);
        let table = toml::Table::from_iter([("api".to_string(), api.into()), ("buildpack".to_string(), section.into())]);
        let descriptor = toml::to_string(&table).context(describe)?;
        Descriptor::parse(&descriptor, Kind::Buildpack, Path::new("")).context(describe)?;
        folder_of(id, version).context(describe)?;
        Ok(Self { id: id.into(), version: version.into(), descriptor, build: format!("#!{shell}\n\n{program}") })
    }

    /// Writes it below a folder of buildpacks, where the lifecycle looks for it (DESC-01).
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, buildpacks: &Path) -> Result<()> {
        let folder = buildpacks.join(folder_of(&self.id, &self.version)?);
        let write = |name: &str, text: &str, mode| -> std::io::Result<()> {
            let path: PathBuf = folder.join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, Permissions::from_mode(mode))
        };
        fs::create_dir_all(folder.join("bin"))
            .and_then(|()| write("buildpack.toml", &self.descriptor, 0o644))
            .and_then(|()| write("bin/detect", "#!/bin/sh\n\nexit 0\n", 0o755))
            .and_then(|()| write("bin/build", &self.build, 0o755))
            .context(|| format!("cannot write the inline buildpack `{}`", self.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PRJ-12.
    #[test]
    fn what_is_not_said_has_a_default() {
        let folder = tempfile::tempdir().unwrap();
        Inline::new("acme/hi", "", "0.10", "", "echo hi\n").unwrap().write(folder.path()).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join("acme_hi/0.0.0").join(name)).unwrap();
        assert_eq!(read("bin/build"), "#!/bin/sh\n\necho hi\n");
        assert_eq!(read("buildpack.toml"), "api = \"0.10\"\n\n[buildpack]\nid = \"acme/hi\"\nversion = \"0.0.0\"\n");
        Inline::new("b", "1", "0.10", "/usr/bin/python3", "print()").unwrap().write(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("b/1/bin/build")).unwrap(), "#!/usr/bin/python3\n\nprint()");
    }

    #[test]
    fn names_cannot_lead_out_and_apis_must_be_known() {
        for (id, version, api) in [("..", "1", "0.10"), ("a", "../b", "0.10"), ("a", "1", "9.9")] {
            assert!(Inline::new(id, version, api, "", "x").is_err(), "{id} {version} {api}");
        }
    }
}
