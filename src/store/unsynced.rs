//! Blobs of registries need not be on the disk before they count: who loses one gets it again. Each is noted before it has its place, and the note
//! goes when the blob surely is on the disk. A note of an earlier start of the machine says that it may have stopped in between: then the blob is
//! hashed, and if it is not whole it goes, with the names that need it.

use super::prune::Needed;
use super::{Store, index, lock};
use crate::error::{Context, Result};
use crate::image::Digest;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// After so long the kernel has written a file by itself, and to wait for the disk takes no time.
const WRITTEN: Duration = Duration::from_secs(120);
const FOLDER: &str = "unsynced";

/// Notes that a blob is about to get its place without waiting for the disk. Returns whether it may: not where starts of the machine cannot be
/// told apart. File systems with a journal keep the order of the two, and a note that lost its content is one of an earlier start.
pub(super) fn note(root: &Path, digest: &Digest) -> io::Result<bool> {
    let Some(start) = start_of_machine() else { return Ok(false) };
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(digest.hex()), start)?;
    Ok(true)
}

/// What tells this start of the machine from others.
fn start_of_machine() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().filter(|id| !id.is_empty())
}

impl Store {
    /// Looks after the blobs that were not on the disk when they were noted. Returns the names that are lost.
    pub(super) fn settle(&self) -> Result<Vec<String>> {
        let folder = self.root.join(FOLDER);
        if notes(&folder)?.is_empty() {
            return Ok(Vec::new());
        }
        // Whoever opens the store after a start of the machine waits until it is known which blobs are whole.
        let _alone = lock::exclusive(&self.root.join("locks").join(FOLDER), || ())?;
        let start = start_of_machine();
        let (mut settled, mut damaged) = (Vec::new(), BTreeSet::new());
        for note in notes(&folder)? {
            let digest = Digest::parse(&format!("sha256:{}", note.file_name().unwrap_or_default().to_string_lossy()))?;
            let blob = self.blob_path(&digest);
            let describe = || format!("cannot look after the blob {digest}");
            if start.is_some() && fs::read_to_string(&note).ok() == start {
                if age(&note) < WRITTEN {
                    continue;
                }
                sync(&blob).context(describe)?;
            } else if blob.exists() && !is_whole(&blob, &digest).context(describe)? {
                fs::remove_file(&blob).context(describe)?;
                damaged.insert(digest);
            }
            settled.push(note);
        }
        let lost = self.untag_without(&damaged)?;
        settled.iter().try_for_each(fs::remove_file).context(|| format!("cannot clear `{}`", folder.display()))?;
        Ok(lost)
    }

    /// Takes away the names that need one of the blobs.
    fn untag_without(&self, gone: &BTreeSet<Digest>) -> Result<Vec<String>> {
        let mut lost = Vec::new();
        if gone.is_empty() {
            return Ok(lost);
        }
        index::change(&self.root, |index| {
            index.manifests.retain(|manifest| {
                let mut needed = Needed::default();
                let is_whole = self.follow(&manifest.digest, &mut needed).is_err() || needed.blobs.is_disjoint(gone);
                lost.extend(index::name_of(manifest).filter(|_| !is_whole).cloned());
                is_whole
            });
        })?;
        Ok(lost)
    }
}

fn notes(folder: &Path) -> Result<Vec<PathBuf>> {
    let describe = || format!("cannot read `{}`", folder.display());
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>().context(describe),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).context(describe),
    }
}

/// What cannot be known counts as new.
fn age(note: &Path) -> Duration {
    let written = note.metadata().and_then(|found| found.modified()).ok();
    written.and_then(|written| SystemTime::now().duration_since(written).ok()).unwrap_or_default()
}

fn sync(blob: &Path) -> io::Result<()> {
    match File::open(blob) {
        // It was pruned.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened?.sync_data(),
    }
}

fn is_whole(blob: &Path, digest: &Digest) -> io::Result<bool> {
    Ok(Digest::of_all(File::open(blob)?)? == *digest)
}
