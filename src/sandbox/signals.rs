//! Signals to this process while a program runs in a sandbox: they are for that program.

use super::syscall::Caught;
use crate::error::{Context, Result};
use rustix::pipe::{PipeFlags, pipe_with};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What is to be done about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// Hand this signal on.
    HandOn(i32),
    /// The user asked twice: end the program now.
    Kill,
}

/// The signals that arrive while this value lives.
pub struct Signals {
    pipe: OwnedFd,
    _caught: Caught,
    asked: bool,
}

impl Signals {
    /// Starts to catch signals.
    pub fn catch() -> Result<Self> {
        let describe = || "cannot catch signals";
        let (pipe, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).context(describe)?;
        Ok(Self { pipe, _caught: Caught::new(write).context(describe)?, asked: false })
    }

    /// Whether somebody asked the program to end.
    pub fn asked(&self) -> bool {
        self.asked
    }

    /// What to do about the signals that arrived since the last call.
    pub fn reactions(&mut self) -> Vec<Reaction> {
        let mut bytes = [0; 64];
        let count = rustix::io::read(&self.pipe, &mut bytes).unwrap_or(0);
        bytes[..count].iter().map(|signal| self.reaction((*signal).into())).collect()
    }

    fn reaction(&mut self, signal: i32) -> Reaction {
        let ends = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT].contains(&signal);
        if ends && std::mem::replace(&mut self.asked, true) {
            return Reaction::Kill;
        }
        // Programs in containers expect to be ended by SIGTERM; many shells pass Ctrl-C over.
        Reaction::HandOn(if signal == libc::SIGINT { libc::SIGTERM } else { signal })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
