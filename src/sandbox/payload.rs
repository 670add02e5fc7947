//! The process that becomes the program.

use super::channel::{self, Failure};
use super::filter;
use super::identity::Identity;
use super::init::may_change_root;
use super::landlock;
use super::spec::{Network, Spec};
use super::stage::signs;
use super::syscall;
use crate::error::{Advice, Context, Error, Result};
use rustix::process::Signal;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Exit codes of shells for a program that is missing and for a file that is no program.
const MISSING: u8 = 127;
const NO_PROGRAM: u8 = 126;

/// What becomes the program.
pub struct Payload<'a> {
    /// What to run.
    pub spec: &'a Spec,
    /// Who this process is.
    pub identity: &'a Identity,
    /// To the stage.
    pub stage: &'a UnixStream,
}

impl Payload<'_> {
    /// Becomes the program, or tells the supervisor through `socket` why not.
    pub fn start(&self, socket: &UnixStream) -> ! {
        let error = match self.close_doors() {
            Ok(()) => self.become_program(),
            Err(error) => error,
        };
        drop(channel::send(socket, &Failure::from(&error)));
        syscall::exit_now(error.exit_code())
    }

    fn close_doors(&self) -> Result<()> {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).context(|| "cannot tie the program to its parent")?;
        rustix::process::setpgid(None, None).context(|| "cannot start a process group")?;
        rustix::process::umask(0o022.into());
        syscall::reset_signals().context(|| "cannot reset signals")?;
        landlock::restrict(self.spec, self.identity)?;
        let describe = || "cannot filter system calls";
        let chroot = if may_change_root(self.spec, self.identity) { [libc::SYS_chroot].as_slice() } else { &[] };
        syscall::install_filter(&filter::allow_list(chroot)).context(describe)?;
        if self.spec.is_privileged() {
            syscall::install_filter(&filter::pretend(self.identity.ids())).context(describe)?;
        }
        if let Network::Published(_) = self.spec.network {
            let listener = syscall::install_listener(&filter::questions()).context(describe).hint(
                "publishing ports needs Linux 5.6 or later, and no other program that watches system calls; `--network host` needs neither",
            )?;
            channel::send_byte(self.stage, signs::LISTENER, Some(listener.as_fd()))?;
        }
        syscall::close_on_exec().context(|| "cannot close what the program must not see")
    }

    fn become_program(&self) -> Error {
        let Some((program, arguments)) = self.spec.arguments.split_first() else {
            return Error::new("there is no program to run").code(MISSING);
        };
        let directory = &self.spec.directory;
        if let Err(error) = std::env::set_current_dir(directory) {
            return Error::new(format!("cannot work in `{}` in the sandbox: {error}", directory.display())).code(NO_PROGRAM);
        }
        let environment = self.spec.environment.iter().map(|(name, value)| (name, value));
        let cause = Command::new(program).args(arguments).env_clear().envs(environment).exec();
        let code = if cause.kind() == ErrorKind::NotFound { MISSING } else { NO_PROGRAM };
        Error::new(format!("cannot run `{}` in the sandbox: {cause}", program.display())).code(code)
    }
}
