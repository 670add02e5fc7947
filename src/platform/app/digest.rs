//! The digest of a source: the same on each machine for the same files, whatever their times and owners.

use crate::error::{Context, Result};
use crate::image::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use walkdir::WalkDir;

/// The digest of a folder: SHA-256 over one record for each thing in it, in the order of their paths. A record is the mode in octal, a blank, the digest of
/// a file's content or a link's target (of a folder nothing), a blank, the path and a zero byte.
///
/// # Errors
/// When something cannot be read.
pub fn digest(folder: &Path) -> Result<Digest> {
    let describe = |path: &Path| format!("cannot read `{}`", path.display());
    let mut records = Vec::new();
    for entry in WalkDir::new(folder).min_depth(1) {
        let entry = entry.context(|| describe(folder))?;
        let path = entry.path();
        let kind = entry.file_type();
        let content = if kind.is_symlink() {
            Digest::of(fs::read_link(path).context(|| describe(path))?.as_os_str().as_bytes()).hex().to_string()
        } else if kind.is_file() {
            File::open(path).and_then(Digest::of_all).context(|| describe(path))?.hex().to_string()
        } else {
            String::new()
        };
        let mode = fs::symlink_metadata(path).context(|| describe(path))?.permissions().mode();
        let relative = path.strip_prefix(folder).unwrap_or(path).as_os_str().as_bytes().to_vec();
        records.push((relative, format!("{mode:o} {content} ")));
    }
    records.sort();
    let mut hash = Sha256::new();
    for (path, record) in records {
        hash.update(record);
        hash.update(path);
        hash.update([0]);
    }
    Ok(Digest::from_sha256(hash.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_digest_is_of_names_modes_and_contents() {
        type Change = fn(&Path) -> io::Result<()>;
        let changes: [Change; 5] = [
            |root| fs::write(root.join("a/file"), "other"),
            |root| fs::set_permissions(root.join("a/file"), PermissionsExt::from_mode(0o755)),
            |root| fs::rename(root.join("a/file"), root.join("a/else")),
            |root| fs::remove_file(root.join("link")).and_then(|()| symlink("b", root.join("link"))),
            |root| fs::create_dir(root.join("a/new")),
        ];
        let made = || {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("a")).unwrap();
            fs::write(root.path().join("a/file"), "text").unwrap();
            fs::set_permissions(root.path().join("a/file"), PermissionsExt::from_mode(0o644)).unwrap();
            symlink("a", root.path().join("link")).unwrap();
            root
        };
        let known = digest(made().path()).unwrap();
        for (index, change) in changes.iter().enumerate() {
            let root = made();
            assert_eq!(digest(root.path()).unwrap(), known);
            change(root.path()).unwrap();
            assert_ne!(digest(root.path()).unwrap(), known, "{index}");
        }
    }
}
