//! What this machine allows: each thing is tried, because settings and versions do not tell what a security module refuses.

use super::emulator::Emulator;
use super::identity;
use super::mount::{self, CLOSED, NO_PROGRAMS};
use super::publish;
use super::rootfs;
use super::spec::User;
use super::stage::{Request, wait};
use super::supervisor;
use super::syscall;
use crate::error::{Context, Error, Result};
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{getegid, geteuid};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What the sandbox can be on this machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// Which way applies; none where no sandbox can be made.
    pub mode: Option<Mode>,
    /// All that was tried.
    pub findings: Vec<Finding>,
}

/// The ways to run programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// As root, in a user namespace with all of its ids.
    Root,
    /// As root, without a user namespace.
    RootWithoutNamespace,
    /// As root by chroot, where nothing can be mounted.
    RootWithoutMounts,
    /// As a user with subordinate ids.
    SubordinateIds,
    /// As a user without any.
    SingleId,
}

/// One thing that was tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was tried.
    pub what: String,
    /// Whether it works.
    pub works: bool,
    /// Whether no sandbox can be made without it.
    pub required: bool,
    /// What came of it.
    pub reason: String,
    /// What would change it, where it does not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// Tries what a sandbox needs, with the store in `folder`.
///
/// # Errors
/// When this program cannot start itself again.
pub fn probe(folder: &Path) -> Result<Probe> {
    supervisor::ask(&Request::Probe { folder: folder.into() })
}

/// Does the work of [`probe`]; in the stage, because a namespace is entered by a process with a single thread only.
pub fn examine(folder: &Path) -> Probe {
    let root = geteuid().is_root();
    let namespace = attempt(IN_NAMESPACE, || Ok(()));
    let namespaces = if root && namespace.is_err() { MOUNTS } else { IN_NAMESPACE };
    let on_disk = attempt(namespaces, || try_overlay(folder, Changes::OnDisk));
    let overlay = if on_disk.is_ok() { Ok(()) } else { attempt(namespaces, || try_overlay(folder, Changes::InMemory)) };
    let proc = attempt(namespaces, try_proc);
    let subordinate = if root { Ok(()) } else { identity::subordinate().map(drop) };
    let flat = root && overlay.is_err() && attempt(0, || try_chroot(folder)).is_ok();
    let mode = match (&overlay, namespaces, root, &subordinate) {
        (Err(_), ..) => flat.then_some(Mode::RootWithoutMounts),
        (Ok(()), MOUNTS, ..) => Some(Mode::RootWithoutNamespace),
        (Ok(()), _, true, _) => Some(Mode::Root),
        (Ok(()), _, false, Ok(())) => Some(Mode::SubordinateIds),
        (Ok(()), _, false, Err(_)) => Some(Mode::SingleId),
    };
    let blocked = attempt(namespaces, || Ok(())).is_err();
    let unless_blocked = |remedy| if blocked { "as for the user namespace" } else { remedy };
    let mut findings = vec![
        Finding::new("user namespace", !root, namespace, NAMESPACE),
        Finding::new("overlay over the store's layers", !flat, overlay, unless_blocked(OVERLAY)),
        Finding::new("changes on disk instead of in memory", false, on_disk, unless_blocked(OVERLAY)),
        Finding::new("fresh /proc, so that processes outside stay hidden", false, proc, unless_blocked(PROC)),
    ];
    if !root {
        findings.push(Finding::new("subordinate ids, so that images may have files of several users", false, subordinate, SUBORDINATE));
    }
    findings.push(landlock());
    findings.push(Finding::new("published ports", false, attempt(0, try_listener), LISTENER));
    Probe { mode, findings }
}

const NAMESPACE: &str = "allow user namespaces: `sysctl user.max_user_namespaces=15000` as root; on Ubuntu 24.04 and later an AppArmor profile with `userns,` for this program, or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; in a container `--security-opt seccomp=unconfined`";
const OVERLAY: &str =
    "put the store (`--store`) on ext4, xfs, btrfs or tmpfs; in a container on a volume; the kernel must be Linux 6.6 or later";
const PROC: &str = "in a container `--security-opt systempaths=unconfined`; in Kubernetes `procMount: Unmasked`";
const SUBORDINATE: &str = "as root: install the package `uidmap` and `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`; not needed for builds";
const LANDLOCK: &str = "boot a kernel with Landlock (`lsm=landlock,...`), Linux 6.12 or later";
const LISTENER: &str = "Linux 5.6 or later, and no other program that watches system calls; in a container `--cap-add SYS_PTRACE`; a port as itself, as `8080:8080`, needs nothing";

impl Finding {
    /// Whether programs of a processor run, by what [`super::emulator`] says.
    pub fn of_processor(processor: &str, found: Result<Option<Emulator>>) -> Self {
        let remedy = found.as_ref().err().and_then(|error| error.nearest_hint()).unwrap_or_default().to_string();
        Self::new(&format!("builds for linux/{processor}"), false, found.map(drop), &remedy)
    }

    fn new(what: &str, required: bool, result: Result<()>, remedy: &str) -> Self {
        let (works, reason) = match result {
            Ok(()) => (true, "works".to_string()),
            Err(error) => (false, std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ")),
        };
        Self { what: what.to_string(), works, required, reason, remedy: (!works).then(|| remedy.to_string()) }
    }
}

fn landlock() -> Finding {
    let what = "Landlock rules for files, signals and abstract sockets";
    let result = match syscall::landlock_version() {
        Ok(version @ 0..6) => Err(Error::new(format!("the kernel has version {version}; signals and abstract sockets need 6"))),
        Ok(_) => Ok(()),
        Err(error) => Err(error).context(|| "the kernel has none"),
    };
    Finding::new(what, false, result, LANDLOCK)
}

const MOUNTS: i32 = libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC;
/// Namespaces of an attempt that needs no root.
pub const IN_NAMESPACE: i32 = MOUNTS | libc::CLONE_NEWUSER;

/// Tries something in a child in namespaces of its own.
pub fn attempt(namespaces: i32, action: impl FnOnce() -> Result<()>) -> Result<()> {
    attempt_as(None, namespaces, action)
}

/// The same as somebody else, by the ids of a user namespace.
pub fn attempt_as(inside: Option<User>, namespaces: i32, action: impl FnOnce() -> Result<()>) -> Result<()> {
    let (mut answer, send) = std::io::pipe().context(|| "cannot make a pipe")?;
    let own = (geteuid().as_raw(), getegid().as_raw());
    let Some((pid, _)) = syscall::clone_process(namespaces).context(|| "cannot make namespaces")? else {
        let inside = inside.unwrap_or(User { uid: own.0, gid: own.1 });
        let result = if namespaces & libc::CLONE_NEWUSER != 0 { map_itself(inside, own).and_then(|()| action()) } else { action() };
        syscall::exit_now(match result.map_err(|error| super::channel::Failure::from(&error)) {
            Ok(()) => 0,
            // A pipe of this size never blocks; a parent that has gone wants no answer.
            Err(failure) => u8::from(serde_json::to_writer(&send, &failure).is_ok()) | 2,
        });
    };
    drop(send);
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut answer, &mut text).context(|| "cannot read from a pipe")?;
    if wait(pid)?.exit_status() == Some(0) {
        return Ok(());
    }
    let failure: super::channel::Failure = serde_json::from_slice(&text).context(|| "the attempt ended without a word")?;
    Err(failure.into())
}

/// What unprivileged users do in [`identity::Identity::write_maps`]; some security modules refuse only this.
fn map_itself(inside: User, own: (u32, u32)) -> Result<()> {
    identity::map_single("self", inside, own)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).context(|| "cannot change mounts")
}

/// Where an overlay keeps changes.
#[derive(Clone, Copy)]
enum Changes {
    OnDisk,
    InMemory,
}

fn try_overlay(folder: &Path, changes: Changes) -> Result<()> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).context(|| "cannot change mounts")?;
    let scratch = tempfile::tempdir_in(folder).context(|| format!("cannot write to `{}`", folder.display()))?;
    let folders = ["lower", "upper", "work"].map(|name| scratch.path().join(name));
    for folder in &folders {
        std::fs::create_dir(folder).context(|| format!("cannot make `{}`", folder.display()))?;
    }
    let overlay = match changes {
        Changes::OnDisk => mount::overlay(&folders[..1], &folders[1], &folders[2]),
        Changes::InMemory => rootfs::overlay_in_memory(&folders[..1], &folders[2]),
    };
    // The folder has to be free before it can be removed.
    rustix::mount::unmount(&folders[2], rustix::mount::UnmountFlags::DETACH).ok();
    overlay.context(|| format!("cannot mount an overlay in `{}`", folder.display()))?;
    // The kernel makes this folder, readable by nobody.
    drop(std::fs::remove_dir(folders[2].join("work")));
    Ok(())
}

fn try_proc() -> Result<()> {
    mount::new("proc", &[], NO_PROGRAMS | CLOSED).map(drop).context(|| "the kernel refuses it, as where parts of /proc are hidden")
}

/// What root may still do in a container without privileges.
fn try_chroot(folder: &Path) -> Result<()> {
    use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
    let scratch = tempfile::tempdir_in(folder).context(|| format!("cannot write to `{}`", folder.display()))?;
    mknodat(CWD, scratch.path().join("null"), FileType::CharacterDevice, Mode::from_raw_mode(0o600), makedev(1, 3))
        .context(|| "cannot make a device")?;
    drop(scratch);
    rustix::process::chroot("/").context(|| "cannot change the root")
}

fn try_listener() -> Result<()> {
    rustix::thread::set_no_new_privs(true).context(|| "cannot give privileges up")?;
    syscall::install_listener(&super::filter::questions()).context(|| "the kernel refuses a listener")?;
    publish::may_share_sockets()
}
