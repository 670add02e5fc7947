//! Packages by plan: what the extension `cooper/debian-packages` wrote down of the buildpacks' requirements.

use crate::error::{Context, Error, Result};
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

const FOLDER: &str = "cooper_debian-packages";

impl Packages {
    /// Reads what extensions wrote into `generated`.
    ///
    /// # Errors
    /// When the file is damaged, or another extension wrote a Dockerfile.
    pub fn read(generated: &Path) -> Result<Self> {
        for folder in launcher::environment::entries(generated).context(|| format!("cannot read `{}`", generated.display()))? {
            let dockerfile = ["build.Dockerfile", "run.Dockerfile"].iter().any(|name| folder.join(name).exists());
            if dockerfile && folder.file_name().is_some_and(|name| name != FOLDER) {
                let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                return Err(Error::new(format!("the extension `{name}` wants a Dockerfile to be applied, which this version cannot do"))
                    .hint("use a builder without that extension"));
            }
        }
        let path = inside(generated, Path::new(FOLDER).join("packages.toml"))?;
        match read_document(&path) {
            Ok(text) => toml::from_str(&text).context(|| format!("cannot read `{}`", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).context(|| format!("cannot read `{}`", path.display())),
        }
    }
}
