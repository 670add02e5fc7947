//! The application's source: where it is, which of its files go into the build, and their copy that the build may change. Start with [`Source`].

mod copy;
mod digest;
mod list;
mod rules;
mod zip;

pub use copy::{Copy, copy};
pub use digest::digest;
pub use list::{Inputs, list};
pub use rules::Rules;

use crate::error::{Advice, Context, Error, Result};
use crate::store::{Scratch, Store};
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// The folder with the source code. That of an archive is gone when this is.
pub struct Source {
    /// As the user named it.
    named: PathBuf,
    folder: PathBuf,
    /// Where an archive was unpacked.
    _unpacked: Option<Scratch>,
}

impl Source {
    /// Finds the source: a folder, or a file in the form of zip (`.zip`, `.jar`, `.war`), which is unpacked (CLI-22).
    ///
    /// # Errors
    /// When there is neither.
    pub fn open(path: &Path, store: &Store) -> Result<Self> {
        let hint = "name a folder with source code, or a zip file of one, with `--path`";
        let folder = path.canonicalize().context(|| format!("cannot find the source `{}`", path.display())).hint(hint)?;
        if folder.is_dir() {
            return Ok(Self { named: path.to_path_buf(), folder, _unpacked: None });
        }
        if !zip::is_zip(&folder)? {
            let what = "it is neither a folder nor a zip file";
            return Err(Error::new(format!("cannot build `{}`: {what}", path.display())).hint(hint));
        }
        let scratch = store.scratch()?;
        let unpacked = scratch.path().join("source");
        zip::unpack(&folder, &unpacked).context(|| format!("cannot unpack `{}`", path.display()))?;
        Ok(Self { named: path.to_path_buf(), folder: unpacked, _unpacked: Some(scratch) })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the user calls it.
    pub fn named(&self) -> std::path::Display<'_> {
        self.named.display()
    }
}

/// A file or folder of the source.
struct Found {
    entry: DirEntry,
    relative: PathBuf,
    /// The rule that leaves it out.
    left_out: Option<String>,
}

/// Everything in the source, in sorted order. `apart` are paths that are no source though they may lie in it: the store, the outputs. Folders
/// that are left out are looked into only where a rule may let something of them in (PRJ-08).
fn walk<'a>(source: &'a Path, rules: &'a Rules, apart: &'a [PathBuf]) -> impl Iterator<Item = Result<Found>> + 'a {
    let apart: Vec<PathBuf> = apart.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let mut walk = WalkDir::new(source).min_depth(1).sort_by_file_name().into_iter();
    std::iter::from_fn(move || {
        loop {
            let entry = match walk.next()?.context(|| format!("cannot read the source in `{}`", source.display())) {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            let is_folder = entry.file_type().is_dir();
            if apart.iter().any(|path| path == entry.path()) {
                if is_folder {
                    walk.skip_current_dir();
                }
                continue;
            }
            let relative = entry.path().strip_prefix(source).unwrap_or(Path::new("")).to_path_buf();
            let left_out = rules.left_out(&relative, is_folder);
            if is_folder && left_out.is_some() && !rules.may_let_in() {
                walk.skip_current_dir();
            }
            return Some(Ok(Found { entry, relative, left_out }));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_or_nothing_is_no_source() {
        let (file, folder) = (tempfile::NamedTempFile::new().unwrap(), tempfile::tempdir().unwrap());
        let store = Store::open(folder.path()).unwrap();
        let said = |path: &Path| Source::open(path, &store).err().unwrap().to_string();
        assert!(said(file.path()).contains("it is neither a folder nor a zip file"));
        assert!(said(Path::new("/no/such/folder")).contains("cannot find the source"));
    }
}
