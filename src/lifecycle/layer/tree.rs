//! Visits every file under a folder in an order that is the same on every file system.

use crate::error::{Advice, Context, Error, Result};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// In which order the files of a folder are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Folder by folder, names in byte order, a folder before what is in it.
    Folders,
    /// By the bytes of the whole path, so that `a-b` comes between `a` and `a/c`.
    Paths,
}

/// One file as it is on disk: its path below the root of the walk (empty for the root), and its status.
pub struct Node<'a> {
    /// The path below the root of the walk; empty for the root itself.
    pub path: &'a [u8],
    /// What `lstat` says of it.
    pub status: &'a Stat,
    root: &'a Path,
    folder: BorrowedFd<'a>,
    name: &'a CStr,
}

impl Node<'_> {
    /// What kind of file it is.
    pub fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.status.st_mode)
    }

    /// Its permission bits, with setuid, setgid and sticky.
    pub fn permissions(&self) -> u32 {
        self.status.st_mode & 0o7777
    }

    /// Opens a regular file to read it; a symbolic link that took its place is not followed.
    pub fn open(&self) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = rustix::fs::openat(self.folder, self.name, flags, Mode::empty())
            .context(|| format!("cannot read `{}`", self.display()))
            .hint("make it readable, or exclude it from the app")?;
        Ok(File::from(file))
    }

    /// Where a symbolic link points, as it is written.
    pub fn target(&self) -> Result<Vec<u8>> {
        let target = rustix::fs::readlinkat(self.folder, self.name, Vec::new())
            .context(|| format!("cannot read the symbolic link `{}`", self.display()))?;
        Ok(target.into_bytes())
    }

    /// The path on this machine, for messages.
    pub fn display(&self) -> String {
        join(self.root, self.path).display().to_string()
    }
}

/// The path of a file from the root of a walk and its path below it.
pub fn join(root: &Path, path: &[u8]) -> PathBuf {
    if path.is_empty() { root.to_path_buf() } else { root.join(OsStr::from_bytes(path)) }
}

/// Visits `root` and everything under it. Symbolic links are visited, never followed, so that no loop can be entered.
pub fn walk(root: &Path, order: Order, visit: &mut dyn FnMut(&Node) -> Result<()>) -> Result<()> {
    let folder = open_folder(rustix::fs::CWD, c_string(root.as_os_str().as_bytes())?.as_c_str(), root)?;
    let status = rustix::fs::fstat(&folder).context(|| format!("cannot read `{}`", root.display()))?;
    let node = Node { path: b"", status: &status, root, folder: folder.as_fd(), name: c"." };
    visit(&node)?;
    let mut walk = Walk { root, order, visit };
    walk.folder(&folder, &mut Vec::new())
}

struct Walk<'a> {
    root: &'a Path,
    order: Order,
    visit: &'a mut dyn FnMut(&Node) -> Result<()>,
}

/// What a folder holds, in the order of the visits.
enum Step {
    Visit(CString),
    Enter(CString),
}

impl Walk<'_> {
    fn folder(&mut self, folder: &OwnedFd, path: &mut Vec<u8>) -> Result<()> {
        for step in self.steps(folder, path)? {
            let length = path.len();
            let name = match &step {
                Step::Visit(name) | Step::Enter(name) => name.as_c_str(),
            };
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            match &step {
                Step::Visit(name) => self.visit(folder, name, path)?,
                Step::Enter(name) => {
                    let child = open_folder(folder.as_fd(), name, &join(self.root, path))?;
                    self.folder(&child, path)?;
                }
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn visit(&mut self, folder: &OwnedFd, name: &CStr, path: &[u8]) -> Result<()> {
        let status = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
            .context(|| format!("cannot read `{}`", join(self.root, path).display()))?;
        (self.visit)(&Node { path, status: &status, root: self.root, folder: folder.as_fd(), name })
    }

    fn steps(&self, folder: &OwnedFd, path: &[u8]) -> Result<Vec<Step>> {
        let mut names = list(folder, &join(self.root, path))?;
        names.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
        let mut steps = Vec::with_capacity(names.len());
        for (name, is_folder) in names {
            if is_folder {
                steps.push(Step::Visit(name.clone()));
                steps.push(Step::Enter(name));
            } else {
                steps.push(Step::Visit(name));
            }
        }
        if self.order == Order::Paths {
            // What is in a folder sorts as if its name ended with a slash; `Visit` stays before `Enter` where both are equal.
            steps.sort_by(|left, right| path_bytes(left).cmp(path_bytes(right)));
        }
        Ok(steps)
    }
}

/// The bytes by which a step sorts in the order of whole paths.
fn path_bytes(step: &Step) -> impl Iterator<Item = u8> + '_ {
    let (name, slash) = match step {
        Step::Visit(name) => (name, None),
        Step::Enter(name) => (name, Some(b'/')),
    };
    name.to_bytes().iter().copied().chain(slash)
}

fn list(folder: &OwnedFd, path: &Path) -> Result<Vec<(CString, bool)>> {
    let mut names = Vec::new();
    let entries = Dir::read_from(folder).context(|| format!("cannot list `{}`", path.display()))?;
    for entry in entries {
        let entry = entry.context(|| format!("cannot list `{}`", path.display()))?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let is_folder = match entry.file_type() {
            FileType::Directory => true,
            // Some file systems do not tell the type in the listing.
            FileType::Unknown => {
                let status = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
                    .context(|| format!("cannot read `{}`", join(path, name.to_bytes()).display()))?;
                FileType::from_raw_mode(status.st_mode) == FileType::Directory
            }
            _ => false,
        };
        names.push((name.to_owned(), is_folder));
    }
    Ok(names)
}

fn open_folder(parent: BorrowedFd, name: &CStr, path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(parent, name, flags, Mode::empty())
        .context(|| format!("cannot list the folder `{}`", path.display()))
        .hint("make it readable, or exclude it from the app")
}

fn c_string(bytes: &[u8]) -> Result<CString> {
    CString::new(bytes).map_err(|_| Error::new(format!("the path `{}` holds a zero byte", String::from_utf8_lossy(bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn paths(root: &Path, order: Order) -> Vec<String> {
        let mut paths = Vec::new();
        walk(root, order, &mut |node| {
            paths.push(String::from_utf8_lossy(node.path).into_owned());
            Ok(())
        })
        .expect("the folder can be read");
        paths
    }

    /// TAR-05, SLC-10.
    #[test]
    fn the_two_orders_differ_where_a_name_continues_a_folders_name() {
        let root = tempfile::tempdir().expect("a folder");
        for folder in ["a", "a-b", "a/c"] {
            fs::create_dir(root.path().join(folder)).expect("a folder");
        }
        fs::write(root.path().join("a/c/file"), "").expect("a file");
        fs::write(root.path().join("B"), "").expect("a file");
        assert_eq!(paths(root.path(), Order::Folders), ["", "B", "a", "a/c", "a/c/file", "a-b"]);
        assert_eq!(paths(root.path(), Order::Paths), ["", "B", "a", "a-b", "a/c", "a/c/file"]);
    }

    #[test]
    fn loops_of_symbolic_links_are_visited_once() {
        let root = tempfile::tempdir().expect("a folder");
        std::os::unix::fs::symlink(".", root.path().join("self")).expect("a link");
        std::os::unix::fs::symlink("two", root.path().join("one")).expect("a link");
        std::os::unix::fs::symlink("one", root.path().join("two")).expect("a link");
        assert_eq!(paths(root.path(), Order::Folders), ["", "one", "self", "two"]);
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let error = walk(Path::new("/does/not/exist"), Order::Folders, &mut |_| Ok(())).expect_err("it is missing");
        assert!(error.to_string().contains("/does/not/exist"), "{error:?}");
    }
}
