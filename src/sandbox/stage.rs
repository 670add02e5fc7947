//! The single-threaded process between the supervisor and the first process inside. It stays outside, writes the id maps, hands signals on,
//! answers for published ports, and kills the whole tree when the supervisor ends.

use super::channel::{self, Failure};
use super::identity::Identity;
use super::init::{self, Processes};
use super::publish::Ports;
use super::spec::{Network, Spec};
use super::{emulator, flat, probe, rootfs, settle, syscall};
use crate::error::{Advice, Context, Error, Result};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{DumpableBehavior, Pid, WaitOptions, WaitStatus, waitpid};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// The name under which this program starts itself as a stage.
pub const NAME: &str = "cooper-sandbox";

/// The exit code of a sandbox that could not be set up.
const FAILED: u8 = 125;

/// What the supervisor wants.
#[derive(Serialize, Deserialize)]
pub enum Request {
    /// Run a program.
    Run { scratch: PathBuf, spec: Box<Spec> },
    /// Say what this machine allows, for a store in this folder.
    Probe { folder: PathBuf },
    /// Say what runs programs for a processor, with a store in this folder.
    Emulator { folder: PathBuf, architecture: String },
}

/// What init tells the stage.
pub mod signs {
    /// From the stage: the id maps are written.
    pub const MAPPED: u8 = 1;
    /// From init: a fresh /proc is refused; try without a process namespace.
    pub const NO_PROC: u8 = 2;
    /// From init: kept changes cannot be where they were to be; try without an overlay.
    pub const NO_UPPER: u8 = 4;
    /// From the payload: here is the listener for its questions about ports.
    pub const LISTENER: u8 = 3;
}

/// Does the work of a stage and returns the exit code, if this process was started as one. Must be called before any thread is started.
pub fn entry_point() -> Option<i32> {
    if std::env::args_os().next()? != NAME {
        return None;
    }
    let Ok(socket) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).map(UnixStream::from) else {
        return Some(FAILED.into());
    };
    let code = serve(&socket).unwrap_or_else(|error| {
        // If the supervisor is gone too, nobody is left to be told.
        drop(channel::send(&socket, &Failure::from(&error)));
        FAILED
    });
    Some(code.into())
}

fn serve(socket: &UnixStream) -> Result<u8> {
    let Some((_, input)) = channel::receive_byte(socket)? else { return Ok(FAILED) };
    let input = match input {
        Some(input) => input,
        None => std::fs::File::open("/dev/null").context(|| "cannot open `/dev/null`")?.into(),
    };
    rustix::stdio::dup2_stdin(input).context(|| "cannot set standard input")?;
    let Some(request) = channel::receive::<Request>(socket)? else { return Ok(FAILED) };
    // A session of its own keeps the terminal's Ctrl-C from the program: the supervisor decides what becomes of it.
    rustix::process::setsid().context(|| "cannot start a session")?;
    syscall::block_signals().context(|| "cannot block signals")?;
    match request {
        Request::Run { scratch, spec } => run(socket, &scratch, &spec),
        Request::Probe { folder } => channel::send(socket, &probe::examine(&folder)).map(|()| 0),
        Request::Emulator { folder, architecture } => {
            let found = emulator::find(&folder, &architecture).map_err(|error| Failure::from(&error));
            channel::send(socket, &found).map(|()| 0)
        }
    }
}

/// Tries the ways to be somebody, the best first, until one is allowed.
fn run(socket: &UnixStream, scratch: &Path, spec: &Spec) -> Result<u8> {
    let (mut refusal, mut _handlers) = (None, None);
    for identity in Identity::candidates() {
        if let (Identity::Single, Some(emulator)) = (&identity, &spec.emulator) {
            _handlers = Some(emulator.register_outside()?);
        }
        let processes = if identity.has_mounts() { Processes::Own } else { Processes::Shared };
        let mut attempt = Attempt { socket, scratch, spec, identity: &identity, processes };
        let mut outcome = attempt.make()?;
        if matches!(outcome, Outcome::NoProc) {
            attempt.processes = Processes::Shared;
            outcome = attempt.make()?;
        }
        if !identity.has_mounts() {
            flat::give_back(scratch, spec)?;
            flat::collect(scratch, spec)?;
        }
        match outcome {
            Outcome::Ended(code) => {
                settle::settle(scratch, spec, &identity)?;
                return Ok(code);
            }
            Outcome::Refused(error) => refusal = refusal.or(Some(error)),
            Outcome::NoProc => return Err(Error::new("the sandbox cannot mount /proc")),
        }
    }
    Err(refusal.unwrap_or_else(|| Error::new("no way to make a sandbox is left")))
}

enum Outcome {
    Ended(u8),
    Refused(Error),
    NoProc,
}

struct Attempt<'a> {
    socket: &'a UnixStream,
    scratch: &'a Path,
    spec: &'a Spec,
    identity: &'a Identity,
    processes: Processes,
}

impl Attempt<'_> {
    fn make(&self) -> Result<Outcome> {
        let (ours, theirs) = UnixStream::pair().context(|| "cannot make a socket")?;
        // The files of the id maps belong to the caller only while the process can be looked into.
        rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable).context(|| "cannot show this process")?;
        let cloned = match syscall::clone_process(self.namespaces()) {
            Ok(cloned) => cloned,
            Err(cause) => return Ok(Outcome::Refused(refused_namespace(cause))),
        };
        let Some((pid, process)) = cloned else {
            drop(ours);
            let inside =
                init::Inside { socket: self.socket, stage: theirs, scratch: self.scratch, spec: self.spec, identity: self.identity };
            syscall::exit_now(inside.run(self.processes).unwrap_or_else(|error| {
                drop(channel::send(self.socket, &Failure::from(&error)));
                FAILED
            }));
        };
        drop(theirs);
        if let Err(error) = self.identity.write_maps(pid, self.spec.user) {
            // It waits for its maps, and ends when nobody is left who could write them.
            drop(ours);
            wait(pid)?;
            return Ok(Outcome::Refused(error));
        }
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).context(|| "cannot hide this process")?;
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).context(|| "cannot adopt orphans")?;
        channel::send_byte(&ours, signs::MAPPED, None)?;
        Watch { attempt: self, pid, process, stage: ours }.until_end()
    }

    fn namespaces(&self) -> i32 {
        if !self.identity.has_mounts() {
            return 0;
        }
        let mut namespaces = libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS | libc::CLONE_NEWCGROUP;
        if self.identity.has_namespace() {
            namespaces |= libc::CLONE_NEWUSER;
        }
        if self.processes == Processes::Own {
            namespaces |= libc::CLONE_NEWPID;
        }
        if self.spec.network == Network::None {
            namespaces |= libc::CLONE_NEWNET;
        }
        namespaces
    }
}

/// The first process inside, watched from outside.
struct Watch<'a> {
    attempt: &'a Attempt<'a>,
    pid: Pid,
    process: OwnedFd,
    stage: UnixStream,
}

impl Watch<'_> {
    fn until_end(&self) -> Result<Outcome> {
        let (mut supervised, mut talking, mut refused) = (true, true, None);
        let mut ports: Option<Ports> = None;
        loop {
            let event = ready(&[
                Some(self.process.as_fd()),
                talking.then(|| self.stage.as_fd()),
                supervised.then(|| self.attempt.socket.as_fd()),
                ports.as_ref().map(AsFd::as_fd),
            ])?;
            if event[1] {
                match channel::receive_byte(&self.stage)? {
                    Some((sign @ (signs::NO_PROC | signs::NO_UPPER), _)) => refused = Some(sign),
                    Some((_, listener)) => ports = listener.map(|listener| Ports::new(listener, self.published())),
                    None => talking = false,
                }
            }
            if event[2] {
                supervised = self.hand_on()?;
            }
            if event[3] && !ports.as_mut().map_or(Ok(false), Ports::answer_next)? {
                ports = None;
            }
            if event[0] && !event[1] {
                break;
            }
        }
        let status = wait(self.pid)?;
        if self.attempt.processes == Processes::Shared {
            end_orphans()?;
        }
        Ok(match refused {
            Some(signs::NO_PROC) => Outcome::NoProc,
            Some(_) => Outcome::Refused(Error::new("changes cannot be kept in an overlay on an overlay").hint(rootfs::PLACE)),
            None => Outcome::Ended(exit_code(status)),
        })
    }

    /// Hands a signal on; the end of the supervisor is the end of everything. Returns whether the supervisor is still there.
    fn hand_on(&self) -> Result<bool> {
        let signal = channel::receive_byte(self.attempt.socket)?.map(|(signal, _)| i32::from(signal));
        match syscall::signal_process(self.process.as_fd(), signal.unwrap_or(libc::SIGKILL)) {
            Err(error) if error.raw_os_error() != Some(libc::ESRCH) => Err(error).context(|| "cannot signal the sandbox")?,
            _ => Ok(signal.is_some()),
        }
    }

    fn published(&self) -> &[super::Publish] {
        match &self.attempt.spec.network {
            Network::Published(ports) => ports,
            Network::None | Network::Host => &[],
        }
    }
}

/// Waits until one of the descriptors can be read or is at its end, and says which are.
pub fn ready<const N: usize>(descriptors: &[Option<BorrowedFd<'_>>; N]) -> Result<[bool; N]> {
    let mut polled: Vec<_> = descriptors.iter().flatten().map(|descriptor| PollFd::new(descriptor, PollFlags::IN)).collect();
    loop {
        match poll(&mut polled, None) {
            Err(rustix::io::Errno::INTR) => {}
            other => {
                other.context(|| "cannot wait for the sandbox")?;
                break;
            }
        }
    }
    let mut polled = polled.iter();
    Ok(descriptors.map(|descriptor| descriptor.is_some() && polled.next().is_some_and(|polled| !polled.revents().is_empty())))
}

/// Waits for the end of a child.
pub fn wait(pid: Pid) -> Result<WaitStatus> {
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context(|| "cannot wait for the sandbox"),
        }
    }
}

/// The exit code of a program that ended so.
pub fn exit_code(status: WaitStatus) -> u8 {
    let code = status.exit_status().unwrap_or_else(|| 128 + status.terminating_signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Kills what the program left running, where no process namespace does it: orphans become children of this process.
fn end_orphans() -> Result<()> {
    let list = format!("/proc/self/task/{}/children", rustix::process::getpid().as_raw_nonzero());
    loop {
        let children = std::fs::read_to_string(&list).context(|| "cannot list what the program left running")?;
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()).filter_map(Pid::from_raw) {
            // One that ended meanwhile is only reaped.
            rustix::process::kill_process(child, rustix::process::Signal::KILL).ok();
        }
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CHILD) => return Ok(()),
            Err(error) => return Err(error).context(|| "cannot wait for the sandbox"),
        }
    }
}

fn refused_namespace(cause: std::io::Error) -> Error {
    let hint = match cause.raw_os_error() {
        Some(libc::ENOSPC | libc::EUSERS) => "raise the limit: `sysctl user.max_user_namespaces=15000` as root",
        _ => "in a container, allow user namespaces (`--security-opt seccomp=unconfined`); else see `cooper doctor`",
    };
    Err::<(), _>(cause)
        .context(|| "cannot make a user namespace, in which programs are built without root")
        .hint(hint)
        .err()
        .unwrap_or_else(|| Error::new("cannot make a user namespace"))
}
