//! When registries were asked for images.

use super::Store;
use crate::error::{Context, Result};
use crate::image::{Digest, Reference};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

impl Store {
    /// Notes that a registry was just asked for an image.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_pull(&self, name: &Reference) -> Result<()> {
        let path = self.pull_note(name);
        let describe = || format!("cannot write `{}`", path.display());
        fs::create_dir_all(self.root().join("pulled")).context(describe)?;
        fs::write(&path, name.full()).context(describe)
    }

    /// How long ago a registry was asked for an image; nothing where that is not known.
    pub fn since_pull(&self, name: &Reference) -> Option<Duration> {
        let asked = self.pull_note(name).metadata().ok()?.modified().ok()?;
        SystemTime::now().duration_since(asked).ok()
    }

    fn pull_note(&self, name: &Reference) -> PathBuf {
        self.root().join("pulled").join(&Digest::of(name.full().as_bytes()).hex()[..32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn the_last_time_counts() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let [one, other] = ["r.test/one:1", "r.test/one:2"].map(|name| Reference::parse(name).unwrap());
        assert_eq!(store.since_pull(&one), None);
        store.note_pull(&one).unwrap();
        assert!(store.since_pull(&one).unwrap() < Duration::from_secs(60));
        let long_ago = SystemTime::now() - Duration::from_secs(7200);
        File::options().write(true).open(store.pull_note(&one)).unwrap().set_modified(long_ago).unwrap();
        assert!(store.since_pull(&one).unwrap() >= Duration::from_secs(7200));
        assert_eq!(store.since_pull(&other), None);
    }
}
