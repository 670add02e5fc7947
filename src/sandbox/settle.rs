//! What becomes of kept changes when everything inside has ended: what the sandbox itself made goes, and files of other owners become the
//! caller's, who could otherwise neither read nor remove them. Their true owners are written down first.

use super::channel::{self, Failure};
use super::identity::Identity;
use super::spec::{Spec, Upper, User};
use super::stage::{signs, wait};
use super::syscall;
use crate::error::{Context, Error, Result};
use rustix::fs::{XattrFlags, lgetxattr, lsetxattr};
use rustix::process::{DumpableBehavior, Signal, getegid, geteuid};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// Lists in the run's own folder what was made for mounts.
const MADE: &str = "made";

/// Writes down what the sandbox made in the root file system so that something could be mounted there.
pub fn note_made(scratch: &Path, made: &[PathBuf]) -> Result<()> {
    let names: Vec<&[u8]> = made.iter().map(|path| path.as_os_str().as_bytes()).collect();
    fs::write(scratch.join(MADE), names.join(&0)).context(|| "cannot write down what the sandbox made")
}

/// Brings kept changes into the form that [`Upper::Keep`] promises.
pub fn settle(scratch: &Path, spec: &Spec, identity: &Identity) -> Result<()> {
    let Upper::Keep { tree, owners } = &spec.upper else { return Ok(()) };
    // A sandbox that could not be made has told why.
    if !tree.is_dir() {
        return Ok(());
    }
    let describe = || format!("cannot keep the changes in `{}`", tree.display());
    let own = (geteuid().as_raw(), getegid().as_raw());
    let write = |found: Found| -> Result<()> {
        remove_made(scratch, tree)?;
        let list = File::create(owners).context(|| format!("cannot make `{}`", owners.display()))?;
        let mut walk = Walk { found, list: BufWriter::new(list), linked: HashMap::new() };
        walk.visit(tree, Path::new(""))?;
        walk.list.flush().context(|| format!("cannot write `{}`", owners.display()))
    };
    match identity {
        Identity::Root | Identity::RootOutside | Identity::RootWithoutMounts => write(Found::True),
        Identity::Single => write(Found::Shared(own)),
        Identity::Subordinate(_) => in_namespace(identity, spec.user, || write(Found::Shared((spec.user.uid, spec.user.gid)))),
    }
    .context(describe)
}

/// Does something as root of a namespace with the ids of the sandbox.
fn in_namespace(identity: &Identity, user: User, action: impl FnOnce() -> Result<()>) -> Result<()> {
    let (ours, theirs) = UnixStream::pair().context(|| "cannot make a socket")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).context(|| "cannot show this process")?;
    let Some((pid, _)) = syscall::clone_process(libc::CLONE_NEWUSER).context(|| "cannot make a user namespace")? else {
        drop(ours);
        let result = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(Error::from).and_then(|()| {
            match channel::receive_byte(&theirs)? {
                Some((signs::MAPPED, _)) => action(),
                _ => Err(Error::new("the sandbox ended early")),
            }
        });
        syscall::exit_now(match result {
            Ok(()) => 0,
            // Without an answer, the parent knows that something went wrong.
            Err(error) => u8::from(channel::send(&theirs, &Failure::from(&error)).is_ok()) | 2,
        });
    };
    drop(theirs);
    let mapped = identity.write_maps(pid, user).and_then(|()| channel::send_byte(&ours, signs::MAPPED, None));
    let failure = if mapped.is_ok() { channel::receive::<Failure>(&ours)? } else { None };
    drop(ours);
    let status = wait(pid)?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).context(|| "cannot hide this process")?;
    match (mapped, failure) {
        (Err(error), _) => Err(error),
        (Ok(()), Some(failure)) => Err(failure.into()),
        (Ok(()), None) if status.exit_status() == Some(0) => Ok(()),
        (Ok(()), None) => Err(Error::new("the sandbox ended without a word")),
    }
}

/// Removes what was made for mounts, unless the program put something there.
fn remove_made(scratch: &Path, tree: &Path) -> Result<()> {
    let made = match fs::read(scratch.join(MADE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.context(|| "cannot read what the sandbox made")?,
    };
    for name in made.split(|byte| *byte == 0).filter(|name| !name.is_empty()).rev() {
        let path = tree.join(OsStr::from_bytes(name));
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let removed = match found.file_type() {
            kind if kind.is_dir() => fs::remove_dir(&path),
            kind if kind.is_file() && found.len() == 0 => fs::remove_file(&path),
            _ => Ok(()),
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => removed_error(error, &path)?,
            _ => {}
        }
    }
    Ok(())
}

fn removed_error(error: std::io::Error, path: &Path) -> Result<()> {
    Err(error).context(|| format!("cannot remove `{}`", path.display()))
}

/// What the owners that this process finds tell.
#[derive(Clone, Copy)]
enum Found {
    /// The truth.
    True,
    /// These own all that belonged to anybody before; only others are the truth.
    Shared((u32, u32)),
}

struct Walk {
    found: Found,
    list: BufWriter<File>,
    /// What was written down of files with several names, under the first.
    linked: HashMap<u64, Vec<u8>>,
}

impl Walk {
    fn visit(&mut self, path: &Path, name: &Path) -> Result<()> {
        let describe = || format!("cannot look at `{}`", path.display());
        let found = fs::symlink_metadata(path).context(describe)?;
        // A whiteout.
        if found.file_type().is_char_device() {
            return Ok(());
        }
        self.note(path, name, &found).context(describe)?;
        if found.is_dir() {
            for entry in fs::read_dir(path).context(describe)? {
                let entry = entry.context(describe)?;
                self.visit(&entry.path(), &name.join(entry.file_name()))?;
            }
        }
        Ok(())
    }

    /// Writes down what the file will not show, and makes it the caller's.
    fn note(&mut self, path: &Path, name: &Path, found: &fs::Metadata) -> Result<()> {
        let facts = match self.linked.get(&found.ino()) {
            Some(facts) => facts.clone(),
            None => self.take(path, found)?,
        };
        if found.nlink() > 1 && !found.is_dir() {
            self.linked.insert(found.ino(), facts.clone());
        }
        if facts.is_empty() {
            return Ok(());
        }
        self.list.write_all(&[&facts, name.as_os_str().as_bytes(), b"\0"].concat())?;
        Ok(())
    }

    /// What the file will not show; nothing where that is all.
    fn take(&self, path: &Path, found: &fs::Metadata) -> Result<Vec<u8>> {
        let mode = found.mode() & 0o7777;
        let (uid, gid) = (found.uid(), found.gid());
        let Found::Shared(own) = self.found else { return Ok(format!("{uid} {gid} {mode:o} ").into_bytes()) };
        let readable = if found.is_dir() { 0o700 } else { 0o600 };
        let plain = if found.is_symlink() { mode } else { mode & 0o1777 | readable };
        if (uid, gid) == own && mode == plain {
            return Ok(Vec::new());
        }
        if (uid, gid) != own {
            give(path, own)?;
        }
        if !found.is_symlink() {
            fs::set_permissions(path, Permissions::from_mode(plain))?;
        }
        let shown = |id: u32, own: u32| if id == own { "-".to_string() } else { id.to_string() };
        Ok(format!("{} {} {mode:o} ", shown(uid, own.0), shown(gid, own.1)).into_bytes())
    }
}

/// Gives a file away; the kernel drops its capabilities on the way.
fn give(path: &Path, (uid, gid): (u32, u32)) -> Result<()> {
    const CAPABILITY: &str = "security.capability";
    let mut value = [0; 24];
    let capability = lgetxattr(path, CAPABILITY, &mut value).ok();
    lchown(path, Some(uid), Some(gid))?;
    if let Some(length) = capability {
        lsetxattr(path, CAPABILITY, &value[..length], XattrFlags::empty())?;
    }
    Ok(())
}
