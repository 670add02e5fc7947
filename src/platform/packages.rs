//! Packages by plan: what the extension `cooper/debian-packages` wrote down of the buildpacks' requirements.

use crate::error::{Context, Result};
use crate::lifecycle::layer::inside;
use launcher::file::read_document;
use serde::Deserialize;
use std::path::Path;

/// The Debian packages that a build asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Packages {
    /// For the build image, sorted.
    #[serde(default)]
    pub build: Vec<String>,
    /// For the run image, sorted.
    #[serde(default)]
    pub run: Vec<String>,
}

/// The extension that writes them down.
pub const EXTENSION: &str = "cooper/debian-packages";
const FOLDER: &str = "cooper_debian-packages";

impl Packages {
    /// Reads what extensions wrote into `generated`.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn read(generated: &Path) -> Result<Self> {
        let path = inside(generated, Path::new(FOLDER).join("packages.toml"))?;
        match read_document(&path) {
            Ok(text) => toml::from_str(&text).context(|| format!("cannot read `{}`", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).context(|| format!("cannot read `{}`", path.display())),
        }
    }
}
