//! The application's source, copied to where the build may change it.

use crate::error::{Advice, Context, Error, Result};
use crate::output::Output;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// What to copy, and for whom.
pub struct Copy<'a> {
    /// The folder with the source code.
    pub source: &'a Path,
    /// The folder to copy into; made by [`copy`].
    pub target: &'a Path,
    /// User and group to own the copy, where this process may set them.
    pub owner: Option<(u32, u32)>,
    /// Paths that are no source though they may lie in it: the store, the outputs.
    pub leave_out: &'a [PathBuf],
}

/// Copies the source. Modes become 0755 or 0644, by the owner's execute bit, because a umask is no part of the source and the image's user
/// is not the user of the build. Links are copied as they are; sockets, pipes and devices are left out with a warning.
///
/// # Errors
/// When the source is no folder, or something in it cannot be read.
pub fn copy(copy: &Copy, output: &Output) -> Result<()> {
    let source = checked(copy.source)?;
    let left_out: Vec<PathBuf> = copy.leave_out.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let walk =
        WalkDir::new(&source).sort_by_file_name().into_iter().filter_entry(|entry| !left_out.iter().any(|path| path == entry.path()));
    for entry in walk {
        let entry = entry.context(|| format!("cannot read the source in `{}`", copy.source.display()))?;
        let relative = entry.path().strip_prefix(&source).unwrap_or(Path::new(""));
        let target = if relative.as_os_str().is_empty() { copy.target.to_path_buf() } else { copy.target.join(relative) };
        copy_entry(&entry, &target, output)
            .context(|| format!("cannot copy `{}`", entry.path().display()))
            .hint("make it readable, or move it out of the source folder")?;
        if let (Some((user, group)), true) = (copy.owner, fs::symlink_metadata(&target).is_ok()) {
            lchown(&target, Some(user), Some(group)).context(|| format!("cannot hand `{}` to the build user", target.display()))?;
        }
    }
    Ok(())
}

/// Refuses what is no folder with source code, before anything long is done for it.
///
/// # Errors
/// When there is no such folder.
pub fn check(source: &Path) -> Result<()> {
    checked(source).map(drop)
}

fn checked(source: &Path) -> Result<PathBuf> {
    let hint = "name a folder with source code with `--path`";
    let path = source.canonicalize().context(|| format!("cannot find the source folder `{}`", source.display())).hint(hint)?;
    if !path.is_dir() {
        return Err(Error::new(format!("cannot build `{}`: it is not a folder", source.display())).hint(hint));
    }
    Ok(path)
}

fn copy_entry(entry: &DirEntry, target: &Path, output: &Output) -> Result<()> {
    let kind = entry.file_type();
    if kind.is_dir() {
        fs::create_dir(target)?;
        fs::set_permissions(target, Permissions::from_mode(0o755))?;
    } else if kind.is_symlink() {
        symlink(fs::read_link(entry.path())?, target)?;
    } else if kind.is_file() {
        fs::copy(entry.path(), target)?;
        let executable =
            entry.metadata().context(|| format!("cannot read `{}`", entry.path().display()))?.permissions().mode() & 0o100 != 0;
        fs::set_permissions(target, Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
    } else {
        let what = if kind.is_socket() {
            "a socket"
        } else if kind.is_fifo() {
            "a pipe"
        } else {
            "a device"
        };
        output.warn(&format!("`{}` is {what} and stays out of the image", entry.path().display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    fn copied(source: &Path) -> (tempfile::TempDir, Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("workspace");
        let result = copy(&Copy { source, target: &target, owner: None, leave_out: &[source.join("store")] }, &Output::quiet());
        (folder, result)
    }

    #[test]
    fn modes_are_normal_and_odd_files_are_handled() {
        let source = tempfile::tempdir().unwrap();
        let path = |name: &str| source.path().join(name);
        fs::write(path("run"), "x").unwrap();
        fs::set_permissions(path("run"), Permissions::from_mode(0o700)).unwrap();
        fs::write(path("data"), "x").unwrap();
        fs::set_permissions(path("data"), Permissions::from_mode(0o600)).unwrap();
        symlink("loop", path("loop")).unwrap();
        fs::write(source.path().join(OsStr::from_bytes(b"\xff")), "x").unwrap();
        fs::create_dir(path("store")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        let (target, result) = copied(source.path());
        result.unwrap();
        let target = target.path().join("workspace");
        let mode = |name: &str| fs::metadata(target.join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!([mode("run"), mode("data")], [0o755, 0o644]);
        assert_eq!(fs::read_link(target.join("loop")).unwrap(), Path::new("loop"));
        assert!(target.join(OsStr::from_bytes(b"\xff")).exists());
        assert!(!target.join("store").exists() && !target.join("socket").exists());
    }

    #[test]
    fn a_file_or_nothing_is_no_source() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(copied(file.path()).1.unwrap_err().to_string().contains("it is not a folder"));
        assert!(copied(Path::new("/no/such/folder")).1.unwrap_err().to_string().contains("cannot find the source folder"));
    }
}
