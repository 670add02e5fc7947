//! The exact state of a built-in builder's image, as a file: whoever has it makes the same image, today or later.

use crate::debian::{Kind, Lock};
use crate::error::{Context, Error, Result};
use crate::image::ArtifactFile;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The media type of one.
const MEDIA_TYPE: &str = "application/vnd.cooper.lock.v1+toml";

/// Which packages both images of a builder are made of, where not what this machine has chosen counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locks {
    /// Those of the build image.
    pub build: RunLock,
    /// Those of the run image.
    pub run: RunLock,
}

/// Which packages an image is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLock {
    /// The builder.
    pub builder: String,
    /// The packages that an app asked for.
    pub packages: Vec<String>,
    /// The packages of the run image itself.
    pub base: Lock,
    /// Those, and what was asked for with all that it needs.
    pub whole: Lock,
}

impl RunLock {
    /// Reads one.
    ///
    /// # Errors
    /// When there is none, or it makes no sense.
    pub fn read(path: &Path) -> Result<Self> {
        let describe = || format!("cannot read the lock `{}`", path.display());
        Self::parse(&std::fs::read(path).context(describe)?).context(describe)
    }

    /// Reads the text of one.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let describe = || "the lock makes no sense";
        let lock: Self = toml::from_slice(text).context(describe)?;
        if !lock.whole.contains(&lock.base) {
            return Err(Error::new("its packages are not those of the base, and more")).context(describe);
        }
        Ok(lock)
    }

    /// The packages of the image with `extras`.
    ///
    /// # Errors
    /// When it is for others.
    pub fn with(&self, extras: &[String]) -> Result<Lock> {
        match extras {
            [] => Ok(self.base.clone()),
            extras if extras == self.packages => Ok(self.whole.clone()),
            extras => {
                Err(Error::new(format!("the lock is for the packages [{}], not for [{}]", self.packages.join(" "), extras.join(" "))))
            }
        }
    }

    /// It, as a file beside an image of that kind.
    ///
    /// # Errors
    /// Never; the encoder would allow for it.
    pub fn file(&self, kind: Kind) -> Result<ArtifactFile> {
        let text = toml::to_string(self).context(|| format!("cannot write the lock of the {} image", kind.name()))?;
        Ok(ArtifactFile { media_type: MEDIA_TYPE.into(), name: format!("{}.lock.toml", kind.name()), content: text.into_bytes() })
    }

    /// Writes it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let describe = || format!("cannot write the lock `{}`", path.display());
        std::fs::write(path, toml::to_string(self).context(describe)?).context(describe)
    }

    /// Checks that it is for an image of a builder with these packages.
    ///
    /// # Errors
    /// When it is for another one.
    pub(super) fn check(&self, builder: &str, packages: &[String], architecture: &str) -> Result<()> {
        let describe =
            |builder: &str, packages: &[String], architecture: &str| format!("{builder} ({architecture}) with [{}]", packages.join(" "));
        let (own, wanted) = (describe(&self.builder, &self.packages, &self.base.architecture), describe(builder, packages, architecture));
        if own == wanted {
            return Ok(());
        }
        Err(Error::new(format!("the lock is for the run image of {own}, the app is on that of {wanted}")))
    }
}
