//! Unpacks one layer into one folder that can be a lower folder of an overlay. The tar is hostile input: nothing in it can reach out of
//! the folder, because every parent folder is opened without following links.

mod folders;
mod whiteout;

use super::reader::{Member, MemberKind, TarReader};
use crate::error::{Context, Error, Result};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The file beside the unpacked tree that lists what the tree itself does not show: true owners and modes. An entry is
/// `UID GID MODE PATH` and a NUL, which no path contains; the mode is octal. It has the members that are not owned by root or whose mode had
/// to change, each once, every folder before its content.
pub const SIDECAR: &str = "owners";

/// Deeper paths could not be removed by their names below the store.
const LONGEST_PATH: usize = 2048;

/// Who owns the unpacked files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Whom the tar names; needs root.
    Keep,
    /// This process's user; set-user-ID and set-group-ID bits are dropped.
    Squash,
}

/// Unpacks the tar `layer` into the existing folder `folder`, and its true owners into `sidecar`. Whiteouts become what overlayfs reads,
/// with `user.` attributes. Devices are left out.
///
/// # Errors
/// When the tar is damaged or tries to reach out of the folder, or the file system fails.
pub fn unpack(layer: impl Read, folder: &Path, ownership: Ownership, sidecar: &mut dyn Write) -> Result<()> {
    let owners = unpack_into(layer, folder, ownership, Whiteouts::Mark)?;
    write_sidecar(&owners, sidecar).context(|| "cannot note the owners of the layer's files")
}

/// Unpacks the files of the tar `layer` over those in a folder that is no layer, for root. Whiteouts do nothing: see [`super::whiteouts`].
///
/// # Errors
/// As [`unpack`].
pub fn unpack_over(layer: impl Read, folder: &Path) -> Result<()> {
    unpack_into(layer, folder, Ownership::Keep, Whiteouts::Ignore).map(drop)
}

/// What becomes of whiteouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whiteouts {
    Mark,
    Ignore,
}

fn unpack_into(layer: impl Read, folder: &Path, ownership: Ownership, whiteouts: Whiteouts) -> Result<BTreeMap<PathBuf, Meta>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = fs::open(folder, flags, Mode::empty()).context(|| format!("cannot open `{}`", folder.display()))?;
    let mut tree = Tree { root, ownership, whiteouts, open: HashMap::new(), late: BTreeMap::new(), owners: BTreeMap::new() };
    let mut tar = TarReader::new(layer);
    while let Some(member) = tar.next().context(|| "cannot read the layer's tar")? {
        tree.add(&member, &mut tar).context(|| format!("cannot unpack `{}`", String::from_utf8_lossy(&member.path)))?;
    }
    tree.finish()?;
    Ok(tree.owners)
}

struct Tree {
    root: OwnedFd,
    ownership: Ownership,
    whiteouts: Whiteouts,
    open: HashMap<PathBuf, OwnedFd>,
    /// Folders whose mode and time are set last, because filling a folder changes its time and needs its write bit.
    late: BTreeMap<PathBuf, Meta>,
    /// What the file system will not show. A later member of the same name counts, as in the tree.
    owners: BTreeMap<PathBuf, Meta>,
}

#[derive(Clone, Copy)]
struct Meta {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: i64,
}

impl Tree {
    fn add(&mut self, member: &Member, content: &mut impl Read) -> Result<()> {
        let meta = Meta { mode: member.mode, uid: member.uid, gid: member.gid, mtime: member.mtime };
        let path = relative(&member.path)?;
        let Some(name) = path.file_name() else {
            self.late.insert(PathBuf::new(), meta);
            return Ok(());
        };
        let above = path.parent().unwrap_or(Path::new(""));
        if let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") {
            if self.whiteouts == Whiteouts::Ignore {
                return Ok(());
            }
            return self.white_out(above, OsStr::from_bytes(hidden));
        }
        match member.kind {
            MemberKind::Directory => self.directory(above, name, &path, meta),
            MemberKind::File => {
                let file = self.file(above, name, &path, meta, content)?;
                self.empower(&file, member.capability.as_deref())
            }
            MemberKind::Symlink => {
                self.clear(above, name)?;
                fs::symlinkat(OsStr::from_bytes(&member.link), self.folder(above)?, name)?;
                self.settle(above, name, &path, meta, true)
            }
            MemberKind::HardLink => self.hard_link(above, name, &member.link),
            MemberKind::Fifo => {
                self.clear(above, name)?;
                fs::mknodat(self.folder(above)?, name, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
                self.settle(above, name, &path, meta, false)
            }
            // Every sandbox has devices of its own.
            MemberKind::Device => Ok(()),
        }
    }

    fn directory(&mut self, above: &Path, name: &OsStr, path: &Path, meta: Meta) -> Result<()> {
        let parent = self.folder(above)?;
        let found = fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).ok();
        let was_hidden = found.is_some_and(|found| whiteout::is_one(parent, name, &found));
        if !found.is_some_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Directory) {
            self.clear(above, name)?;
            fs::mkdirat(self.folder(above)?, name, Mode::from_raw_mode(0o700))?;
        }
        if was_hidden {
            self.hide_below(path)?;
        }
        self.late.insert(path.to_path_buf(), meta);
        Ok(())
    }

    fn file(&mut self, above: &Path, name: &OsStr, path: &Path, meta: Meta, content: &mut impl Read) -> Result<File> {
        self.clear(above, name)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(fs::openat(self.folder(above)?, name, flags, Mode::from_raw_mode(0o600))?);
        std::io::copy(content, &mut file)?;
        let meta = self.record(path, meta);
        if self.ownership == Ownership::Keep {
            fs::fchown(&file, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)))?;
        }
        fs::fchmod(&file, Mode::from_raw_mode(meta.mode))?;
        fs::futimens(&file, &times(meta.mtime))?;
        Ok(file)
    }

    /// Gives a program its capabilities; a container that may not do so runs none of them either.
    fn empower(&self, file: &File, capability: Option<&[u8]>) -> Result<()> {
        let (Some(capability), Ownership::Keep) = (capability, self.ownership) else { return Ok(()) };
        match fs::fsetxattr(file, "security.capability", capability, XattrFlags::empty()) {
            Err(Errno::PERM | Errno::NOTSUP) => Ok(()),
            other => other.context(|| "cannot set the capabilities of the program"),
        }
    }

    fn hard_link(&mut self, above: &Path, name: &OsStr, target: &[u8]) -> Result<()> {
        let target = relative(target)?;
        let target_name = target.file_name().context(|| "a link to the root")?;
        let target_above = target.parent().unwrap_or(Path::new(""));
        if (target_above, target_name) == (above, name) {
            return Ok(());
        }
        let from = self.open_folder(target_above, OFlags::PATH)?;
        self.clear(above, name)?;
        fs::linkat(&from, target_name, self.folder(above)?, name, AtFlags::empty())?;
        if let Some(meta) = self.owners.get(&target).copied() {
            self.owners.insert(above.join(name), meta);
        }
        Ok(())
    }

    /// OCI whiteouts as overlayfs has them: a character device 0/0 for a hidden name, an attribute for an opaque folder.
    fn white_out(&mut self, above: &Path, hidden: &OsStr) -> Result<()> {
        if hidden.as_bytes() == b".wh..opq" {
            self.folder(above)?;
            return self.hide_below(above);
        }
        if hidden.as_bytes().starts_with(b".wh.") || matches!(hidden.as_bytes(), b"" | b"." | b"..") {
            return Ok(());
        }
        // A whiteout hides what is in lower layers, never what its own layer has, whichever comes first (OCI layer, "Whiteouts").
        match fs::statat(self.folder(above)?, hidden, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => self.hide_below(&above.join(hidden)),
            Ok(_) => Ok(()),
            Err(_) => whiteout::make(self.folder(above)?, hidden),
        }
    }

    /// Sets owner and time of a link or pipe.
    fn settle(&mut self, above: &Path, name: &OsStr, path: &Path, meta: Meta, link: bool) -> Result<()> {
        let meta = self.record(path, meta);
        let (keep, parent) = (self.ownership == Ownership::Keep, self.folder(above)?);
        if keep {
            fs::chownat(parent, name, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if !link {
            fs::chmodat(parent, name, Mode::from_raw_mode(meta.mode), AtFlags::empty())?;
        }
        fs::utimensat(parent, name, &times(meta.mtime), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(())
    }

    /// Notes what the file system will not show, and returns the owner and mode to set.
    fn record(&mut self, path: &Path, meta: Meta) -> Meta {
        let mode = match self.ownership {
            Ownership::Keep => meta.mode,
            // The owner is this process's user, who must be able to read and remove every file.
            Ownership::Squash => meta.mode & 0o1777 | 0o400,
        };
        if mode != meta.mode || meta.uid != 0 || meta.gid != 0 {
            self.owners.insert(path.to_path_buf(), meta);
        } else {
            self.owners.remove(path);
        }
        Meta { mode, ..meta }
    }

    fn finish(&mut self) -> Result<()> {
        // The deepest first, so that a parent's time is set after its children were touched.
        for (path, meta) in std::mem::take(&mut self.late).into_iter().rev() {
            let folder = self.open_folder(&path, OFlags::RDONLY).context(|| format!("cannot finish the folder `{}`", path.display()))?;
            let mut meta = self.record(&path, meta);
            if self.ownership == Ownership::Keep {
                fs::fchown(&folder, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)))?;
            } else {
                meta.mode |= 0o700;
            }
            fs::fchmod(&folder, Mode::from_raw_mode(meta.mode))?;
            fs::futimens(&folder, &times(meta.mtime))?;
        }
        Ok(())
    }
}

fn write_sidecar(owners: &BTreeMap<PathBuf, Meta>, sidecar: &mut dyn Write) -> std::io::Result<()> {
    for (path, meta) in owners {
        write!(sidecar, "{} {} {:o} ", meta.uid, meta.gid, meta.mode)?;
        sidecar.write_all(path.as_os_str().as_bytes())?;
        sidecar.write_all(b"\0")?;
    }
    Ok(())
}

/// The path below the folder that a member's name means; a name that climbs is refused.
fn relative(name: &[u8]) -> Result<PathBuf> {
    if name.len() > LONGEST_PATH {
        return Err(Error::new(format!("the name is longer than {LONGEST_PATH} bytes")));
    }
    let name = Path::new(OsStr::from_bytes(name));
    let mut path = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            Component::ParentDir => return Err(Error::new(format!("the name `{}` climbs out of the layer", name.display()))),
        }
    }
    Ok(path)
}

fn times(mtime: i64) -> Timestamps {
    let time = Timespec { tv_sec: mtime, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests;
