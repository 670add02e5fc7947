//! Unpacks one layer into one folder that can be a lower folder of an overlay. The tar is hostile input: nothing in it can reach out of
//! the folder, because every parent folder is opened without following links.

use crate::error::{Context, Error, Result};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use tar::EntryType;

/// The file beside the unpacked tree that lists what the tree itself does not show: true owners and modes. Each line is
/// `UID GID MODE PATH`, the mode in octal, for each member that is not owned by root or whose mode had to change.
pub const SIDECAR: &str = "owners";

/// More members than this are no layer but an attack.
const MOST_MEMBERS: u64 = 5_000_000;
const OPEN_FOLDERS: usize = 256;

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
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = fs::open(folder, flags, Mode::empty()).context(|| format!("cannot open `{}`", folder.display()))?;
    let mut tree = Tree { root, ownership, open: HashMap::new(), late: Vec::new(), sidecar };
    let mut members = 0;
    for member in tar::Archive::new(layer).entries().context(|| "cannot read the layer's tar")? {
        let mut member = member.context(|| "cannot read the layer's tar")?;
        members += 1;
        if members > MOST_MEMBERS {
            return Err(Error::new(format!("the layer has more than {MOST_MEMBERS} members")));
        }
        let name = member.path_bytes().into_owned();
        tree.add(&mut member).context(|| format!("cannot unpack `{}`", String::from_utf8_lossy(&name)))?;
    }
    tree.finish()
}

struct Tree<'a> {
    root: OwnedFd,
    ownership: Ownership,
    open: HashMap<PathBuf, OwnedFd>,
    /// Folders whose mode and time are set last, because filling a folder changes its time and needs its write bit.
    late: Vec<(PathBuf, Meta)>,
    sidecar: &'a mut dyn Write,
}

#[derive(Clone, Copy)]
struct Meta {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: i64,
}

impl Tree<'_> {
    fn add<R: Read>(&mut self, member: &mut tar::Entry<'_, R>) -> Result<()> {
        let header = member.header();
        let number = |value: std::io::Result<u64>| value.ok().and_then(|value| u32::try_from(value).ok());
        let meta = Meta {
            mode: header.mode().context(|| "bad mode")? & 0o7777,
            uid: number(header.uid()).context(|| "bad owner")?,
            gid: number(header.gid()).context(|| "bad group")?,
            mtime: header.mtime().ok().and_then(|time| i64::try_from(time).ok()).context(|| "bad time")?,
        };
        let path = relative(Path::new(OsStr::from_bytes(&member.path_bytes())))?;
        let Some(name) = path.file_name().map(OsStr::to_owned) else {
            self.late.push((PathBuf::new(), meta));
            return Ok(());
        };
        let above = path.parent().unwrap_or(Path::new("")).to_path_buf();
        if let Some(hidden) = name.as_bytes().strip_prefix(b".wh.") {
            return self.white_out(&above, OsStr::from_bytes(hidden));
        }
        match member.header().entry_type() {
            EntryType::Directory => self.directory(&above, &name, &path, meta),
            EntryType::Regular | EntryType::Continuous => self.file(&above, &name, &path, meta, member),
            EntryType::Symlink => {
                let target = member.link_name_bytes().context(|| "a link without a target")?.into_owned();
                self.clear(&above, &name)?;
                fs::symlinkat(OsStr::from_bytes(&target), self.folder(&above)?, &name)?;
                self.settle(&above, &name, &path, meta, true)
            }
            EntryType::Link => self.hard_link(&above, &name, member),
            EntryType::Fifo => {
                self.clear(&above, &name)?;
                fs::mknodat(self.folder(&above)?, &name, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
                self.settle(&above, &name, &path, meta, false)
            }
            // Every sandbox has devices of its own.
            EntryType::Char | EntryType::Block | EntryType::XGlobalHeader => Ok(()),
            other => Err(Error::new(format!("a member of type {other:?} has no place in a layer"))),
        }
    }

    fn directory(&mut self, above: &Path, name: &OsStr, path: &Path, meta: Meta) -> Result<()> {
        let parent = self.folder(above)?;
        match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if FileType::from_raw_mode(found.st_mode) == FileType::Directory => {}
            Ok(_) => {
                self.clear(above, name)?;
                fs::mkdirat(self.folder(above)?, name, Mode::from_raw_mode(0o700))?;
            }
            Err(_) => fs::mkdirat(parent, name, Mode::from_raw_mode(0o700))?,
        }
        self.late.push((path.to_path_buf(), meta));
        Ok(())
    }

    fn file(&mut self, above: &Path, name: &OsStr, path: &Path, meta: Meta, content: &mut impl Read) -> Result<()> {
        self.clear(above, name)?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(fs::openat(self.folder(above)?, name, flags, Mode::from_raw_mode(0o600))?);
        std::io::copy(content, &mut file)?;
        let meta = self.record(path, meta)?;
        if self.ownership == Ownership::Keep {
            fs::fchown(&file, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)))?;
        }
        fs::fchmod(&file, Mode::from_raw_mode(meta.mode))?;
        fs::futimens(&file, &times(meta.mtime))?;
        Ok(())
    }

    fn hard_link<R: Read>(&mut self, above: &Path, name: &OsStr, member: &tar::Entry<'_, R>) -> Result<()> {
        let target = member.link_name_bytes().context(|| "a link without a target")?.into_owned();
        let target = relative(Path::new(OsStr::from_bytes(&target)))?;
        let target_name = target.file_name().context(|| "a link to the root")?;
        let target_above = target.parent().unwrap_or(Path::new(""));
        if (target_above, target_name) == (above, name) {
            return Ok(());
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let target_above = if target_above.as_os_str().is_empty() { Path::new(".") } else { target_above };
        let from = fs::openat2(&self.root, target_above, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?;
        self.clear(above, name)?;
        fs::linkat(&from, target_name, self.folder(above)?, name, AtFlags::empty())?;
        Ok(())
    }

    /// OCI whiteouts as overlayfs has them: a character device 0/0 for a hidden name, an attribute for an opaque folder.
    fn white_out(&mut self, above: &Path, hidden: &OsStr) -> Result<()> {
        if hidden.as_bytes() == b".wh..opq" {
            let path = if above.as_os_str().is_empty() { Path::new(".") } else { above };
            self.folder(above)?;
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let folder = fs::openat2(&self.root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS)?;
            fs::fsetxattr(&folder, "user.overlay.opaque", b"y", XattrFlags::empty()).context(|| "cannot mark the folder as opaque")?;
            return Ok(());
        }
        if hidden.as_bytes().starts_with(b".wh.") || hidden.is_empty() {
            return Ok(());
        }
        self.clear(above, hidden)?;
        fs::mknodat(self.folder(above)?, hidden, FileType::CharacterDevice, Mode::empty(), 0)
            .context(|| "cannot mark the name as hidden")?;
        Ok(())
    }

    /// Sets owner and time of a link or pipe.
    fn settle(&mut self, above: &Path, name: &OsStr, path: &Path, meta: Meta, link: bool) -> Result<()> {
        let meta = if link { meta } else { self.record(path, meta)? };
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
    fn record(&mut self, path: &Path, meta: Meta) -> Result<Meta> {
        let mode = match self.ownership {
            Ownership::Keep => meta.mode,
            // The owner is this process's user, who must be able to read and remove every file.
            Ownership::Squash => meta.mode & 0o1777 | 0o400,
        };
        if mode != meta.mode || meta.uid != 0 || meta.gid != 0 {
            write!(self.sidecar, "{} {} {:o} ", meta.uid, meta.gid, meta.mode)?;
            self.sidecar.write_all(path.as_os_str().as_bytes())?;
            self.sidecar.write_all(b"\n")?;
        }
        Ok(Meta { mode, ..meta })
    }

    /// Removes what an earlier member of this layer put there.
    fn clear(&mut self, above: &Path, name: &OsStr) -> Result<()> {
        let parent = self.folder(above)?;
        match fs::unlinkat(parent, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {
                remove_folder(parent, name)?;
                let path = above.join(name);
                self.open.retain(|open, _| !open.starts_with(&path));
                self.late.retain(|(late, _)| !late.starts_with(&path));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The folder at `path`, made where it is missing, never reached through a link.
    fn folder(&mut self, path: &Path) -> Result<&OwnedFd> {
        if path.as_os_str().is_empty() {
            return Ok(&self.root);
        }
        if !self.open.contains_key(path) {
            if self.open.len() >= OPEN_FOLDERS {
                self.open.clear();
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let opened = match fs::openat2(&self.root, path, flags, Mode::empty(), resolve) {
                Ok(folder) => folder,
                Err(Errno::NOENT) => {
                    let above = path.parent().unwrap_or(Path::new("")).to_path_buf();
                    let name = path.file_name().unwrap_or_default();
                    fs::mkdirat(self.folder(&above)?, name, Mode::from_raw_mode(0o755))?;
                    fs::openat2(&self.root, path, flags, Mode::empty(), resolve)?
                }
                Err(error) => {
                    return Err(Error::from_cause(
                        format!("`{}` is not a folder of the layer", path.display()),
                        std::io::Error::from(error),
                    ));
                }
            };
            self.open.insert(path.to_path_buf(), opened);
        }
        self.open.get(path).context(|| "the folder was just opened")
    }

    fn finish(mut self) -> Result<()> {
        let mut late = std::mem::take(&mut self.late);
        // The deepest first, so that a parent's time is set after its children were touched.
        late.sort_by(|(one, _), (other, _)| other.cmp(one));
        late.dedup_by(|(later, _), (earlier, _)| later == earlier);
        for (path, meta) in late {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
            let name = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
            let folder = fs::openat2(&self.root, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty(), resolve)
                .context(|| format!("cannot finish the folder `{}`", path.display()))?;
            let mut meta = self.record(&path, meta)?;
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

/// The path below the folder that a member's name means; a name that climbs is refused.
fn relative(name: &Path) -> Result<PathBuf> {
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
mod tests {
    use super::*;
    use crate::archive::{Entry, Kind, TarWriter};
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};

    fn unpacked(entries: &[(Entry, &[u8])]) -> (tempfile::TempDir, Result<()>, String) {
        let mut writer = TarWriter::new(Vec::new());
        for (entry, content) in entries {
            writer.append(entry, *content).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("layer")).unwrap();
        let mut sidecar = Vec::new();
        let result = unpack(writer.finish().unwrap().as_slice(), &folder.path().join("layer"), Ownership::Squash, &mut sidecar);
        (folder, result, String::from_utf8(sidecar).unwrap())
    }

    fn file(path: &str, mode: u32) -> (Entry, &'static [u8]) {
        (Entry::file(path, 1, mode, 5, 6, 7), b"x")
    }

    #[test]
    fn owners_and_modes_go_into_the_sidecar() {
        let (folder, result, sidecar) = unpacked(&[file("/a/s", 0o4755), (Entry::directory("a", 0o500, 0, 0, 9), b"")]);
        result.unwrap();
        let mode = |name: &str| std::fs::metadata(folder.path().join("layer").join(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!([mode("a"), mode("a/s")], [0o700, 0o755]);
        assert_eq!(sidecar, "5 6 4755 a/s\n");
    }

    #[test]
    fn later_members_replace_earlier_ones() {
        let (folder, result, _) = unpacked(&[
            file("a", 0o644),
            file("b/c/d", 0o644),
            (Entry::directory("a", 0o755, 0, 0, 0), b""),
            file("b", 0o600),
            file("a/x", 0o644),
        ]);
        result.unwrap();
        assert!(folder.path().join("layer/a/x").is_file() && folder.path().join("layer/b").is_file());
    }

    #[test]
    fn whiteouts_become_those_of_overlayfs() {
        let (folder, result, _) = unpacked(&[file("a/.wh.gone", 0o644), file("b/.wh..wh..opq", 0o644)]);
        result.unwrap();
        let gone = std::fs::symlink_metadata(folder.path().join("layer/a/gone")).unwrap();
        assert!(gone.file_type().is_char_device());
        let mut value = [0; 1];
        rustix::fs::getxattr(folder.path().join("layer/b"), "user.overlay.opaque", &mut value).unwrap();
        assert_eq!(&value, b"y");
    }

    #[test]
    fn nothing_reaches_out() {
        let link = |path: &str, target: &str| (Entry::symlink(path, target, 0, 0, 0), b"".as_slice());
        let hard = |path: &str, target: &str| {
            (Entry { kind: Kind::HardLink { target: target.into() }, ..Entry::file(path, 0, 0o644, 0, 0, 0) }, b"".as_slice())
        };
        for hostile in [
            vec![file("../x", 0o644)],
            vec![file("a/../../x", 0o644)],
            vec![link("a", "/tmp"), file("a/x", 0o644)],
            vec![link("a", ".."), file("a/x", 0o644)],
            vec![hard("a", "/etc/passwd")],
            vec![hard("a", "../../etc/passwd")],
            vec![link("l", "/etc"), hard("a", "l/passwd")],
        ] {
            let names: Vec<_> = hostile.iter().map(|(entry, _)| String::from_utf8_lossy(&entry.path).into_owned()).collect();
            let (folder, result, _) = unpacked(&hostile);
            assert!(result.is_err(), "{names:?}");
            assert!(!folder.path().join("x").exists());
        }
    }

    #[test]
    fn a_truncated_tar_is_an_error() {
        let mut writer = TarWriter::new(Vec::new());
        writer.append(&Entry::file("a", 5000, 0o644, 0, 0, 0), [1; 5000].as_slice()).unwrap();
        let bytes = writer.finish().unwrap();
        let folder = tempfile::tempdir().unwrap();
        assert!(unpack(&bytes[..2048], folder.path(), Ownership::Squash, &mut Vec::new()).is_err());
    }
}
