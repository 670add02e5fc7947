//! The exact state of a built-in builder's run image, as a file: whoever has it makes the same image, today or later.

use crate::debian::Lock;
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Which packages a run image is made of.
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
        let lock: Self = toml::from_str(&std::fs::read_to_string(path).context(describe)?).context(describe)?;
        if !lock.whole.contains(&lock.base) {
            return Err(Error::new("its packages are not those of the base, and more")).context(describe);
        }
        Ok(lock)
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
