//! A phase that was started as root works as the build's user (EXIT-17, EXIT-18). This happens before any thread is started, because the
//! kernel changes the identity of one thread only.

use crate::error::{Context, Error, Result};
use crate::lifecycle::cache::give;
use crate::lifecycle::layer::Owner;
use launcher::file::read_document;
use rustix::process::{Gid, Uid};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Gives the folders to the user, where they are not already writable for it, and becomes that user. Does nothing where this process is not
/// root.
///
/// # Errors
/// When the system refuses.
pub(super) fn become_user(owner: Owner, folders: &[Option<&Path>]) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    for folder in folders.iter().flatten().filter(|folder| folder.is_dir() && !is_writable(folder, owner)) {
        for entry in walkdir::WalkDir::new(folder) {
            give(entry.context(|| format!("failed to chown volumes: cannot read `{}`", folder.display()))?.path(), owner)?;
        }
    }
    if owner.uid == 0 && owner.gid == 0 {
        return Ok(());
    }
    let describe = || format!("failed to exec as user {}:{}", owner.uid, owner.gid);
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    rustix::thread::set_thread_res_gid(gid, gid, gid).context(describe)?;
    rustix::thread::set_thread_res_uid(uid, uid, uid).context(describe)
}

fn is_writable(folder: &Path, owner: Owner) -> bool {
    folder.metadata().is_ok_and(|found| {
        let (mode, of_group) = (found.mode(), found.gid() == owner.gid);
        (found.uid() == owner.uid && mode & 0o200 != 0) || (of_group && mode & 0o020 != 0) || mode & 0o002 != 0
    })
}

/// The environment with the home and the name of a user, where they are known (EXIT-19), and without credentials (EXIT-21).
///
/// # Errors
/// When the user is none of this system's.
pub(super) fn with_home(environment: &[(OsString, OsString)], owner: Owner) -> Result<Vec<(OsString, OsString)>> {
    let passwd = read_document(Path::new("/etc/passwd")).unwrap_or_default();
    let entry = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = entry.into_iter().find(|fields| fields.get(2).and_then(|uid| uid.parse().ok()) == Some(owner.uid));
    let kept = |name: &OsString| !["HOME", "USER", "CNB_REGISTRY_AUTH"].iter().any(|known| name == known);
    let mut environment: Vec<_> = environment.iter().filter(|(name, _)| kept(name)).cloned().collect();
    match entry.as_deref() {
        Some([name, _, _, _, _, home, ..]) => {
            environment.extend([("HOME".into(), OsString::from(home)), ("USER".into(), OsString::from(name))]);
            Ok(environment)
        }
        Some(_) | None if rustix::process::geteuid().as_raw() == owner.uid => {
            Err(Error::new(format!("failed to set the environment of user {}: /etc/passwd does not have it", owner.uid)))
        }
        Some(_) | None => Ok(environment),
    }
}
