//! The mark that hides a name of lower layers from overlayfs: a device 0/0, or an attribute where none can be made, as on a file system that
//! is an overlay itself (Linux 6.7 and later read it).

use crate::error::{Context, Result};
use rustix::fs::{self, FileType, Mode, OFlags, Stat, XattrFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;

/// What overlayfs calls it.
const ATTRIBUTE: &str = "user.overlay.whiteout";

/// Hides `name` in the folder `parent`, where nothing has that name.
pub fn make(parent: &OwnedFd, name: &OsStr) -> Result<()> {
    match fs::mknodat(parent, name, FileType::CharacterDevice, Mode::empty(), 0) {
        Err(Errno::PERM) => make_attribute(parent, name).context(|| "cannot mark the name as hidden"),
        other => other.context(|| "cannot mark the name as hidden"),
    }
}

fn make_attribute(parent: &OwnedFd, name: &OsStr) -> rustix::io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::openat(parent, name, flags, Mode::from_raw_mode(0o600))?;
    fs::fsetxattr(&file, ATTRIBUTE, b"y", XattrFlags::empty())?;
    let folder = fs::openat(parent, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    // overlayfs looks for such files only in folders that say so. One that is opaque hides all there is to hide.
    match fs::fsetxattr(&folder, "user.overlay.opaque", b"x", XattrFlags::CREATE) {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}

/// Whether `name` in the folder `parent`, which is `found`, is such a mark.
pub fn is_one(parent: &OwnedFd, name: &OsStr, found: &Stat) -> bool {
    match FileType::from_raw_mode(found.st_mode) {
        FileType::CharacterDevice => true,
        FileType::RegularFile if found.st_size == 0 => {
            let opened = fs::openat(parent, name, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
            opened.is_ok_and(|file| fs::fgetxattr(&file, ATTRIBUTE, &mut [0_u8; 4]).is_ok())
        }
        _ => false,
    }
}
