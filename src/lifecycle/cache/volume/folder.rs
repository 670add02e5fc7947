//! A folder of layers as uncompressed tars, each named by its diffID. What was committed stays until a commit puts what was staged in its
//! place (CACHE-01 to CACHE-04).

use crate::error::{Context, Error, Result};
use crate::image::Hashing;
use crate::store::remove_tree;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

const COMMITTED: &str = "committed";
const BACKUP: &str = "committed-backup";
const STAGING: &str = "staging";

/// A folder of layers.
pub struct Volume(PathBuf);

impl Volume {
    /// Opens a folder, which must exist, and clears away what killed programs left (CACHE-03).
    ///
    /// # Errors
    /// When the folder is not there or cannot be written.
    pub fn open(folder: &Path) -> Result<Self> {
        let describe = || format!("cannot open the cache `{}`", folder.display());
        if !folder.is_dir() {
            return Err(Error::new("there is no such folder")).context(describe);
        }
        if !folder.join(COMMITTED).exists() && folder.join(BACKUP).exists() {
            // A commit was killed between its two renames.
            fs::rename(folder.join(BACKUP), folder.join(COMMITTED)).context(describe)?;
        }
        for leftover in [STAGING, BACKUP] {
            remove_tree(&folder.join(leftover)).context(describe)?;
        }
        for wanted in [STAGING, COMMITTED] {
            fs::create_dir_all(folder.join(wanted)).context(describe)?;
        }
        Ok(Self(folder.to_path_buf()))
    }

    /// Where the files are that become the committed ones.
    pub fn staging(&self) -> PathBuf {
        self.0.join(STAGING)
    }

    /// Where the files are that were committed.
    pub fn committed(&self) -> PathBuf {
        self.0.join(COMMITTED)
    }

    /// The tar of a layer that was committed, or would be.
    pub fn layer(&self, diff_id: &str) -> PathBuf {
        self.committed().join(format!("{diff_id}.tar"))
    }

    /// The tar of a layer that is staged, or would be.
    pub fn staged_layer(&self, diff_id: &str) -> PathBuf {
        self.staging().join(format!("{diff_id}.tar"))
    }

    /// The tar of a layer that was committed, if it is whole.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub fn whole_layer(&self, diff_id: &str) -> Result<PathBuf> {
        let path = self.layer(diff_id);
        let mut tar = Hashing::new(io::sink());
        io::copy(&mut File::open(&path)?, &mut tar)?;
        if tar.finish().0.as_str() == diff_id {
            Ok(path)
        } else {
            Err(Error::new(format!("the cached layer `{}` is damaged", path.display())))
        }
    }

    /// Stages the tar of a layer without copying it, where that can be.
    ///
    /// # Errors
    /// When it cannot be read, or the folder cannot be written.
    pub fn stage(&self, diff_id: &str, tar: &Path) -> Result<()> {
        let target = self.staged_layer(diff_id);
        if !target.exists() && fs::hard_link(tar, &target).is_err() {
            fs::copy(tar, &target).context(|| format!("cannot copy `{}` to `{}`", tar.display(), target.display()))?;
        }
        Ok(())
    }

    /// Puts what is staged in the place of what was committed (CACHE-04).
    ///
    /// # Errors
    /// When the system refuses; what was committed then stays.
    pub fn commit(&self) -> Result<()> {
        let path = |name: &str| self.0.join(name);
        let describe = || format!("cannot commit the cache `{}`", self.0.display());
        fs::rename(path(COMMITTED), path(BACKUP)).context(describe)?;
        if let Err(error) = fs::rename(path(STAGING), path(COMMITTED)) {
            fs::rename(path(BACKUP), path(COMMITTED)).context(describe)?;
            return Err(error).context(describe);
        }
        remove_tree(&path(BACKUP)).context(describe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CACHE-03.
    #[test]
    fn opening_clears_away_what_killed_programs_left() {
        let root = tempfile::tempdir().unwrap();
        assert!(Volume::open(&root.path().join("missing")).is_err());
        for (path, content) in [("committed/kept", "whole"), ("staging/half", "half"), ("committed-backup/old", "old")] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let volume = Volume::open(root.path()).unwrap();
        let names = |folder: &Path| -> Vec<_> {
            let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(root.path()), ["committed", "staging"]);
        assert_eq!((names(&volume.committed()), names(&volume.staging()).len()), (vec!["kept".into()], 0));
        // Between the two renames of a commit, the backup is all that there is.
        fs::rename(root.path().join("committed"), root.path().join("committed-backup")).unwrap();
        let volume = Volume::open(root.path()).unwrap();
        assert_eq!((names(root.path()).len(), names(&volume.committed())), (2, vec!["kept".into()]));
    }
}
