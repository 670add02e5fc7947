//! Locks between processes: `flock` on files of their own, so that a killed process holds none.

use crate::error::{Context, Result};
use std::fs::{File, TryLockError};
use std::path::Path;

/// A lock that others wait for until it is dropped.
pub struct Lock(#[expect(dead_code, reason = "closing the file releases the lock")] File);

fn open(path: &Path) -> std::io::Result<File> {
    File::options().create(true).truncate(false).write(true).open(path)
}

/// Takes the lock at `path`; calls `waiting` first if somebody else has it.
pub(super) fn exclusive(path: &Path, waiting: impl FnOnce()) -> Result<Lock> {
    let describe = || format!("cannot lock `{}`", path.display());
    let file = open(path).context(describe)?;
    match file.try_lock() {
        Ok(()) => return Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => waiting(),
        Err(TryLockError::Error(error)) => return Err(error).context(describe),
    }
    file.lock().context(describe)?;
    Ok(Lock(file))
}

/// Takes the lock at `path` together with others that share it.
pub(super) fn share(path: &Path) -> std::io::Result<File> {
    let file = open(path)?;
    file.lock_shared()?;
    Ok(file)
}

/// Runs `alone` if nobody else has the lock of `shared`, which this process shares.
pub(super) fn if_alone<T>(shared: &File, alone: impl FnOnce() -> T) -> std::io::Result<Option<T>> {
    match shared.try_lock() {
        Ok(()) => {
            let result = alone();
            shared.lock_shared()?;
            Ok(Some(result))
        }
        Err(TryLockError::WouldBlock) => {
            // A failed attempt to convert a lock may have lost it.
            shared.lock_shared()?;
            Ok(None)
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}
