//! What extensions left in `<generated>`. Extensions wrote it, so no link in it is followed.

use crate::error::{Context, Error, Result};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A larger file is none that an extension has reason to write.
const LARGEST: u64 = 1 << 20;

/// Whether this is a folder itself, not a link to one.
pub(in crate::lifecycle) fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// The text of a file below a folder, if it is there; nothing is reached through a link.
pub(in crate::lifecycle) fn read(folder: &Path, path: &Path) -> Result<Option<String>> {
    let describe = || format!("cannot read `{}`", folder.join(path).display());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = match rustix::fs::open(folder, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.context(describe)?,
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::openat2(&root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(Errno::LOOP) => return Err(Error::new("it is a symbolic link, which is not followed")).context(describe),
        other => File::from(other.context(describe)?),
    };
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).context(describe)?;
    if text.len() as u64 > LARGEST {
        return Err(Error::new(format!("it has more than {LARGEST} bytes"))).context(describe);
    }
    Ok(Some(text))
}
