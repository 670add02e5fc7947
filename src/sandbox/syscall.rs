//! The system calls that `rustix` does not offer, each as a safe function. The only file of the sandbox with `unsafe` code.

use rustix::process::Pid;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, Ordering};

/// Signals that ask a program to do something; the sandbox hands them on.
pub const FORWARDED: [i32; 7] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2, libc::SIGWINCH];

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Forks into new namespaces (`CLONE_*` flags). Returns the child and its descriptor to the parent, and nothing to the child. Only for a
/// process with a single thread: the child has no other.
pub fn clone_process(namespaces: i32) -> io::Result<Option<(Pid, OwnedFd)>> {
    let mut descriptor: RawFd = -1;
    let flags = (namespaces | libc::CLONE_PIDFD) as u64;
    // SAFETY: all zeroes are valid arguments; without a stack and CLONE_VM the call is a fork; the kernel writes the descriptor to a live
    // variable of the right size.
    let cloned = unsafe {
        let mut arguments: libc::clone_args = zeroed();
        arguments.flags = flags;
        arguments.pidfd = &raw mut descriptor as u64;
        arguments.exit_signal = libc::SIGCHLD as u64;
        check(libc::syscall(libc::SYS_clone3, &arguments, size_of::<libc::clone_args>()))
    };
    let pid = match cloned {
        // Containers hide clone3 from programs; clone returns the descriptor where it would return the thread's number.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
            // SAFETY: as above.
            check(unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD as u64, 0, &raw mut descriptor, 0, 0) })?
        }
        other => other?,
    };
    let Some(pid) = Pid::from_raw(pid as i32) else { return Ok(None) };
    // SAFETY: the kernel just made this descriptor for us, and nobody else knows it.
    Ok(Some((pid, unsafe { OwnedFd::from_raw_fd(descriptor) })))
}

/// Enters a new user namespace, and a new one for mounts that it owns. Only for a process with a single thread.
pub fn enter_user_namespace() -> io::Result<()> {
    // SAFETY: the call changes what this process is, and none of its memory.
    check(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS) }.into()).map(drop)
}

/// Ends this process without running anything that its parent registered.
pub fn exit_now(code: u8) -> ! {
    // SAFETY: the call takes no pointer and does not return.
    unsafe { libc::_exit(i32::from(code)) }
}

/// Adds attributes (`MOUNT_ATTR_*`) to a mount that is not attached yet, and to all mounts below it.
pub fn add_mount_attributes(mount: BorrowedFd<'_>, attributes: u64) -> io::Result<()> {
    // SAFETY: all zeroes are valid; the path is an empty C string and the structure lives during the call.
    unsafe {
        let mut change: libc::mount_attr = zeroed();
        change.attr_set = attributes;
        let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
        check(libc::syscall(libc::SYS_mount_setattr, mount.as_raw_fd(), c"".as_ptr(), flags, &change, size_of::<libc::mount_attr>()))?;
    }
    Ok(())
}

fn signal_set(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: sigemptyset fills the set before anything reads it; sigaddset refuses numbers that are no signals.
    unsafe {
        let mut set: libc::sigset_t = zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        set
    }
}

/// Blocks the signals that [`wait_signal`] waits for.
pub fn block_signals() -> io::Result<()> {
    let set = signal_set(&[FORWARDED.as_slice(), &[libc::SIGCHLD]].concat());
    // SAFETY: the set lives during the call; no old set is asked for.
    check(unsafe { libc::sigprocmask(libc::SIG_BLOCK, &set, null_mut()) }.into()).map(drop)
}

/// Gives a program that is about to start the signal settings that it expects: none blocked, none ignored.
pub fn reset_signals() -> io::Result<()> {
    // SAFETY: SIG_DFL is valid for every signal, and refused where it makes no difference; the set lives during the call.
    unsafe {
        for signal in 1..32 {
            libc::signal(signal, libc::SIG_DFL);
        }
        check(libc::sigprocmask(libc::SIG_SETMASK, &signal_set(&[]), null_mut()).into()).map(drop)
    }
}

/// Waits for one of the signals that [`block_signals`] blocked.
pub fn wait_signal() -> i32 {
    let set = signal_set(&[FORWARDED.as_slice(), &[libc::SIGCHLD]].concat());
    let mut signal = 0;
    // SAFETY: both pointers are to live variables. The call fails only for a set without valid signals.
    unsafe { libc::sigwait(&set, &mut signal) };
    signal
}

/// Sends a signal to every process of the group of `leader`. That the group is gone already is no failure.
pub fn signal_group(leader: Pid, signal: i32) {
    // SAFETY: the call takes no pointer.
    unsafe { libc::kill(-leader.as_raw_nonzero().get(), signal) };
}

/// Sends a signal to the process behind a descriptor.
pub fn signal_process(process: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: a null pointer stands for the signal's default information.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0) };
    check(sent).map(drop)
}

/// Where the signal handler writes to: one descriptor for each run under way.
static CATCHERS: [AtomicI32; 16] = [const { AtomicI32::new(-1) }; 16];

extern "C" fn hand_on(signal: i32) {
    for catcher in &CATCHERS {
        let descriptor = catcher.load(Ordering::Acquire);
        if descriptor >= 0 {
            let byte = signal as u8;
            // SAFETY: write is allowed in signal handlers and the byte lives during the call. errno must be as it was when we return.
            unsafe {
                let errno = *libc::__errno_location();
                libc::write(descriptor, (&raw const byte).cast(), 1);
                *libc::__errno_location() = errno;
            }
        }
    }
}

/// Whether a signal is ignored, as under `nohup`.
fn is_ignored(signal: i32) -> bool {
    // SAFETY: a null pointer asks for the present action only, which is written to a live variable.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Signals that arrive while this value lives are written to a pipe, each as a byte.
pub struct Caught {
    slot: &'static AtomicI32,
    before: Vec<(i32, libc::sigaction)>,
    _pipe: OwnedFd,
}

impl Caught {
    /// Starts to write the numbers of the signals that are [`FORWARDED`] and not ignored to `pipe`.
    pub fn new(pipe: OwnedFd) -> io::Result<Self> {
        let take = |slot: &&AtomicI32| slot.compare_exchange(-1, pipe.as_raw_fd(), Ordering::AcqRel, Ordering::Relaxed).is_ok();
        let Some(slot) = CATCHERS.iter().find(take) else { return Err(io::Error::other("too many sandboxes at the same time")) };
        let mut before = Vec::new();
        for signal in FORWARDED.into_iter().filter(|signal| !is_ignored(*signal)) {
            // SAFETY: the handler only does what handlers may do; both structures live during the call.
            unsafe {
                let mut action: libc::sigaction = zeroed();
                let mut old: libc::sigaction = zeroed();
                action.sa_sigaction = hand_on as extern "C" fn(i32) as usize;
                action.sa_flags = libc::SA_RESTART;
                check(libc::sigaction(signal, &action, &mut old).into())?;
                before.push((signal, old));
            }
        }
        Ok(Self { slot, before, _pipe: pipe })
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        self.slot.store(-1, Ordering::Release);
        // Another run still needs the handler; it stays, and is harmless, until the process ends.
        if CATCHERS.iter().all(|slot| slot.load(Ordering::Acquire) < 0) {
            for (signal, old) in &self.before {
                // SAFETY: the action was returned by the same call.
                unsafe { libc::sigaction(*signal, old, null_mut()) };
            }
        }
    }
}

/// Makes every descriptor above standard error close when a program starts.
pub fn close_on_exec() -> io::Result<()> {
    // SAFETY: the call takes no pointer, and with this flag closes nothing now.
    match check(unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) }) {
        // Linux before 5.11: descriptors that the caller's parent leaked stay open.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EINVAL)) => Ok(()),
        other => other.map(drop),
    }
}

/// Brings the loopback interface of this network namespace up.
pub fn bring_loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None)?;
    // SAFETY: all zeroes are a valid request; name and flags are what this request reads; it lives during the call.
    unsafe {
        let mut request: libc::ifreq = zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        check(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as libc::Ioctl, &request).into()).map(drop)
    }
}

fn seccomp(flags: libc::c_ulong, program: &[libc::sock_filter]) -> io::Result<libc::c_long> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut() };
    // SAFETY: the program has `len` instructions that the kernel copies and checks before it uses them.
    check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &program) })
}

/// Puts a filter on the system calls of this process and all that it starts.
pub fn install_filter(program: &[libc::sock_filter]) -> io::Result<()> {
    seccomp(0, program).map(drop)
}

/// Puts a filter on this process that asks whoever holds the returned descriptor.
pub fn install_listener(program: &[libc::sock_filter]) -> io::Result<OwnedFd> {
    /// A call that is being answered is not interrupted by signals, such as those of Go's scheduler (Linux 5.19).
    const WAIT_KILLABLE: libc::c_ulong = 1 << 5;
    let installed = match seccomp(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE, program) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => seccomp(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER, program),
        other => other,
    }?;
    // SAFETY: with this flag the call returns a new descriptor that nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(installed as RawFd) })
}

/// A system call that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Names the call in the answer.
    pub id: u64,
    /// The thread that made the call.
    pub thread: Pid,
    /// Its number.
    pub number: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// Receives the next question. None when the caller has gone meanwhile.
pub fn next_question(listener: BorrowedFd<'_>) -> io::Result<Option<Question>> {
    // SAFETY: the kernel demands a zeroed structure and fills it; its layout is that of the kernel's headers.
    let question = unsafe {
        let mut question: libc::seccomp_notif = zeroed();
        match check(libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV as libc::Ioctl, &mut question).into()) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINTR)) => return Ok(None),
            other => other?,
        };
        question
    };
    let Some(thread) = Pid::from_raw(question.pid as i32) else { return Ok(None) };
    Ok(Some(Question { id: question.id, thread, number: question.data.nr.into(), arguments: question.data.args }))
}

/// What a system call that asked is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Go on as if nobody had asked.
    Proceed,
    /// It was done for you.
    Done,
    /// It failed with this error.
    Failed(rustix::io::Errno),
}

/// Answers a question. That the caller has gone meanwhile is no failure.
pub fn answer(listener: BorrowedFd<'_>, id: u64, answer: Answer) -> io::Result<()> {
    let (error, flags) = match answer {
        Answer::Proceed => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
        Answer::Done => (0, 0),
        Answer::Failed(errno) => (-errno.raw_os_error(), 0),
    };
    let response = libc::seccomp_notif_resp { id, val: 0, error, flags };
    // SAFETY: the structure has the layout of the kernel's headers and lives during the call.
    match check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND as libc::Ioctl, &response) }.into()) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other.map(drop),
    }
}

/// Reads memory of another process.
pub fn read_memory(process: Pid, address: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let local = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: buffer.len() };
    // SAFETY: the local vector is a live buffer; the kernel checks the other process's memory.
    let read = unsafe { libc::process_vm_readv(process.as_raw_nonzero().get(), &local, 1, &remote, 1, 0) };
    check(read as libc::c_long).map(|read| read as usize)
}

/// The version of Landlock that the kernel has.
pub fn landlock_version() -> io::Result<u32> {
    // SAFETY: with this flag the kernel wants no structure.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, 1) };
    check(version).map(|version| version as u32)
}

/// Runs before the test program's own `main`, as `main` does in the real program: a test program is also the sandbox's stage, and what the
/// tests start inside.
#[cfg(test)]
#[used]
// SAFETY: the section holds pointers to functions that are called at start; the standard library has read the arguments by then.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn before_main() {
        if let Some(code) = super::entry_point().or_else(super::tests::actor::entry_point) {
            std::process::exit(code);
        }
    }
    before_main
};
