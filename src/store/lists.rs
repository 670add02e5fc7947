//! Lists of images that are put together on this machine. Each is one document, whose form is whose it is; the images themselves may be elsewhere.

use super::Store;
use crate::error::{Context, Result};
use crate::image::{Digest, Reference};
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

impl Store {
    /// The list with a name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn manifest_list(&self, name: &Reference) -> Result<Option<Vec<u8>>> {
        let path = self.manifest_list_path(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context(|| format!("cannot read `{}`", path.display())),
        }
    }

    /// Puts a list in the place of the one that has its name.
    ///
    /// # Errors
    /// When the store cannot be written; the list is then as it was.
    pub fn put_manifest_list(&self, name: &Reference, document: &[u8]) -> Result<()> {
        let path = self.manifest_list_path(name);
        let describe = || format!("cannot write `{}`", path.display());
        fs::create_dir_all(self.root().join("lists")).context(describe)?;
        let mut file = tempfile::NamedTempFile::new_in(self.root().join("tmp")).context(describe)?;
        file.write_all(document).context(describe)?;
        file.as_file().sync_data().context(describe)?;
        file.persist(&path).context(describe).map(drop)
    }

    /// Removes a list. Returns whether it was there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn remove_manifest_list(&self, name: &Reference) -> Result<bool> {
        let path = self.manifest_list_path(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error).context(|| format!("cannot remove `{}`", path.display())),
        }
    }

    fn manifest_list_path(&self, name: &Reference) -> PathBuf {
        self.root().join("lists").join(format!("{}.json", &Digest::of(name.full().as_bytes()).hex()[..32]))
    }
}
