//! The root file system without mounts, for root in a container that allows neither namespaces nor mounts: the layers are merged into one
//! folder of hard links, writable folders are moved into it and back, and the program is started there by chroot.
//!
//! What it lacks: /proc and /sys, and a network and processes of its own. The user of the program must not own a linked file, because the
//! layers would change with it: such files are copied. Where changes are kept, all files are, because a link touches the file.

use super::compare::Before;
use super::mount::Root;
use super::settle;
use super::spec::{Access, Mount, Spec, Upper, User};
use crate::error::{Context, Error, Result};
use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, makedev, mknodat, renameat, utimensat};
use std::fs::{self, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::path::{Path, PathBuf};

/// Folders that every system has, and their modes.
const FOLDERS: [(&str, u32); 6] =
    [("tmp", 0o1777), ("var", 0o755), ("var/tmp", 0o1777), ("dev/shm", 0o1777), ("proc", 0o555), ("sys", 0o555)];

/// Merges the layers and enters the result.
pub fn enter(scratch: &Path, spec: &Spec) -> Result<()> {
    let root = scratch.join("root");
    make_folder(&root, 0o755)?;
    let owner = match spec.upper {
        Upper::Keep { .. } => User { uid: 0, gid: 0 },
        Upper::Discard => spec.user,
    };
    for lower in &spec.lowers {
        merge(lower, &root, owner).context(|| format!("cannot merge the layer `{}`", lower.display()))?;
    }
    let before = match spec.upper {
        Upper::Keep { .. } => Some(Before::list(&root)?),
        Upper::Discard => None,
    };
    let missing = FOLDERS.iter().filter(|(folder, _)| !root.join(folder).exists()).map(|(folder, _)| PathBuf::from(folder));
    let mut made: Vec<PathBuf> = missing.collect();
    devices(&root).context(|| "cannot make devices in the sandbox")?;
    for (folder, mode) in FOLDERS {
        make_folder(&root.join(folder), mode)?;
    }
    let inside = Root::open(&root)?;
    for shown in spec.mounts.iter().filter(|mount| mount.access == Access::ReadOnly) {
        copy_in(&inside, shown, spec.user).context(|| format!("cannot show `{}` in the sandbox", shown.source.display()))?;
    }
    for shown in moved(spec) {
        move_in(&inside, shown).context(|| format!("cannot move `{}` into the sandbox", shown.source.display()))?;
    }
    if let Some(before) = before {
        made.extend(inside.made());
        settle::note_made(scratch, &made)?;
        before.start(scratch, strange(&inside, spec)?)?;
    }
    rustix::process::chroot(&root).context(|| "cannot change the root")?;
    rustix::process::chdir("/").context(|| "cannot enter the new root")
}

/// What is not of the image: devices, and what is shown of this machine.
fn strange(inside: &Root, spec: &Spec) -> Result<Vec<PathBuf>> {
    let mut found = ["dev", "proc", "sys"].map(PathBuf::from).to_vec();
    for shown in &spec.mounts {
        let (parent, name) = place(inside, shown)?;
        found.push(inside.path(&parent)?.join(name));
    }
    Ok(found)
}

/// Moves what the program changed to where it is kept.
pub fn collect(scratch: &Path, spec: &Spec) -> Result<()> {
    match &spec.upper {
        Upper::Keep { tree, .. } => Before::collect(scratch, &scratch.join("root"), tree),
        Upper::Discard => Ok(()),
    }
}

/// Moves the writable folders back to where they were.
pub fn give_back(scratch: &Path, spec: &Spec) -> Result<()> {
    let Ok(inside) = Root::open(&scratch.join("root")) else { return Ok(()) };
    for shown in moved(spec).filter(|mount| !mount.source.exists()) {
        let (parent, name) = place(&inside, shown)?;
        renameat(&parent, name, CWD, &shown.source)
            .context(|| format!("cannot move `{}` back out of the sandbox", shown.source.display()))?;
    }
    Ok(())
}

fn moved(spec: &Spec) -> impl Iterator<Item = &Mount> {
    spec.mounts.iter().filter(|mount| mount.access == Access::ReadWrite)
}

/// The open folder above a mount's target, and the target's name.
fn place<'a>(inside: &Root, shown: &'a Mount) -> Result<(std::os::fd::OwnedFd, &'a std::ffi::OsStr)> {
    let describe = || format!("`{}` cannot be the place of a mount", shown.target.display());
    let name = shown.target.file_name().context(describe)?;
    Ok((inside.folder(shown.target.parent().context(describe)?)?, name))
}

fn move_in(inside: &Root, shown: &Mount) -> Result<()> {
    if !fs::metadata(&shown.source)?.is_dir() {
        return Err(Error::new("only folders can be written where nothing can be mounted"));
    }
    let (parent, name) = place(inside, shown)?;
    remove(&open_path(&parent).join(name))?;
    renameat(CWD, &shown.source, &parent, name)?;
    Ok(())
}

fn copy_in(inside: &Root, shown: &Mount, user: User) -> Result<()> {
    // Links in the source's own path are followed, as by a mount.
    let source = shown.source.canonicalize()?;
    let (parent, name) = place(inside, shown)?;
    let target = open_path(&parent).join(name);
    let found = fs::metadata(&source)?;
    if found.is_dir() {
        make_folder(&target, found.mode())?;
        return merge(&source, &target, user);
    }
    remove(&target)?;
    link_or_copy(&source, &target, &found, user)
}

/// The path by which this process reaches a folder that it has open.
fn open_path(folder: &std::os::fd::OwnedFd) -> std::path::PathBuf {
    format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(folder)).into()
}

/// Lays the content of the folder `from` over that of the folder `to`.
fn merge(from: &Path, to: &Path, user: User) -> Result<()> {
    let mut opaque = [0; 1];
    if rustix::fs::getxattr(from, "user.overlay.opaque", &mut opaque).is_ok() {
        for hidden in fs::read_dir(to)? {
            remove(&hidden?.path())?;
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let found = entry.metadata()?;
        let kind = found.file_type();
        if !(kind.is_dir() && fs::symlink_metadata(&target).is_ok_and(|below| below.is_dir())) {
            remove(&target)?;
        }
        let mut mark = [0; 4];
        if kind.is_file() && found.len() == 0 && rustix::fs::lgetxattr(&source, "user.overlay.whiteout", &mut mark).is_ok() {
            continue;
        }
        if kind.is_dir() {
            make_folder(&target, found.mode())?;
            merge(&source, &target, user)?;
            chown(&target, Some(found.uid()), Some(found.gid()))?;
            set_time(&target, &found)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
            lchown(&target, Some(found.uid()), Some(found.gid()))?;
            set_time(&target, &found)?;
        } else if kind.is_file() {
            link_or_copy(&source, &target, &found, user)?;
        } else if kind.is_fifo() {
            mknodat(CWD, &target, FileType::Fifo, Mode::from_raw_mode(found.mode() & 0o777), 0)?;
        }
        // What is left are whiteouts, which had their effect above.
    }
    Ok(())
}

fn link_or_copy(source: &Path, target: &Path, found: &Metadata, user: User) -> Result<()> {
    let writable =
        user.uid == 0 || found.uid() == user.uid || found.gid() == user.gid && found.mode() & 0o020 != 0 || found.mode() & 0o002 != 0;
    if !writable {
        match fs::hard_link(source, target) {
            // On another file system, or with as many links as one file can have.
            Err(error) if matches!(error.kind(), ErrorKind::CrossesDevices | ErrorKind::TooManyLinks) => {}
            other => return other.map_err(Error::from),
        }
    }
    fs::copy(source, target)?;
    chown(target, Some(found.uid()), Some(found.gid()))?;
    fs::set_permissions(target, found.permissions())?;
    set_time(target, found)
}

/// Compiled Python names the time of its source.
fn set_time(path: &Path, found: &Metadata) -> Result<()> {
    let time = Timespec { tv_sec: found.mtime(), tv_nsec: found.mtime_nsec() };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn make_folder(folder: &Path, mode: u32) -> Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        other => other.context(|| format!("cannot make `{}`", folder.display()))?,
    }
    fs::set_permissions(folder, Permissions::from_mode(mode & 0o7777)).context(|| format!("cannot make `{}`", folder.display()))
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        _ => fs::remove_file(path),
    };
    removed.context(|| format!("cannot remove `{}`", path.display()))
}

fn devices(root: &Path) -> Result<()> {
    let folder = root.join("dev");
    remove(&folder)?;
    make_folder(&folder, 0o755)?;
    for (name, major, minor) in [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)] {
        let path = folder.join(name);
        mknodat(CWD, &path, FileType::CharacterDevice, Mode::from_raw_mode(0o666), makedev(major, minor))?;
        fs::set_permissions(&path, Permissions::from_mode(0o666))?;
    }
    Ok(())
}
