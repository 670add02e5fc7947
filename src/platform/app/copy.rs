//! The application's source, copied to where the build may change it.

use super::{Rules, walk};
use crate::error::{Advice, Context, Result};
use crate::output::Output;
use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use walkdir::DirEntry;

/// What to copy, and for whom.
pub struct Copy<'a> {
    /// The folder with the source code.
    pub source: &'a Path,
    /// Which of its files are left out.
    pub rules: &'a Rules,
    /// The folder to copy into; made by [`copy`].
    pub target: &'a Path,
    /// User and group to own the copy, where this process may set them.
    pub owner: Option<(u32, u32)>,
    /// Paths that are no source though they may lie in it: the store, the outputs.
    pub apart: &'a [PathBuf],
}

/// Copies the source. Modes become 0755 or 0644, by the owner's execute bit, because a umask is no part of the source and the image's user
/// is not the user of the build. Links are copied as they are; sockets, pipes and devices are left out with a warning.
///
/// # Errors
/// When something in the source cannot be read.
pub fn copy(copy: &Copy, output: &Output) -> Result<()> {
    make_folders(copy.target, copy)?;
    for found in walk(copy.source, copy.rules, copy.apart) {
        let found = found?;
        if found.left_out.is_some() {
            continue;
        }
        let (entry, target) = (&found.entry, copy.target.join(&found.relative));
        let describe = || format!("cannot copy `{}`", entry.path().display());
        // A rule may let in a file of a folder that it leaves out.
        make_folders(target.parent().unwrap_or(copy.target), copy).context(describe)?;
        copy_entry(entry, &target, output).context(describe).hint("make it readable, or move it out of the source folder")?;
        if fs::symlink_metadata(&target).is_ok() {
            give(&target, copy.owner)?;
        }
    }
    Ok(())
}

/// Makes the folders of the copy down to `path` that are not there.
fn make_folders(path: &Path, copy: &Copy) -> Result<()> {
    let missing = path.ancestors().take_while(|folder| folder.starts_with(copy.target) && !folder.exists());
    for folder in missing.collect::<Vec<_>>().into_iter().rev() {
        make_folder(folder).context(|| format!("cannot make `{}`", folder.display()))?;
        give(folder, copy.owner)?;
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir(path)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(0o755))?)
}

fn give(path: &Path, owner: Option<(u32, u32)>) -> Result<()> {
    let Some((user, group)) = owner else { return Ok(()) };
    lchown(path, Some(user), Some(group)).context(|| format!("cannot hand `{}` to the build user", path.display()))
}

fn copy_entry(entry: &DirEntry, target: &Path, output: &Output) -> Result<()> {
    let kind = entry.file_type();
    if kind.is_dir() {
        make_folder(target)?;
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

    fn copied(source: &Path, rules: &Rules) -> (tempfile::TempDir, Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("workspace");
        let result = copy(&Copy { source, rules, target: &target, owner: None, apart: &[source.join("store")] }, &Output::quiet());
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
        let (target, result) = copied(source.path(), &Rules::default());
        result.unwrap();
        let target = target.path().join("workspace");
        let mode = |name: &str| fs::metadata(target.join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!([mode("run"), mode("data")], [0o755, 0o644]);
        assert_eq!(fs::read_link(target.join("loop")).unwrap(), Path::new("loop"));
        assert!(target.join(OsStr::from_bytes(b"\xff")).exists());
        assert!(!target.join("store").exists() && !target.join("socket").exists());
    }

    /// PRJ-08.
    #[test]
    fn files_of_folders_that_are_left_out_can_be_let_in() {
        let source = tempfile::tempdir().unwrap();
        for name in ["a/b/c.txt", "a/d.txt", "e/f.txt"] {
            fs::create_dir_all(source.path().join(name).parent().unwrap()).unwrap();
            fs::write(source.path().join(name), "x").unwrap();
        }
        let rules = Rules::read(source.path(), Some(&["a/b/c.txt".into()]), None).unwrap();
        let (target, result) = copied(source.path(), &rules);
        result.unwrap();
        let found = walkdir::WalkDir::new(target.path().join("workspace")).sort_by_file_name().into_iter();
        let names: Vec<_> = found.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        assert_eq!(names, ["workspace", "a", "b", "c.txt"]);
    }
}
