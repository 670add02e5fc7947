//! The file system that a program in the sandbox sees.

use super::init::Processes;
use super::mount::{self, CLOSED, NO_PROGRAMS, READ_ONLY, Root};
use super::settle;
use super::spec::{Access, Network, Spec, Upper};
use crate::error::{Advice, Context, Error, Result};
use rustix::fs::{CWD, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags, MoveMountFlags, mount_change, move_mount};
use std::fs::{self, DirBuilder, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

/// More lower folders than this the kernel does not take.
const MOST_LOWERS: usize = 499;

/// What to do where no overlay can be made.
pub const PLACE: &str = "the store must be on a file system that can hold an overlay, such as ext4, xfs, btrfs or tmpfs, and not in an overlay itself: in a container, put it on a volume; the kernel must be Linux 6.6 or later";

/// What became of the attempt to make the file system.
#[derive(Debug, PartialEq, Eq)]
pub enum Made {
    /// This process is in it.
    Entered,
    /// The kernel refuses a fresh /proc, as in containers that hide parts of theirs.
    NoProc,
    /// The folder for kept changes is on an overlay itself, as everything in a container is.
    NoUpper,
}

/// Makes the file system and makes it the root of this process.
pub fn enter(scratch: &Path, spec: &Spec, processes: Processes) -> Result<Made> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).context(|| "cannot make mounts private").hint(
        "a security module forbids mounts in user namespaces (Ubuntu does, for programs without an AppArmor profile): see `cooper doctor`",
    )?;
    // First, because this is what tells whether the attempt can go on.
    let proc = match processes {
        Processes::Own => match mount::new("proc", &[], NO_PROGRAMS) {
            Err(Errno::PERM) => return Ok(Made::NoProc),
            other => Some(other.context(|| "cannot mount a fresh /proc")?),
        },
        Processes::Shared => None,
    };
    let Some(root) = attach_overlay(scratch, spec)? else { return Ok(Made::NoUpper) };
    match &proc {
        Some(proc) => mount::attach(proc, &root.folder(Path::new("proc"))?).context(|| "cannot mount /proc in the sandbox")?,
        None => root.bind(Path::new("/proc"), Path::new("proc"), NO_PROGRAMS)?,
    }
    devices(&root)?;
    system(&root, spec)?;
    temporary(&root)?;
    for shown in &spec.mounts {
        let attributes = match shown.access {
            Access::ReadOnly => READ_ONLY,
            Access::ReadWrite => CLOSED,
        };
        root.bind(&shown.source, &shown.target, attributes)?;
    }
    mask(&root, processes)?;
    settle::note_made(scratch, &root.made())?;
    root.enter()?;
    Ok(Made::Entered)
}

/// Mounts the overlay on a folder of `scratch`.
fn attach_overlay(scratch: &Path, spec: &Spec) -> Result<Option<Root>> {
    if spec.lowers.len() > MOST_LOWERS {
        return Err(Error::new(format!("the image has {} layers; the kernel takes {MOST_LOWERS}", spec.lowers.len())));
    }
    let (work, place) = (scratch.join("work"), scratch.join("root"));
    let upper = match &spec.upper {
        Upper::Discard => scratch.join("upper"),
        Upper::Keep { tree, .. } => tree.clone(),
    };
    for folder in [&work, &place, &upper] {
        make_folder(folder)?;
    }
    let overlay = match mount::overlay(&spec.lowers, &upper, &work) {
        // The folder of changes is on an overlay itself, as everything in a container is.
        Err(Errno::INVAL) => match spec.upper {
            Upper::Discard => overlay_in_memory(&spec.lowers, &work),
            Upper::Keep { .. } => return Ok(None),
        },
        other => other,
    };
    let overlay = overlay.context(|| format!("cannot lay {} layers over each other", spec.lowers.len())).hint(PLACE)?;
    move_mount(&overlay, c"", CWD, &place, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .context(|| format!("cannot mount the layers at `{}`", place.display()))?;
    Root::open(&place).map(Some)
}

/// Makes an overlay whose changes go to memory; `work` is a folder to mount that on.
pub fn overlay_in_memory(lowers: &[impl AsRef<Path>], work: &Path) -> Result<OwnedFd, Errno> {
    let memory = mount::new("tmpfs", &[("mode", "0755")], CLOSED)?;
    move_mount(&memory, c"", CWD, work, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    let (upper, inner) = (work.join("upper"), work.join("work"));
    for folder in [&upper, &inner] {
        make_folder(folder).map_err(|_| Errno::NOSPC)?;
    }
    mount::overlay(lowers, &upper, &inner)
}

/// The root of an overlay shows the mode of its upper folder, whatever the umask.
fn make_folder(folder: &Path) -> Result<()> {
    let describe = || format!("cannot make `{}`", folder.display());
    match DirBuilder::new().mode(0o755).create(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        other => other.context(describe)?,
    }
    fs::set_permissions(folder, Permissions::from_mode(0o755)).context(describe)
}

fn devices(root: &Root) -> Result<()> {
    let no_setuid = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    root.mount("tmpfs", &[("mode", "0755"), ("size", "64k")], no_setuid, "dev")?;
    // Read-only is the node, not the device: root inside must not change the mode of this machine's.
    let node = no_setuid | MountAttrFlags::MOUNT_ATTR_RDONLY;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        root.bind(&Path::new("/dev").join(name), &Path::new("dev").join(name), node)?;
    }
    let folder = root.folder(Path::new("dev"))?;
    let descriptors = [("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")];
    for (name, target) in descriptors.into_iter().chain([("ptmx", "pts/ptmx")]) {
        rustix::fs::symlinkat(target, &folder, name).context(|| format!("cannot make `/dev/{name}` in the sandbox"))?;
    }
    root.mount("tmpfs", &[("mode", "1777")], NO_PROGRAMS, "dev/shm")?;
    root.mount("devpts", &[("newinstance", ""), ("ptmxmode", "0666"), ("mode", "0620")], no_setuid, "dev/pts")
}

/// /sys, read-only. A fresh one shows the network of its namespace, so only a namespace of its own can have one; containers that hide parts
/// of theirs refuse it.
fn system(root: &Root, spec: &Spec) -> Result<()> {
    let read_only = READ_ONLY | NO_PROGRAMS;
    if spec.network == Network::None {
        match mount::new("sysfs", &[], read_only) {
            Err(Errno::PERM) => {}
            fresh => {
                let place = root.folder(Path::new("sys"))?;
                return mount::attach(&fresh.context(|| "cannot mount a fresh /sys")?, &place)
                    .context(|| "cannot mount /sys in the sandbox");
            }
        }
    }
    root.bind(Path::new("/sys"), Path::new("sys"), read_only)
}

/// Images without folders for temporary files get them.
fn temporary(root: &Root) -> Result<()> {
    for path in ["tmp", "var/tmp"] {
        if root.find(Path::new(path), OFlags::PATH).is_err() {
            let place = root.folder(Path::new(path))?;
            let open = || -> rustix::io::Result<()> {
                let folder = rustix::fs::openat(&place, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, 0.into())?;
                rustix::fs::fchmod(&folder, 0o1777.into())
            };
            open().context(|| format!("cannot open `/{path}` to all in the sandbox"))?;
        }
    }
    Ok(())
}

/// Hides what tells too much of this machine, as container engines do.
fn mask(root: &Root, processes: Processes) -> Result<()> {
    // Where /proc is the outer one, whoever refused a fresh one hides these.
    if processes == Processes::Own {
        for file in ["kcore", "keys", "timer_list", "sched_debug", "latency_stats", "kmsg", "config.gz", "interrupts"] {
            hide(root, &Path::new("proc").join(file))?;
        }
        for path in ["bus", "fs", "irq", "sys", "sysrq-trigger"] {
            root.restrict(&Path::new("proc").join(path), READ_ONLY | NO_PROGRAMS)?;
        }
        for folder in ["proc/acpi", "proc/scsi"] {
            hide(root, Path::new(folder))?;
        }
    }
    for folder in ["sys/firmware", "sys/devices/virtual/powercap"] {
        hide(root, Path::new(folder))?;
    }
    Ok(())
}

fn hide(root: &Root, path: &Path) -> Result<()> {
    let Ok(found) = root.find(path, OFlags::PATH) else { return Ok(()) };
    let describe = || format!("cannot hide `/{}` in the sandbox", path.display());
    let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&found).context(describe)?.st_mode);
    if kind == rustix::fs::FileType::Directory {
        let empty = mount::new("tmpfs", &[("size", "4k")], READ_ONLY).context(describe)?;
        return mount::attach(&empty, &found).context(describe);
    }
    root.bind(Path::new("/dev/null"), path, MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC)
}
