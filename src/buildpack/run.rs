//! Runs a program of a buildpack or extension and hands its lines on as they come.

use crate::error::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Takes one line of a program's output.
pub type Line<'a> = dyn FnMut(&str) + Send + 'a;

/// A line that is longer is handed on in parts.
const LONGEST_LINE: usize = 64 << 10;
/// How often to look whether a program has ended that left its output to others.
const PAUSE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// A program to run.
pub struct Program<'a> {
    /// Its file.
    pub path: &'a Path,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Its whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub directory: &'a Path,
    /// Its user and group, where they are not this process's.
    pub user: Option<(u32, u32)>,
}

impl Program<'_> {
    /// Runs it to its end; its standard output and standard error go to `line`, each line as soon as it is there (BLD-07, GEN-21). What it
    /// left running is not waited for.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn run(&self, line: &mut Line) -> Result<ExitStatus> {
        let mut command = Command::new(self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.directory);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context(|| format!("cannot start `{}`", self.path.display()))?;
        let ends = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
        let mut streams: Vec<Stream> = ends.into_iter().flatten().map(|end| Stream { end, line: Vec::new() }).collect();
        let describe = || format!("cannot wait for `{}`", self.path.display());
        for stream in &streams {
            rustix::io::ioctl_fionbio(&stream.end, true).context(describe)?;
        }
        let mut status = None;
        while status.is_none() && !streams.is_empty() {
            wait(&streams).context(describe)?;
            // Whoever has ended wrote all that it wrote before that.
            status = child.try_wait().context(describe)?;
            streams.retain_mut(|stream| stream.pass_on(line));
        }
        streams.iter_mut().for_each(|stream| stream.end_line(line));
        status.map_or_else(|| child.wait().context(describe), Ok)
    }
}

/// Waits until there is something to read, or for a moment.
fn wait(streams: &[Stream]) -> rustix::io::Result<()> {
    let mut ends: Vec<PollFd> = streams.iter().map(|stream| PollFd::from_borrowed_fd(stream.end.as_fd(), PollFlags::IN)).collect();
    match poll(&mut ends, Some(&PAUSE)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error),
    }
}

/// One end of a pipe, and what has come of the line.
struct Stream {
    end: OwnedFd,
    line: Vec<u8>,
}

impl Stream {
    /// Hands on what is there, but not more than a pipe holds, so that nobody who writes without end is listened to for ever. Returns
    /// whether more may come.
    fn pass_on(&mut self, line: &mut Line) -> bool {
        let mut buffer = vec![0; LONGEST_LINE];
        for _ in 0..16 {
            match rustix::io::read(&self.end, &mut buffer) {
                // A stream that breaks off ends the output; the program's exit status says what happened.
                Ok(0) => {
                    self.end_line(line);
                    return false;
                }
                Ok(count) => buffer[..count].split_inclusive(|byte| *byte == b'\n').for_each(|part| self.add(part, line)),
                Err(Errno::INTR) => {}
                Err(error) => return error == Errno::AGAIN,
            }
        }
        true
    }

    fn add(&mut self, part: &[u8], line: &mut Line) {
        self.line.extend_from_slice(part);
        if part.ends_with(b"\n") || self.line.len() > LONGEST_LINE {
            self.end_line(line);
        }
    }

    fn end_line(&mut self, line: &mut Line) {
        if !self.line.is_empty() {
            line(String::from_utf8_lossy(&self.line).trim_end_matches(['\n', '\r']));
            self.line.clear();
        }
    }
}
