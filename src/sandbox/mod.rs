//! Runs a program in a root file system of its own, without root: user namespace, overlay over unpacked layers, bind mounts, and everything
//! else closed. Start with [`run`]; [`probe`] says what this machine allows.
//!
//! A run is a chain of processes. The [`supervisor`] lives in this (multi-threaded) program and starts it anew as a single-threaded
//! [`stage`], because only such a process can enter a user namespace. The stage clones [`init`], the first process inside, which mounts the
//! [`rootfs`], gives every privilege up and starts the [`payload`]. What to run goes through a socket, so no argument list shows it, and
//! when the socket closes the whole tree is killed.

mod address;
mod channel;
mod compare;
mod emulator;
mod filter;
mod flat;
mod identity;
mod init;
mod landlock;
mod mount;
mod payload;
mod probe;
mod publish;
mod rootfs;
mod settle;
mod signals;
mod spec;
mod stage;
mod supervisor;
mod syscall;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub use emulator::smallest_program;
pub use emulator::{Emulator, PROCESSORS, emulator};
pub use probe::{Finding, Mode, probe};
pub use spec::{Access, Mount, Network, Privileges, Publish, Spec, Stream, Upper, User};
pub use stage::entry_point;
pub use supervisor::{run, run_attached};
