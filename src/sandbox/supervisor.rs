//! The part of a run in this program: starts the stage, hands its output and signals on, and waits.

use super::channel::{self, Failure};
use super::publish;
use super::signals::{Reaction, Signals};
use super::spec::{Exit, Spec, Stream};
use super::stage::{NAME, Request, ready};
use crate::error::{Advice, Context, Result};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// Lines longer than this are handed on in pieces.
const LONGEST_LINE: usize = 64 * 1024;

/// Runs a program without input and hands each line that it writes to `output`, without the line's end. `scratch` is an empty folder on the
/// file system of the layers; the caller removes it.
///
/// # Errors
/// When the sandbox cannot be set up, or the program cannot be started: exit code 127 when it is missing, 126 when it is no program.
pub fn run(scratch: &Path, spec: &Spec, output: &mut dyn FnMut(Stream, &[u8])) -> Result<Exit> {
    let mut stage = Stage::start(&Request::run(scratch, spec)?, Stdio::piped, None)?;
    let mut lines = [Lines::new(Stream::Output), Lines::new(Stream::Error)];
    lines[0].pipe = stage.child.stdout.take().map(OwnedFd::from);
    lines[1].pipe = stage.child.stderr.take().map(OwnedFd::from);
    stage.wait(lines, output)
}

/// Runs a program with this program's own input, output and terminal. Otherwise as [`run`].
///
/// # Errors
/// As [`run`].
pub fn run_attached(scratch: &Path, spec: &Spec) -> Result<Exit> {
    let input = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).ok();
    Stage::start(&Request::run(scratch, spec)?, Stdio::inherit, input)?
        .wait([Lines::new(Stream::Output), Lines::new(Stream::Error)], &mut |_, _| {})
}

/// Has the stage do something that answers with a document.
pub fn ask<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T> {
    let mut stage = Stage::start(request, Stdio::null, None)?;
    let answer = channel::receive::<T>(&stage.socket);
    stage.child.wait().context(|| "cannot wait for the sandbox")?;
    answer?.context(|| "the sandbox ended without an answer")
}

impl Request {
    fn run(scratch: &Path, spec: &Spec) -> Result<Self> {
        let spec = Spec { network: publish::settle(&spec.network)?, ..spec.clone() };
        Ok(Request::Run { scratch: scratch.into(), spec: Box::new(spec) })
    }
}

/// The single-threaded process that sets the sandbox up.
struct Stage {
    child: Child,
    socket: UnixStream,
    signals: Signals,
}

impl Stage {
    fn start(request: &Request, stream: fn() -> Stdio, input: Option<OwnedFd>) -> Result<Self> {
        let signals = Signals::catch()?;
        let (socket, theirs) = UnixStream::pair().context(|| "cannot make a socket")?;
        let child = Command::new("/proc/self/exe")
            .arg0(NAME)
            .env_clear()
            .current_dir("/")
            .stdin(OwnedFd::from(theirs))
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .context(|| "cannot start the sandbox's own process")
            .hint("`/proc` must be mounted and this program's file executable")?;
        let stage = Self { child, socket, signals };
        channel::send_byte(&stage.socket, 0, input.as_ref().map(AsFd::as_fd))?;
        channel::send(&stage.socket, request)?;
        Ok(stage)
    }

    fn wait(mut self, mut lines: [Lines; 2], output: &mut dyn FnMut(Stream, &[u8])) -> Result<Exit> {
        let mut failure = None;
        let mut open = true;
        while open || lines.iter().any(|lines| lines.pipe.is_some()) {
            let [signal, message, out, err] = ready(&[
                Some(self.signals.as_fd()),
                open.then(|| self.socket.as_fd()),
                lines[0].pipe.as_ref().map(AsFd::as_fd),
                lines[1].pipe.as_ref().map(AsFd::as_fd),
            ])?;
            if signal {
                for reaction in self.signals.reactions() {
                    self.react(reaction);
                }
            }
            for (lines, ready) in lines.iter_mut().zip([out, err]) {
                if ready {
                    lines.read(output)?;
                }
            }
            if message {
                match channel::receive::<Failure>(&self.socket)? {
                    Some(found) => failure = Some(found),
                    None => open = false,
                }
            }
        }
        let status = self.child.wait().context(|| "cannot wait for the sandbox")?;
        match failure {
            Some(failure) => Err(failure.into()),
            None => Ok(Exit { code: exit_code(status), interrupted: self.signals.asked() }),
        }
    }

    /// That the sandbox ended meanwhile shows itself when its socket is read.
    fn react(&self, reaction: Reaction) {
        let signal = match reaction {
            Reaction::HandOn(signal) => signal,
            Reaction::Kill => libc::SIGKILL,
        };
        drop(u8::try_from(signal).map(|signal| channel::send_byte(&self.socket, signal, None)));
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Splits what comes out of a pipe into lines.
struct Lines {
    stream: Stream,
    pipe: Option<OwnedFd>,
    rest: Vec<u8>,
}

impl Lines {
    fn new(stream: Stream) -> Self {
        Self { stream, pipe: None, rest: Vec::new() }
    }

    fn read(&mut self, output: &mut dyn FnMut(Stream, &[u8])) -> Result<()> {
        let Some(pipe) = &self.pipe else { return Ok(()) };
        let mut buffer = [0; 16 * 1024];
        match rustix::io::read(pipe, &mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => self.rest.extend_from_slice(&buffer[..count]),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context(|| "cannot read what the program wrote"),
        }
        let mut start = 0;
        while let Some(length) = self.rest[start..].iter().position(|byte| *byte == b'\n') {
            output(self.stream, &self.rest[start..start + length]);
            start += length + 1;
        }
        self.rest.drain(..start);
        if !self.rest.is_empty() && (self.pipe.is_none() || self.rest.len() > LONGEST_LINE) {
            output(self.stream, &std::mem::take(&mut self.rest));
        }
        Ok(())
    }
}
