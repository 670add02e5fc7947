//! Programs for another processor. QEMU's user emulation runs them, started by the kernel as a handler of such files (binfmt_misc). From Linux
//! 6.7 on, every user namespace may have handlers of its own: then QEMU's program is all that a machine needs, no registration and no root.

use super::mount::{self, NO_PROGRAMS};
use super::probe::{IN_NAMESPACE, attempt, attempt_as};
use super::spec::User;
use super::stage::Request;
use super::supervisor;
use super::{identity, syscall};
use crate::error::{Advice, Context, Error, Result};
use rustix::fs::{Mode, OFlags, openat};
use rustix::process::{DumpableBehavior, getegid, geteuid, set_dumpable_behavior};
use serde::{Deserialize, Serialize};
use std::fs::Permissions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Processors that programs can be tried for.
pub const PROCESSORS: [&str; 2] = ["amd64", "arm64"];
/// Where distributions put QEMU's programs.
const FOLDERS: [&str; 2] = ["/usr/local/bin", "/usr/bin"];
/// Whom the kernel lets register handlers in a namespace.
const ROOT: User = User { uid: 0, gid: 0 };
/// The program that is tried, in the root of the attempt.
const TRIED: &str = "program";

/// A processor, as ELF and QEMU call it.
struct Processor {
    machine: u8,
    qemu: &'static str,
    /// Ends with a status.
    code: fn(u8) -> [u8; 12],
}

fn processor(architecture: &str) -> Option<Processor> {
    Some(match architecture {
        "amd64" => Processor { machine: 62, qemu: "x86_64", code: |status| [0xbf, status, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05] },
        // The number begins at the fifth bit of the instruction.
        "arm64" => Processor {
            machine: 183,
            qemu: "aarch64",
            code: |status| [status << 5, status >> 3, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4],
        },
        _ => return None,
    })
}

/// What runs programs for another processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emulator {
    program: PathBuf,
    architecture: String,
}

/// What programs for a processor need to run here: nothing where this machine runs them by itself. They are tried, in a file system of their
/// own, with a store in `folder`.
///
/// # Errors
/// When they cannot run here; the hint says what would change that.
pub fn emulator(folder: &Path, architecture: &str) -> Result<Option<Emulator>> {
    let request = Request::Emulator { folder: folder.into(), architecture: architecture.into() };
    let found: Result<Option<Emulator>, super::channel::Failure> = supervisor::ask(&request)?;
    found.map_err(Error::from)
}

/// Does the work of [`emulator`]; in the stage, as [`super::probe::examine`].
pub fn find(folder: &Path, architecture: &str) -> Result<Option<Emulator>> {
    let wrong = || format!("programs for {architecture} cannot run on this machine");
    let known = processor(architecture).context(|| "no emulator of that processor is known").context(wrong)?;
    let root = tempfile::tempdir_in(folder).context(|| format!("cannot write to `{}`", folder.display()))?;
    let program = root.path().join(TRIED);
    let written = std::fs::write(&program, smallest_program(architecture, 0));
    written.and_then(|()| std::fs::set_permissions(&program, Permissions::from_mode(0o755))).context(wrong)?;
    let namespace = attempt(IN_NAMESPACE, || Ok(())).is_ok();
    let Err(mut refusal) = attempt(if namespace { IN_NAMESPACE } else { 0 }, || start(root.path())) else { return Ok(None) };
    let names = [format!("qemu-{}-static", known.qemu), format!("qemu-{}", known.qemu)];
    let places = FOLDERS.iter().flat_map(|folder| names.iter().map(move |name| Path::new(folder).join(name)));
    for program in places.filter(|place| namespace && place.is_file()) {
        let emulator = Emulator { program, architecture: architecture.into() };
        let tried = attempt_as(Some(ROOT), IN_NAMESPACE, || {
            let _handlers = emulator.register()?;
            start(root.path())
        });
        match tried {
            Ok(()) => return Ok(Some(emulator)),
            Err(error) => refusal = error,
        }
    }
    Err(refusal).context(wrong).hint(remedy(architecture, &names[0]))
}

fn remedy(architecture: &str, program: &str) -> String {
    format!(
        "install QEMU's `{program}` (Debian: `apt install qemu-user-static`); before Linux 6.7, or as root without user namespaces, it must \
         also be registered: `docker run --privileged --rm tonistiigi/binfmt --install {architecture}`; `cooper doctor` says what works"
    )
}

/// Becomes the program that is tried, where nothing but it is there: a handler that is looked for in the image's own files is none.
fn start(root: &Path) -> Result<()> {
    rustix::process::chroot(root).context(|| "cannot change the root")?;
    std::env::set_current_dir("/").context(|| "cannot enter the root")?;
    let refused = Command::new(Path::new("/").join(TRIED)).env_clear().exec();
    // The C library has a shell try what the kernel refuses, and there is none.
    Err(match refused.raw_os_error() {
        Some(libc::ENOEXEC | libc::ENOENT) => {
            Error::new("the kernel has no handler for them, or one that is not found inside images (registered without the flag `F`)")
        }
        _ => Error::from(refused),
    })
}

impl Emulator {
    /// Makes it the handler of its processor's programs in the calling process's user namespace, for as long as the result is kept.
    pub fn register(&self) -> Result<OwnedFd> {
        let describe = || format!("cannot let `{}` run programs for {}", self.program.display(), self.architecture);
        let handlers = mount::new("binfmt_misc", &[], NO_PROGRAMS).context(|| "the kernel has no handlers for each user namespace");
        let handlers = handlers.context(describe)?;
        let file = openat(&handlers, "register", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).context(describe)?;
        rustix::io::write(&file, &self.rule().context(describe)?).context(describe)?;
        Ok(handlers)
    }

    /// The same for who may have one id only: in a namespace between this machine's and the sandbox's, whose root this process is for that moment.
    /// Then it is who it was, in a namespace of its own. Only for a process with a single thread.
    pub fn register_outside(&self) -> Result<OwnedFd> {
        let own = (geteuid().as_raw(), getegid().as_raw());
        let enter = |inside: User, own: (u32, u32)| -> Result<()> {
            syscall::enter_user_namespace().context(|| "cannot make a user namespace")?;
            // Its files belong to the caller only while the process can be looked into.
            set_dumpable_behavior(DumpableBehavior::Dumpable).context(|| "cannot show this process")?;
            identity::map_single("self", inside, own)
        };
        enter(ROOT, own)?;
        let handlers = self.register()?;
        enter(User { uid: own.0, gid: own.1 }, (ROOT.uid, ROOT.gid))?;
        Ok(handlers)
    }

    /// Programs and libraries of the processor, of whatever ABI; F opens the emulator now, P tells it the name that the program was started by.
    fn rule(&self) -> Option<Vec<u8>> {
        let machine = processor(&self.architecture)?.machine;
        let escaped = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
        let magic = escaped(&[&header(machine)[..7], &[0; 9], &[2, 0, machine, 0]].concat());
        let mask = escaped(&[&[0xff; 7][..], &[0], &[0xff; 8], &[0xfe, 0xff, 0xff, 0xff]].concat());
        let start = format!(":cooper-{}:M::{magic}:{mask}:", self.architecture);
        Some([start.as_bytes(), self.program.as_os_str().as_encoded_bytes(), b":PF"].concat())
    }
}

/// The start of an ELF file: 64 bits, little-endian, a program.
fn header(machine: u8) -> [u8; 24] {
    [0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, machine, 0, 1, 0, 0, 0]
}

/// The smallest program for a processor: it ends with a status. Empty where the processor is not known.
pub fn smallest_program(architecture: &str, status: u8) -> Vec<u8> {
    let Some(processor) = processor(architecture) else { return Vec::new() };
    let code = (processor.code)(status);
    let word = |value: u64| value.to_le_bytes();
    let (start, base) = (64 + 56, 0x40_0000);
    let mut file = header(processor.machine).to_vec();
    file.extend([word(base + start), word(64), word(0)].concat());
    file.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    file.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    let length = start + code.len() as u64;
    file.extend([word(0), word(base), word(base), word(length), word(length), word(0x1000)].concat());
    file.extend(code);
    file
}
