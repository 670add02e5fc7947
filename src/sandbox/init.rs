//! The first process inside: makes the file system, gives every privilege up, starts the program, adopts orphans, and hands signals on.

use super::channel;
use super::flat;
use super::identity::Identity;
use super::payload::Payload;
use super::rootfs::{self, Made};
use super::spec::{Network, Spec};
use super::stage::{exit_code, signs};
use super::syscall;
use crate::error::{Context, Result};
use rustix::process::{DumpableBehavior, Gid, Pid, Signal, Uid, WaitOptions};
use rustix::thread::{CapabilitySet, CapabilitySets};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What Docker gives to containers, without raw sockets, audit messages and devices.
const CONTAINER: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SETFCAP);

/// Whose processes the program sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    /// Its own.
    Own,
    /// Those of the container around it, because that allows no fresh /proc.
    Shared,
}

/// What the first process inside works with.
pub struct Inside<'a> {
    /// To the supervisor, for failures.
    pub socket: &'a UnixStream,
    /// To the stage.
    pub stage: UnixStream,
    /// The run's own folder.
    pub scratch: &'a Path,
    /// What to run.
    pub spec: &'a Spec,
    /// Who this process is.
    pub identity: &'a Identity,
}

impl Inside<'_> {
    /// Does it all and returns the program's exit code.
    pub fn run(&self, processes: Processes) -> Result<u8> {
        die_with_parent()?;
        if !matches!(channel::receive_byte(&self.stage)?, Some((signs::MAPPED, _))) {
            return Ok(0);
        }
        // Before the root changes, because the emulator is one of this machine's programs.
        let _handlers = match &self.spec.emulator {
            // Who has one id only is no root, and the stage has done it.
            Some(emulator) if self.identity.has_namespace() && *self.identity != Identity::Single => Some(emulator.register()?),
            Some(_) | None => None,
        };
        if !self.identity.has_mounts() {
            flat::enter(self.scratch, self.spec)?;
        } else {
            let refused = match rootfs::enter(self.scratch, self.spec, processes)? {
                Made::Entered => None,
                Made::NoProc => Some(signs::NO_PROC),
                Made::NoUpper => Some(signs::NO_UPPER),
            };
            if let Some(sign) = refused {
                channel::send_byte(&self.stage, sign, None)?;
                return Ok(0);
            }
            rustix::system::sethostname(b"cooper").context(|| "cannot set the sandbox's host name")?;
            if self.spec.network == Network::None {
                syscall::bring_loopback_up().context(|| "cannot bring the loopback interface up")?;
            }
        }
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).context(|| "cannot adopt orphans")?;
        self.give_up_privileges()?;
        // The kernel forgot it when the user changed.
        die_with_parent()?;
        let program = match syscall::clone_process(0).context(|| "cannot start a process in the sandbox")? {
            Some((program, _)) => program,
            None => Payload { spec: self.spec, identity: self.identity, stage: &self.stage }.start(self.socket),
        };
        // What is left running, the kernel ends with a process namespace, and the stage without one.
        adopt_until_end(program)
    }

    /// What the program keeps; where a container has less, no more than that.
    fn privileges(&self) -> rustix::io::Result<CapabilitySet> {
        if !self.spec.is_privileged() {
            return Ok(CapabilitySet::empty());
        }
        let chroot = if may_change_root(self.spec, self.identity) { CapabilitySet::SYS_CHROOT } else { CapabilitySet::empty() };
        Ok(rustix::thread::capabilities(None)?.permitted & (CONTAINER | chroot))
    }

    fn give_up_privileges(&self) -> Result<()> {
        let describe = || "cannot give privileges up";
        let user = self.spec.user;
        if self.identity.may_set_groups() {
            rustix::thread::set_thread_groups(&[]).context(describe)?;
        }
        if self.identity.must_switch() {
            let gid = Gid::from_raw(user.gid);
            rustix::thread::set_thread_res_gid(gid, gid, gid).context(|| format!("cannot become group {}", user.gid))?;
        }
        let kept = self.privileges().context(describe)?;
        for capability in CapabilitySet::all().difference(kept).iter() {
            match rustix::thread::remove_capability_from_bounding_set(capability) {
                // A capability that this kernel does not have yet.
                Ok(()) | Err(rustix::io::Errno::INVAL) => {}
                Err(error) => return Err(error).context(describe),
            }
        }
        if self.identity.must_switch() {
            let uid = Uid::from_raw(user.uid);
            rustix::thread::set_thread_res_uid(uid, uid, uid).context(|| format!("cannot become user {}", user.uid))?;
        }
        rustix::thread::clear_ambient_capability_set().context(describe)?;
        let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
        rustix::thread::set_capabilities(None, sets).context(describe)?;
        rustix::thread::set_no_new_privs(true).context(describe)?;
        // Nobody inside looks into this process, whose program is the one outside.
        rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).context(describe)
    }
}

/// Who may change the root can leave one that is no mount of its own.
pub fn may_change_root(spec: &Spec, identity: &Identity) -> bool {
    spec.is_privileged() && identity.has_mounts()
}

fn die_with_parent() -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).context(|| "cannot tie the sandbox to its parent")
}

/// Reaps what ends and hands signals on, until the program itself has ended.
fn adopt_until_end(program: Pid) -> Result<u8> {
    loop {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((ended, status))) if ended == program => return Ok(exit_code(status)),
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => break,
                Err(error) => return Err(error).context(|| "cannot wait for the program"),
            }
        }
        let signal = syscall::wait_signal();
        if signal != libc::SIGCHLD {
            syscall::signal_group(program, signal);
        }
    }
}
