//! The layers folder after somebody else's programs have written to it: what is in it may be a link to anywhere on this machine.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// A path below the layers folder, after a look that no part of it leads out of it. It need not exist.
///
/// # Errors
/// When a part of it is a symbolic link, or would be the folder above.
pub fn inside(layers: &Path, path: impl AsRef<Path>) -> Result<PathBuf> {
    let mut full = layers.to_path_buf();
    for part in path.as_ref() {
        full.push(part);
        let is_link = full.symlink_metadata().is_ok_and(|found| found.is_symlink());
        if is_link || part == ".." || part == "/" {
            return Err(Error::new(format!("`{}` leads out of the layers folder", full.display())));
        }
    }
    Ok(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_out() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("real")).unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("real/link")).unwrap();
        for good in ["real", "real/none/such", "none"] {
            assert_eq!(inside(folder.path(), good).unwrap(), folder.path().join(good));
        }
        for bad in ["real/link", "real/link/passwd", "../x", "/etc"] {
            assert!(inside(folder.path(), bad).unwrap_err().to_string().ends_with("leads out of the layers folder"), "{bad}");
        }
    }
}
