//! Changes where no overlay collects them: every path and its inode are listed before the program starts; afterwards, what has another inode
//! or was touched since is moved into a folder of the form that an overlay's changes have. The change time of a file cannot be set by a
//! program.

use crate::error::{Context, Result};
use rustix::fs::{CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, makedev, mknodat, setxattr, utimensat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// In the run's own folder.
const BEFORE: &str = "before";

/// More than the time in which two changes of a file may get the same time.
const TICK: Duration = Duration::from_millis(20);

/// A root file system before a program changed it.
#[derive(Serialize, Deserialize)]
pub struct Before {
    #[serde(with = "as_list")]
    inodes: BTreeMap<OsString, u64>,
    strange: BTreeSet<OsString>,
    time: (i64, i64),
}

impl Before {
    /// Lists what is in a folder.
    pub fn list(root: &Path) -> Result<Self> {
        let mut before = Self { inodes: BTreeMap::new(), strange: BTreeSet::new(), time: (0, 0) };
        before.add(root, Path::new("")).context(|| format!("cannot list `{}`", root.display()))?;
        Ok(before)
    }

    fn add(&mut self, folder: &Path, path: &Path) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let (found, path) = (entry.metadata()?, path.join(entry.file_name()));
            if found.is_dir() {
                self.add(&entry.path(), &path)?;
            }
            self.inodes.insert(path.into(), found.ino());
        }
        Ok(())
    }

    /// Writes the list into the run's own folder. What happens to other paths than `strange`, which are not the image's, counts from now on.
    pub fn start(mut self, scratch: &Path, strange: impl IntoIterator<Item = PathBuf>) -> Result<()> {
        let describe = || "cannot write down what the root file system has";
        self.strange = strange.into_iter().map(PathBuf::into_os_string).collect();
        let mark = scratch.join("mark");
        fs::write(&mark, "").context(describe)?;
        let mark = fs::metadata(mark).context(describe)?;
        self.time = (mark.ctime(), mark.ctime_nsec());
        fs::write(scratch.join(BEFORE), serde_json::to_vec(&self).context(describe)?).context(describe)?;
        std::thread::sleep(TICK);
        Ok(())
    }

    /// Moves what has changed since [`Before::start`] from the root file system `root` into `tree`.
    pub fn collect(scratch: &Path, root: &Path, tree: &Path) -> Result<()> {
        let describe = || "cannot compare the root file system with what it was";
        let text = match fs::read(scratch.join(BEFORE)) {
            // The program was never started.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other.context(describe)?,
        };
        let before: Self = serde_json::from_slice(&text).context(describe)?;
        make_folder(tree)?;
        before.folder(root, tree, Path::new("")).context(describe)?;
        before.removed(root, tree).context(describe)
    }

    /// Moves what has changed below a folder.
    fn folder(&self, root: &Path, tree: &Path, path: &Path) -> Result<()> {
        let names = fs::read_dir(root.join(path))?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
        for name in names {
            let path = path.join(name);
            if self.strange.contains(path.as_os_str()) {
                continue;
            }
            let found = fs::symlink_metadata(root.join(&path))?;
            let changed = self.has_changed(&path, &found);
            if !found.is_dir() {
                if changed {
                    folders(root, tree, path.parent())?;
                    fs::rename(root.join(&path), tree.join(&path))?;
                }
                continue;
            }
            if changed {
                folders(root, tree, Some(&path))?;
            }
            self.folder(root, tree, &path)?;
        }
        Ok(())
    }

    fn has_changed(&self, path: &Path, found: &Metadata) -> bool {
        self.inodes.get(path.as_os_str()) != Some(&found.ino()) || (found.ctime(), found.ctime_nsec()) > self.time
    }

    /// Hides what was there before and neither is now nor has been moved.
    fn removed(&self, root: &Path, tree: &Path) -> Result<()> {
        let is_there = |path: &Path| [root, tree].iter().any(|place| fs::symlink_metadata(place.join(path)).is_ok());
        for path in self.inodes.keys().map(Path::new).filter(|path| !is_there(path)) {
            let above = path.parent().unwrap_or(Path::new(""));
            let strange = path.ancestors().any(|above| self.strange.contains(above.as_os_str()));
            // What was in a folder that is none any more, nobody sees.
            if strange || !is_folder(root, above) {
                continue;
            }
            folders(root, tree, path.parent())?;
            white_out(&tree.join(path))?;
        }
        Ok(())
    }
}

/// Whether a path leads to a folder without links.
fn is_folder(root: &Path, path: &Path) -> bool {
    path.ancestors().all(|above| fs::symlink_metadata(root.join(above)).is_ok_and(|found| found.is_dir()))
}

/// Makes the folder `path` and those above it in `tree` as they are in `root`.
fn folders(root: &Path, tree: &Path, path: Option<&Path>) -> Result<()> {
    let mut above = PathBuf::new();
    for part in path.into_iter().flat_map(Path::components) {
        above.push(part);
        let (from, to) = (root.join(&above), tree.join(&above));
        if to.is_dir() {
            continue;
        }
        make_folder(&to)?;
        let found = fs::metadata(&from)?;
        chown(&to, Some(found.uid()), Some(found.gid()))?;
        fs::set_permissions(&to, Permissions::from_mode(found.mode() & 0o7777))?;
        let time = Timespec { tv_sec: found.mtime(), tv_nsec: found.mtime_nsec() };
        utimensat(CWD, &to, &Timestamps { last_access: time, last_modification: time }, rustix::fs::AtFlags::empty())?;
    }
    Ok(())
}

fn make_folder(folder: &Path) -> Result<()> {
    let describe = || format!("cannot make `{}`", folder.display());
    match fs::create_dir(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        other => other.context(describe)?,
    }
    fs::set_permissions(folder, Permissions::from_mode(0o755)).context(describe)
}

/// A file system that is an overlay itself takes no device 0/0.
fn white_out(place: &Path) -> Result<()> {
    match mknodat(CWD, place, FileType::CharacterDevice, Mode::empty(), makedev(0, 0)) {
        Err(Errno::PERM) => {
            fs::write(place, "")?;
            Ok(setxattr(place, "user.overlay.whiteout", b"y", XattrFlags::empty())?)
        }
        other => Ok(other?),
    }
}

/// A map as a list of pairs: JSON has no other keys than text.
mod as_list {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;
    use std::ffi::OsString;

    pub fn serialize<S: Serializer>(map: &BTreeMap<OsString, u64>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<BTreeMap<OsString, u64>, D::Error> {
        Vec::<(OsString, u64)>::deserialize(deserializer).map(|pairs| pairs.into_iter().collect())
    }
}
