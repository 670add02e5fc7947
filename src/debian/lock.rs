//! A lock: exactly which packages an image is made of. It names no host and no time of running, so the same choice is the same lock.

use crate::error::{Context, Result};
use crate::image::Digest;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// Which packages, of which releases of which archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The suite that the base names.
    pub suite: String,
    /// The architecture, in Debian's words, as `amd64`.
    pub architecture: String,
    /// The Release files that the choice was made from.
    pub releases: Vec<Release>,
    /// The packages, sorted by name.
    pub packages: Vec<Package>,
}

/// One Release file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Name of the archive.
    pub archive: String,
    /// Suite in it.
    pub suite: String,
    /// Its `Date`, as RFC 3339.
    pub date: String,
    /// SHA-256 of the signed file, in hexadecimal.
    pub sha256: String,
}

/// One package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// The source package that it is built from.
    pub source: String,
    /// Name of the archive.
    pub archive: String,
    /// Suite in it.
    pub suite: String,
    /// Where it is in the archive, as `pool/main/…`.
    pub path: String,
    /// Bytes of the .deb.
    pub size: u64,
    /// SHA-256 of the .deb, in hexadecimal.
    pub sha256: String,
    /// `declared`, `requested`, or the package that depends on it.
    pub why: String,
}

impl Lock {
    /// Reads a lock; nothing where there is none.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        match std::fs::read_to_string(path) {
            Ok(text) => toml::from_str(&text).map(Some).context(|| format!("the lock `{}` is damaged", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context(|| format!("cannot read the lock `{}`", path.display())),
        }
    }

    /// Writes the lock as one step.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let describe = || format!("cannot write the lock `{}`", path.display());
        let folder = path.parent().context(describe)?;
        std::fs::create_dir_all(folder).context(describe)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).context(describe)?;
        file.write_all(self.to_toml().as_bytes()).context(describe)?;
        file.as_file().sync_data().context(describe)?;
        file.persist(path).context(describe)?;
        Ok(())
    }

    /// The lock as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// A digest of the choice of packages alone: the dates of Release files that changed nothing do not change it.
    pub fn digest(&self) -> Digest {
        let mut text = format!("{} {}\n", self.suite, self.architecture);
        for package in &self.packages {
            text.push_str(&format!("{} {} {} {}\n", package.name, package.version, package.architecture, package.sha256));
        }
        Digest::of(text.as_bytes())
    }

    /// Whether it has every package of another, in the same version.
    pub fn contains(&self, below: &Self) -> bool {
        let has = |package: &Package| self.packages.iter().any(|other| other.name == package.name && other.sha256 == package.sha256);
        below.packages.iter().all(has)
    }

    /// The newest date of the releases, as RFC 3339.
    pub fn released(&self) -> Option<&str> {
        self.releases.iter().map(|release| release.date.as_str()).max()
    }
}
