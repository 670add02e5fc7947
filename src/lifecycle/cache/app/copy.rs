//! Copies a folder so that the copy shares nothing that could be written through, and sets owners.

use crate::error::{Context, Result};
use crate::lifecycle::layer::Owner;
use crate::lifecycle::layer::tree::{Node, Order, join, walk};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Timespec, Timestamps, Uid};
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Copies `from` to `to`, which must not exist, with modes and times. Extents are shared where the file system can.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    // A folder's mode and time are set when it is full: filling it needs its write bit and changes its time.
    let mut folders: Vec<(PathBuf, u32, Timestamps)> = Vec::new();
    walk(from, Order::Folders, &mut |node| {
        let target = join(to, node.path);
        copy_node(node, &target, &mut folders).context(|| format!("cannot copy `{}` to `{}`", node.display(), target.display()))
    })?;
    for (folder, mode, times) in folders.iter().rev() {
        let describe = || format!("cannot finish the copy `{}`", folder.display());
        rustix::fs::utimensat(CWD, folder, times, AtFlags::empty()).context(describe)?;
        fs::set_permissions(folder, Permissions::from_mode(*mode)).context(describe)?;
    }
    Ok(())
}

fn copy_node(node: &Node, target: &Path, folders: &mut Vec<(PathBuf, u32, Timestamps)>) -> Result<()> {
    match node.file_type() {
        FileType::Directory => {
            fs::create_dir(target)?;
            folders.push((target.to_path_buf(), node.permissions(), times(node)));
        }
        FileType::RegularFile => {
            let mut copy = File::options().write(true).create_new(true).mode(0o600).open(target)?;
            // Within one file system this is done by the kernel, sharing extents where it can.
            std::io::copy(&mut node.open()?, &mut copy)?;
            rustix::fs::futimens(&copy, &times(node))?;
            copy.set_permissions(Permissions::from_mode(node.permissions()))?;
        }
        FileType::Symlink => {
            symlink(OsString::from_vec(node.target()?), target)?;
            rustix::fs::utimensat(CWD, target, &times(node), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        // What no layer can hold is of no use to the next build either.
        FileType::Fifo | FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => {}
    }
    Ok(())
}

fn times(node: &Node) -> Timestamps {
    let modified = Timespec { tv_sec: node.status.st_mtime, tv_nsec: node.status.st_mtime_nsec as _ };
    Timestamps { last_access: modified, last_modification: modified }
}

/// Gives `folder` and all that is in it to another user; only root can.
pub fn give_tree(folder: &Path, owner: Owner) -> Result<()> {
    walk(folder, Order::Folders, &mut |node| {
        if (node.status.st_uid, node.status.st_gid) == (owner.uid, owner.gid) {
            return Ok(());
        }
        give(&join(folder, node.path), owner)?;
        // The kernel takes set-user-ID bits away when a file changes hands.
        if node.permissions() & 0o6000 != 0 && node.file_type() == FileType::RegularFile {
            fs::set_permissions(join(folder, node.path), Permissions::from_mode(node.permissions()))?;
        }
        Ok(())
    })
}

/// Gives one file or folder to another user; only root can.
pub fn give(path: &Path, owner: Owner) -> Result<()> {
    let (user, group) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    rustix::fs::chownat(CWD, path, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
        .context(|| format!("cannot give `{}` to the user {} and group {}", path.display(), owner.uid, owner.gid))
}
