//! What goes into a build, without a build.

use super::{Rules, walk};
use crate::error::{Context, Result};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What of the source goes into the build, and what does not.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inputs {
    /// Files and links with their sizes, in sorted order.
    pub files: Vec<(String, u64)>,
    /// What is left out, and by which rule. A folder stands for all that is in it.
    pub left_out: Vec<(String, String)>,
}

/// Lists the inputs of a build.
///
/// # Errors
/// When the source cannot be read.
pub fn list(source: &Path, rules: &Rules, apart: &[PathBuf]) -> Result<Inputs> {
    let mut inputs = Inputs::default();
    let mut inside: Option<PathBuf> = None;
    for found in walk(source, rules, apart) {
        let found = found?;
        let is_folder = found.entry.file_type().is_dir();
        let name = format!("{}{}", found.relative.display(), if is_folder { "/" } else { "" });
        match found.left_out {
            // It is named with its folder.
            Some(_) if inside.as_ref().is_some_and(|folder| found.relative.starts_with(folder)) => {}
            Some(rule) => {
                inside = is_folder.then(|| found.relative.clone());
                inputs.left_out.push((name, rule));
            }
            None if is_folder => {}
            None => {
                let status = found.entry.metadata().context(|| format!("cannot read `{}`", found.entry.path().display()))?;
                inputs.files.push((name, status.len()));
            }
        }
    }
    Ok(inputs)
}

impl Inputs {
    /// Bytes of all files together.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|(_, size)| size).sum()
    }
}
