//! The folders of the tree that a layer is unpacked into: made where they are missing, and never reached through a link.

use super::{Tree, whiteout};
use crate::error::{Context, Result};
use rustix::fs::{self, AtFlags, Mode, OFlags, ResolveFlags, XattrFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const OPEN_FOLDERS: usize = 256;

impl Tree {
    /// Removes what an earlier member of this layer put there.
    pub(super) fn clear(&mut self, above: &Path, name: &OsStr) -> Result<()> {
        let parent = self.folder(above)?;
        match fs::unlinkat(parent, name, AtFlags::empty()) {
            Err(Errno::NOENT) => Ok(()),
            Ok(()) => {
                self.owners.remove(&above.join(name));
                Ok(())
            }
            Err(Errno::ISDIR | Errno::PERM) => {
                remove_folder(parent, name)?;
                let path = above.join(name);
                self.open.retain(|open, _| !open.starts_with(&path));
                self.late.retain(|late, _| !late.starts_with(&path));
                self.owners.retain(|owned, _| !owned.starts_with(&path));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The folder at `path`, made where it is missing, never reached through a link.
    pub(super) fn folder(&mut self, path: &Path) -> Result<&OwnedFd> {
        if path.as_os_str().is_empty() {
            return Ok(&self.root);
        }
        if !self.open.contains_key(path) {
            if self.open.len() >= OPEN_FOLDERS {
                self.open.clear();
            }
            let mut opened = self.open_folder(path, OFlags::PATH);
            if matches!(opened, Err(Errno::NOENT | Errno::NOTDIR)) {
                self.make_folder(path)?;
                opened = self.open_folder(path, OFlags::PATH);
            }
            let opened = opened.context(|| format!("`{}` is not a folder of the layer", path.display()))?;
            self.open.insert(path.to_path_buf(), opened);
        }
        self.open.get(path).context(|| "the folder was just opened")
    }

    /// Makes the folder at `path`, which the layer has not listed; it hides lower ones where a whiteout is in its place.
    fn make_folder(&mut self, path: &Path) -> Result<()> {
        let Some(name) = path.file_name() else { return Ok(()) };
        let above = path.parent().unwrap_or(Path::new(""));
        let parent = self.folder(above)?;
        let hidden = match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if !whiteout::is_one(parent, name, &found) => return Ok(()),
            Ok(_) => {
                fs::unlinkat(parent, name, AtFlags::empty())?;
                true
            }
            Err(_) => false,
        };
        fs::mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
        if hidden { self.hide_below(path) } else { Ok(()) }
    }

    /// Opens a folder of the tree, never reached through a link.
    pub(super) fn open_folder(&self, path: &Path, access: OFlags) -> std::result::Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        fs::openat2(&self.root, path, access | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    /// Makes overlayfs show nothing of lower layers in the folder at `path`.
    pub(super) fn hide_below(&mut self, path: &Path) -> Result<()> {
        let folder = self.open_folder(path, OFlags::RDONLY)?;
        fs::fsetxattr(&folder, "user.overlay.opaque", b"y", XattrFlags::empty()).context(|| "cannot mark the folder as opaque")
    }
}

fn remove_folder(parent: &OwnedFd, name: &OsStr) -> Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = fs::openat(parent, name, flags, Mode::empty())?;
    for entry in fs::Dir::read_from(&folder)? {
        let entry = entry?;
        let inner = OsStr::from_bytes(entry.file_name().to_bytes());
        if inner == "." || inner == ".." {
            continue;
        }
        match fs::unlinkat(&folder, inner, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::ISDIR | Errno::PERM) => remove_folder(&folder, inner)?,
            Err(error) => return Err(error.into()),
        }
    }
    fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?;
    Ok(())
}
