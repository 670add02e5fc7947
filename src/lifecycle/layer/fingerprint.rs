//! A short proof that no file under a folder was touched since the proof was taken, without reading any of them.
//!
//! It covers of every file what the kernel changes with it and an ordinary user cannot set back: inode number, size, mode, owner, time of
//! modification and time of status change, in nanoseconds. A file that is written, replaced, moved, chmodded or touched gets a new
//! time of status change, also when its size and time of modification are set back. The device number is left out: it may change
//! with a restart. Times and sizes of folders are left out: what is in a folder is covered entry by entry, and a file that comes and goes,
//! or moving the whole folder, must not count.

use super::tree::{Node, Order, walk};
use crate::error::{Context, Error, Result};
use rustix::fs::FileType;
use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::Duration;

/// The proof: two of them are equal only when nothing was touched in between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Takes the fingerprint of a folder that nobody writes to at the moment.
    pub fn of(folder: &Path) -> Result<Self> {
        let mut hash = Sha256::new();
        walk(folder, Order::Folders, &mut |node| {
            hash.update((node.path.len() as u64).to_le_bytes());
            hash.update(node.path);
            hash.update(record(node));
            Ok(())
        })
        .context(|| format!("cannot take the fingerprint of `{}`", folder.display()))?;
        Ok(Self(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// Takes the fingerprint of a folder that was just written, and makes sure that any later change shows: the kernel's clock for
    /// files stands still for some milliseconds, so a change in the same tick would leave the same times.
    pub fn of_new(folder: &Path) -> Result<Self> {
        let written = clock_gettime(ClockId::RealtimeCoarse);
        let fingerprint = Self::of(folder)?;
        wait_for_next_tick(written)?;
        Ok(fingerprint)
    }
}

fn wait_for_next_tick(written: Timespec) -> Result<()> {
    for _ in 0..1000 {
        if clock_gettime(ClockId::RealtimeCoarse) != written {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(Error::new("the clock of this machine stands still"))
}

fn record(node: &Node) -> [u8; 64] {
    let status = node.status;
    let of_content = match node.file_type() {
        FileType::Directory => [0; 5],
        _ => [status.st_size as u64, status.st_mtime as u64, status.st_mtime_nsec, status.st_ctime as u64, status.st_ctime_nsec],
    };
    let owner = (u64::from(status.st_uid) << 32) | u64::from(status.st_gid);
    let fields = [status.st_ino, u64::from(status.st_mode), owner].into_iter().chain(of_content);
    let mut bytes = [0; 64];
    for (place, field) in bytes.chunks_exact_mut(8).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File, FileTimes};
    use std::os::unix::fs::PermissionsExt;

    type Change = fn(&Path);

    /// EXP-06: what counts as unchanged is not fooled by a file that was changed and set back.
    #[test]
    fn every_kind_of_change_shows() {
        let changes: [(&str, Change); 8] = [
            ("same size, times set back", |root| {
                let path = root.join("folder/file");
                let before = fs::metadata(&path).expect("metadata");
                fs::write(&path, "OLD").expect("write");
                let times =
                    FileTimes::new().set_modified(before.modified().expect("a time")).set_accessed(before.accessed().expect("a time"));
                File::options().write(true).open(&path).expect("open").set_times(times).expect("times");
            }),
            ("replaced by an equal file", |root| {
                fs::copy(root.join("folder/file"), root.join("copy")).expect("copy");
                fs::rename(root.join("copy"), root.join("folder/file")).expect("rename");
            }),
            ("mode", |root| {
                fs::set_permissions(root.join("folder/file"), fs::Permissions::from_mode(0o600)).expect("mode");
            }),
            ("mode of the root", |root| fs::set_permissions(root, fs::Permissions::from_mode(0o711)).expect("mode")),
            ("new file", |root| fs::write(root.join("new"), "").expect("write")),
            ("removed file", |root| fs::remove_file(root.join("folder/file")).expect("remove")),
            ("made anew", |root| {
                fs::remove_file(root.join("folder/file")).expect("remove");
                fs::write(root.join("folder/file"), "old").expect("write");
            }),
            ("renamed", |root| fs::rename(root.join("folder"), root.join("other")).expect("rename")),
        ];
        for (what, change) in changes {
            let root = tempfile::tempdir().expect("a folder");
            fs::create_dir(root.path().join("folder")).expect("a folder");
            fs::write(root.path().join("folder/file"), "old").expect("a file");
            let before = Fingerprint::of_new(root.path()).expect("a fingerprint");
            assert_eq!(Fingerprint::of(root.path()).expect("a fingerprint"), before, "nothing changed");
            change(root.path());
            assert_ne!(Fingerprint::of(root.path()).expect("a fingerprint"), before, "{what}");
        }
    }

    #[test]
    fn moving_the_folder_and_passing_files_change_nothing() {
        let root = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(root.path().join("one/folder")).expect("a folder");
        fs::write(root.path().join("one/folder/file"), "x").expect("a file");
        let before = Fingerprint::of_new(&root.path().join("one")).expect("a fingerprint");
        fs::write(root.path().join("one/folder/lock"), "").expect("a file");
        fs::remove_file(root.path().join("one/folder/lock")).expect("remove");
        fs::create_dir(root.path().join("elsewhere")).expect("a folder");
        fs::rename(root.path().join("one"), root.path().join("elsewhere/two")).expect("rename");
        assert_eq!(Fingerprint::of(&root.path().join("elsewhere/two")).expect("a fingerprint"), before);
    }
}
