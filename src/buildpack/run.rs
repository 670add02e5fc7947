//! Runs a buildpack's program and hands its lines on as they come.

use crate::error::{Context, Result};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;

/// Takes one line of a program's output.
pub type Line<'a> = dyn FnMut(&str) + Send + 'a;

/// A program to run.
pub(super) struct Program<'a> {
    pub path: &'a Path,
    pub arguments: Vec<OsString>,
    pub environment: Vec<(OsString, OsString)>,
    pub directory: &'a Path,
}

impl Program<'_> {
    /// Runs it to its end; its standard output and standard error go to `line`, each line as soon as it is there (BLD-07, GEN-21).
    pub fn run(&self, line: &mut Line) -> Result<ExitStatus> {
        let mut command = Command::new(self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context(|| format!("cannot start `{}`", self.path.display()))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let line = Mutex::new(line);
        std::thread::scope(|scope| {
            if let Some(stderr) = stderr {
                scope.spawn(|| pass_on(stderr, &line));
            }
            if let Some(stdout) = stdout {
                pass_on(stdout, &line);
            }
        });
        child.wait().context(|| format!("cannot wait for `{}`", self.path.display()))
    }
}

fn pass_on(stream: impl Read, line: &Mutex<&mut Line>) {
    let mut reader = BufReader::new(stream);
    let mut bytes = Vec::new();
    // A stream that breaks off ends the output; the program's exit status says what happened.
    while reader.read_until(b'\n', &mut bytes).is_ok_and(|count| count > 0) {
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(mut line) = line.lock() {
            line(text.trim_end_matches(['\n', '\r']));
        }
        bytes.clear();
    }
}
