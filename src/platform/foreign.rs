//! Images for other processors than this machine's: whether they can be made and run here, and by what.

use super::embedded::launcher_for;
use crate::error::{Context, Error, Result};
use crate::image::{Config, Platform};
use crate::sandbox::{self, Emulator};
use crate::store::Store;

/// What the programs of an image need to run here; nothing for this machine's own.
///
/// # Errors
/// When they cannot run here.
pub fn emulator(image: &Config, store: &Store) -> Result<Option<Emulator>> {
    needed(&Platform::of(image), store)
}

/// Checks that images for a platform can be built here, before anything is fetched for that.
///
/// # Errors
/// When its programs cannot run here, or there is no launcher for them.
pub fn check(platform: &Platform, store: &Store) -> Result<()> {
    let describe = || format!("cannot build for {platform}");
    launcher_for(&platform.architecture).context(describe)?;
    needed(platform, store).context(describe).map(drop)
}

fn needed(platform: &Platform, store: &Store) -> Result<Option<Emulator>> {
    let here = Platform::here();
    if platform.os != here.os {
        return Err(Error::new(format!("programs for {} cannot run on this machine", platform.os)));
    }
    if platform.architecture == here.architecture {
        return Ok(None);
    }
    sandbox::emulator(store.scratch()?.path(), &platform.architecture)
}
