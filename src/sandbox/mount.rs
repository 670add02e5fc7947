//! Mounts by Linux's new calls: a file system is made first and attached later, at a place that was opened inside the new root, so that no
//! link of an image can lead a mount out of it.

use super::syscall;
use crate::error::{Context, Result};
use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen, move_mount, open_tree,
};
use std::cell::RefCell;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// No set-user-ID programs, no devices: on every mount.
pub const CLOSED: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);
/// Also not writable.
pub const READ_ONLY: MountAttrFlags = CLOSED.union(MountAttrFlags::MOUNT_ATTR_RDONLY);
/// Also no programs.
pub const NO_PROGRAMS: MountAttrFlags = CLOSED.union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// Makes a file system of its own; an option without a value is a flag.
pub fn new(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> rustix::io::Result<OwnedFd> {
    let file_system = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        match *value {
            "" => fsconfig_set_flag(&file_system, *name),
            value => fsconfig_set_string(&file_system, *name, value),
        }?;
    }
    fsconfig_create(&file_system)?;
    fsmount(&file_system, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Makes an overlay of `lowers`, the lowest first, whose changes go to `upper`.
pub fn overlay(lowers: &[impl AsRef<Path>], upper: &Path, work: &Path) -> Result<OwnedFd, Errno> {
    let file_system = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&file_system, "source", "overlay")?;
    for lower in lowers.iter().rev() {
        fsconfig_set_string(&file_system, "lowerdir+", lower.as_ref())?;
    }
    fsconfig_set_string(&file_system, "upperdir", upper)?;
    fsconfig_set_string(&file_system, "workdir", work)?;
    // Whiteouts are marked by attributes that need no privilege.
    fsconfig_set_flag(&file_system, "userxattr")?;
    // What a crash of the machine loses is thrown away anyway. Linux before 5.10 lacks it.
    fsconfig_set_flag(&file_system, "volatile").ok();
    fsconfig_create(&file_system)?;
    fsmount(&file_system, FsMountFlags::FSMOUNT_CLOEXEC, CLOSED)
}

/// Attaches a mount at an open folder or file.
pub fn attach(mount: &OwnedFd, place: &OwnedFd) -> rustix::io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, c"", place, c"", flags)
}

/// The root of a file system that is being furnished.
pub struct Root {
    folder: OwnedFd,
    made: RefCell<Vec<PathBuf>>,
}

impl Root {
    /// Opens the folder that is to become the root.
    pub fn open(folder: &Path) -> Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = fs::open(folder, flags, Mode::empty()).context(|| format!("cannot open `{}`", folder.display()))?;
        Ok(Self { folder: opened, made: RefCell::default() })
    }

    /// What was made so that something could be mounted over it: paths below this root without links, every folder before its content.
    pub fn made(&self) -> Vec<PathBuf> {
        self.made.borrow().clone()
    }

    /// The path of an open folder below this root, without links.
    pub fn path(&self, folder: &OwnedFd) -> Result<PathBuf> {
        let path = |folder: &OwnedFd| std::fs::read_link(format!("/proc/self/fd/{}", folder.as_raw_fd()));
        let describe = || "cannot tell where a folder of the sandbox is";
        let (root, place) = (path(&self.folder).context(describe)?, path(folder).context(describe)?);
        place.strip_prefix(root).map(Path::to_path_buf).context(describe)
    }

    fn note(&self, folder: &OwnedFd, name: &OsStr) -> Result<()> {
        let place = self.path(folder)?.join(name);
        self.made.borrow_mut().push(place);
        Ok(())
    }

    /// Opens what is at a path below this root; links are followed as the program will see them.
    pub fn find(&self, path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        fs::openat2(&self.folder, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    }

    /// Opens a folder, made where it is missing.
    pub fn folder(&self, path: &Path) -> Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        if let Ok(found) = self.find(path, flags) {
            return Ok(found);
        }
        let mut made = PathBuf::new();
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let parent = self.find(&made, flags).context(|| format!("cannot open `/{}` in the sandbox", made.display()))?;
            made.push(name);
            match fs::mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
                Ok(()) => self.note(&parent, name)?,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error).context(|| format!("cannot make `/{}` in the sandbox", made.display())),
            }
        }
        self.find(path, flags).context(|| format!("cannot open `{}` in the sandbox", path.display()))
    }

    /// Opens a file to mount over, made where it is missing.
    fn file(&self, path: &Path) -> Result<OwnedFd> {
        if let Ok(found) = self.find(path, OFlags::PATH) {
            return Ok(found);
        }
        let describe = || format!("cannot make `{}` in the sandbox", path.display());
        let folder = self.folder(path.parent().unwrap_or(Path::new("/")))?;
        let name = path.file_name().context(describe)?;
        // A link whose target is missing, as resolv.conf of many images.
        match fs::unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error).context(describe),
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        fs::openat(&folder, name, flags, Mode::from_raw_mode(0o644)).context(describe)?;
        self.note(&folder, name)?;
        fs::openat(&folder, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).context(describe)
    }

    /// Shows a folder or file of this machine, and what is mounted below it, at a path below this root.
    pub fn bind(&self, source: &Path, target: &Path, attributes: MountAttrFlags) -> Result<()> {
        let describe = || format!("cannot show `{}` at `{}` in the sandbox", source.display(), target.display());
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        let tree = open_tree(CWD, source, flags).context(describe)?;
        let kind = fs::FileType::from_raw_mode(fs::fstat(&tree).context(describe)?.st_mode);
        syscall::add_mount_attributes(tree.as_fd(), attributes.bits().into()).context(describe)?;
        let place = if kind == fs::FileType::Directory { self.folder(target)? } else { self.file(target)? };
        attach(&tree, &place).context(describe)
    }

    /// Adds attributes to what is at a path below this root, if anything is.
    pub fn restrict(&self, path: &Path, attributes: MountAttrFlags) -> Result<()> {
        let Ok(place) = self.find(path, OFlags::PATH) else { return Ok(()) };
        let describe = || format!("cannot restrict `/{}` in the sandbox", path.display());
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        let tree = open_tree(&place, c"", flags | OpenTreeFlags::AT_EMPTY_PATH).context(describe)?;
        syscall::add_mount_attributes(tree.as_fd(), attributes.bits().into()).context(describe)?;
        attach(&tree, &place).context(describe)
    }

    /// Mounts a file system of its own at a path below this root.
    pub fn mount(&self, kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags, target: &str) -> Result<()> {
        let describe = || format!("cannot mount {kind} at `/{target}` in the sandbox");
        let place = self.folder(Path::new(target))?;
        attach(&new(kind, options, attributes).context(describe)?, &place).context(describe)
    }

    /// Makes this root the root of the calling process, and lets go of everything outside.
    pub fn enter(self) -> Result<()> {
        use rustix::mount::{UnmountFlags, mount_move, unmount};
        use rustix::process::{chdir, chroot, fchdir, pivot_root};
        fchdir(&self.folder).context(|| "cannot enter the new root")?;
        match pivot_root(".", ".") {
            Ok(()) => unmount(".", UnmountFlags::DETACH).context(|| "cannot let go of the old root")?,
            // Docker's profile for containers with CAP_SYS_ADMIN allows mounts but not this call.
            Err(Errno::PERM | Errno::INVAL | Errno::NOSYS) => {
                mount_move(".", "/").context(|| "cannot move the new root")?;
                chroot(".").context(|| "cannot change the root")?;
            }
            Err(error) => return Err(error).context(|| "cannot change the root"),
        }
        chdir("/").context(|| "cannot enter the new root")
    }
}
