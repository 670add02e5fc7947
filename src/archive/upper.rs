//! Makes a layer's tar of what a program changed in a root file system: the folder of changes of an overlay, in which only the caller owns
//! files, and the list of what it does not show.
//!
//! Whiteouts and opaque folders become those of OCI layers, whichever of its forms overlayfs used. A file with several names is one member
//! and links to it. Sockets, pipes and devices are left out, and so are folders that overlayfs copied without need.

use super::{Entry, Kind, TarWriter, capability};
use crate::error::{Context, Result};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

mod below;
mod owners;

pub use below::Below;
use below::{Before, Lowers};
use owners::Listed;

/// What a program changed, and what it changed it in.
#[derive(Clone, Copy, Debug)]
pub struct Changes<'a> {
    /// The folder of changes.
    pub tree: &'a Path,
    /// The list of true owners and modes: `UID GID MODE PATH` and a NUL each, where `-` is whoever owned the path before.
    pub owners: &'a Path,
    /// The layers below, the lowest first.
    pub below: &'a [Below<'a>],
    /// User and group that own what was new and is not listed.
    pub user: (u32, u32),
    /// Paths that stay out of the layer, with all below them.
    pub leave_out: &'a [PathBuf],
    /// The times of the members.
    pub times: Times,
}

/// The times of a layer's members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// This one, in seconds since 1970.
    All(u64),
    /// That of each file.
    #[allow(dead_code, reason = "layers of images have one time")]
    Own,
}

/// Writes the layer's tar into `out` and returns the number of its members; none is a layer that changes nothing. The same changes give
/// the same bytes.
///
/// # Errors
/// When a file cannot be read or `out` fails.
pub fn write_changes(changes: &Changes<'_>, out: impl Write) -> Result<usize> {
    let describe = || format!("cannot make a layer of `{}`", changes.tree.display());
    let lowers = Lowers::read(changes.below).context(describe)?;
    let owners = owners::read(changes.owners).context(describe)?;
    let mut plan = Plan { changes, lowers, owners, linked: HashMap::new() };
    let members = plan.folder(changes.tree, Path::new("")).context(describe)?;
    let mut tar = TarWriter::new(out);
    for member in &members {
        member.write(&mut tar).context(|| format!("cannot write `{}`", String::from_utf8_lossy(&member.entry.path))).context(describe)?;
    }
    tar.end().context(describe)?;
    Ok(members.len())
}

/// A member, and the file that has its content.
struct Member {
    entry: Entry,
    content: Option<PathBuf>,
}

impl Member {
    fn write(&self, tar: &mut TarWriter<impl Write>) -> Result<()> {
        match &self.content {
            Some(content) => {
                let file = File::open(content)?;
                tar.append_capable(&self.entry, capability(&file).as_deref(), file)?;
            }
            None => tar.append(&self.entry, std::io::empty())?,
        }
        Ok(())
    }
}

struct Plan<'a> {
    changes: &'a Changes<'a>,
    lowers: Lowers<'a>,
    owners: HashMap<PathBuf, Listed>,
    /// The first names of files that have several.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl Plan<'_> {
    /// The members below a folder.
    fn folder(&mut self, source: &Path, path: &Path) -> Result<Vec<Member>> {
        let describe = || format!("cannot read `{}`", source.display());
        let mut members = Vec::new();
        // overlayfs also marks new folders that hide nothing.
        if marked(source, "user.overlay.opaque", b"y") && self.lowers.find(path).is_some_and(|before| before.is_folder) {
            members.push(self.whiteout(path, ".wh..opq".as_ref()));
        }
        let names = fs::read_dir(source).context(describe)?.map(|entry| Ok(entry?.file_name()));
        let mut names = names.collect::<std::io::Result<Vec<_>>>().context(describe)?;
        // The order of a folder differs between file systems; layers must not.
        names.sort();
        for name in names {
            members.extend(self.members(&source.join(&name), &path.join(&name))?);
        }
        Ok(members)
    }

    /// The members that one name stands for.
    fn members(&mut self, source: &Path, path: &Path) -> Result<Vec<Member>> {
        if self.changes.leave_out.iter().any(|left| left.strip_prefix("/").unwrap_or(left) == path) {
            return Ok(Vec::new());
        }
        let found = fs::symlink_metadata(source).context(|| format!("cannot read `{}`", source.display()))?;
        if is_whiteout(source, &found) {
            let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
            return Ok(vec![self.whiteout(above, name)]);
        }
        if found.is_dir() {
            let inside = self.folder(source, path)?;
            let member = self.member(Kind::Directory, path, &found);
            let same = |before: Before| {
                let entry = &member.entry;
                before.is_folder && (before.uid.into(), before.gid.into(), before.mode & 0o7777) == (entry.uid, entry.gid, entry.mode)
            };
            if inside.is_empty() && self.lowers.find(path).is_some_and(same) {
                return Ok(inside);
            }
            return Ok([member].into_iter().chain(inside).collect());
        }
        let kind = if found.is_symlink() {
            let target = fs::read_link(source).context(|| format!("cannot read `{}`", source.display()))?;
            Kind::Symlink { target: target.as_os_str().as_bytes().to_vec() }
        } else if found.is_file() {
            self.file(path, &found)
        } else {
            return Ok(Vec::new());
        };
        let content = matches!(kind, Kind::File { .. }).then(|| source.to_path_buf());
        Ok(vec![Member { content, ..self.member(kind, path, &found) }])
    }

    fn file(&mut self, path: &Path, found: &Metadata) -> Kind {
        let name = path.as_os_str().as_bytes().to_vec();
        if found.nlink() > 1 {
            let first = self.linked.entry((found.dev(), found.ino())).or_insert_with(|| name.clone());
            if *first != name {
                return Kind::HardLink { target: first.clone() };
            }
        }
        Kind::File { size: found.len() }
    }

    fn member(&self, kind: Kind, path: &Path, found: &Metadata) -> Member {
        let (uid, gid, mode) = self.owner(path, found);
        let mode = if found.is_symlink() { 0o777 } else { mode };
        let mtime = self.time(u64::try_from(found.mtime()).unwrap_or(0));
        Member {
            entry: Entry { path: path.as_os_str().as_bytes().to_vec(), kind, mode, uid: uid.into(), gid: gid.into(), mtime },
            content: None,
        }
    }

    /// The true owner, group and mode of a path.
    fn owner(&self, path: &Path, found: &Metadata) -> (u32, u32, u32) {
        let listed = self.owners.get(path).copied().unwrap_or(Listed { uid: None, gid: None, mode: found.mode() & 0o7777 });
        if let (Some(uid), Some(gid)) = (listed.uid, listed.gid) {
            return (uid, gid, listed.mode);
        }
        let (uid, gid) = self.changes.user;
        let fresh = Before { uid, gid, mode: listed.mode, shown: listed.mode, is_folder: found.is_dir() };
        let before = self.lowers.find(path).filter(|before| before.is_folder == found.is_dir()).unwrap_or(fresh);
        // What unpacking took from the mode comes back, if the program left the rest as it was.
        let mode = if before.shown == listed.mode { before.mode & 0o7777 } else { listed.mode };
        (listed.uid.unwrap_or(before.uid), listed.gid.unwrap_or(before.gid), mode)
    }

    fn whiteout(&self, above: &Path, hidden: &OsStr) -> Member {
        let path = above.join(OsStr::from_bytes(&[b".wh.", hidden.as_bytes()].concat()));
        Member { entry: Entry::file(path.as_os_str().as_bytes(), 0, 0o644, 0, 0, self.time(0)), content: None }
    }

    fn time(&self, own: u64) -> u64 {
        match self.changes.times {
            Times::All(time) => time,
            Times::Own => own,
        }
    }
}

/// Whether overlayfs hides what is below this name: by a device 0/0, or by an attribute where none can be made.
fn is_whiteout(source: &Path, found: &Metadata) -> bool {
    let device = found.file_type().is_char_device() && found.rdev() == 0;
    device || found.is_file() && found.len() == 0 && marked(source, "user.overlay.whiteout", b"")
}

fn marked(source: &Path, attribute: &str, value: &[u8]) -> bool {
    let mut found = [0; 2];
    rustix::fs::lgetxattr(source, attribute, &mut found).is_ok_and(|length| value.is_empty() || &found[..length] == value)
}
