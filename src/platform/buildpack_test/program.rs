//! This very program, as tests start it: builds, programs in the image, requests to the app.

use super::case::FileOfImage;
use super::check;
use crate::error::{Advice, Context, Result};
use crate::image::Reference;
use crate::lifecycle::extender::EntryKind;
use crate::platform::rootfs::RootFs;
use crate::store::Store;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a build may take.
const BUILD: Duration = Duration::from_secs(30 * 60);
/// How long a program or an answer may take, unless the test says so.
const RUN: u64 = 60;
/// Exit code of what was interrupted.
const INTERRUPTED: u8 = 130;

/// The program, and the image of a test.
pub struct Cooper<'a> {
    /// Options of every command.
    pub options: &'a [String],
    /// The image's name.
    pub image: String,
    /// The store.
    pub store: &'a Path,
}

/// What a program said, and how it ended.
pub struct Ended {
    /// Its exit code.
    pub code: u8,
    /// What it wrote to standard output.
    stdout: String,
    /// What it wrote to standard error: of a build, all that it says.
    pub said: String,
}

/// A program that is run in the image.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The process of the image; its default one where neither this nor a command is named.
    process: Option<String>,
    /// Any other program with its arguments.
    #[serde(default)]
    command: Vec<String>,
    /// Variables.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// All that it writes to standard output.
    stdout: Option<String>,
    /// Regular expressions that lines of that match.
    #[serde(default)]
    matches: Vec<String>,
    /// Its exit code.
    #[serde(default)]
    exit: u8,
    /// How many seconds it may take.
    #[serde(default = "seconds")]
    timeout: u64,
}

/// A request that the app answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    /// What is asked for.
    path: String,
    /// The port of the app.
    #[serde(default = "port")]
    port: u16,
    /// The process of the image.
    process: Option<String>,
    /// Variables.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// The status of the answer.
    #[serde(default = "ok")]
    status: u16,
    /// The whole body.
    body: Option<String>,
    /// Regular expressions that lines of the body match.
    #[serde(default)]
    matches: Vec<String>,
    /// How many seconds the app may take to answer.
    #[serde(default = "seconds")]
    timeout: u64,
}

fn seconds() -> u64 {
    RUN
}

fn port() -> u16 {
    8080
}

fn ok() -> u16 {
    200
}

impl Cooper<'_> {
    /// Builds without what an earlier build left.
    pub fn build(&self, arguments: &[String], documents: &Path) -> Result<Ended> {
        let mut command = self.command("build");
        command.arg(&self.image).args(arguments).arg("--clear-cache").arg("--documents-output-dir").arg(documents);
        self.ended(command, BUILD)
    }

    /// Builds with what the last build left.
    pub fn build_again(&self, arguments: &[String]) -> Result<Ended> {
        let mut command = self.command("build");
        command.arg(&self.image).args(arguments);
        self.ended(command, BUILD)
    }

    /// Takes the image away, if there is one.
    pub fn remove_image(&self) -> Result<()> {
        Store::open(self.store)?.untag(&Reference::parse(&self.image)?).map(drop)
    }

    /// What files of the image are not as expected.
    pub fn files(&self, wanted: &[FileOfImage]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        if wanted.is_empty() {
            return Ok(found);
        }
        let store = Store::open(self.store)?;
        let image = store.find(&Reference::parse(&self.image)?)?.context(|| "the image of the test is gone")?;
        let root = RootFs::unpack(&store, &image.image)?;
        for file in wanted {
            let path = file.path.display();
            let entry = root.entry(&file.path)?;
            if entry.is_some() != file.exists.unwrap_or(true) {
                found.push(format!("`{path}` is {}in the image", if entry.is_some() { "" } else { "not " }));
                continue;
            }
            let Some(entry) = entry else { continue };
            let mode = format!("{:o}", entry.mode);
            if file.mode.as_ref().is_some_and(|wanted| *wanted != mode) {
                found.push(format!("`{path}` has the permissions {mode}"));
            }
            let text = if matches!(entry.kind, EntryKind::File) { root.text_at(&file.path)? } else { String::new() };
            if file.text.as_ref().is_some_and(|wanted| *wanted != text) {
                found.push(format!("`{path}` has another text: {text:?}"));
            }
            if let Some(pattern) = &file.matches
                && !check::matches(pattern, &text)?
            {
                found.push(format!("no line of `{path}` matches `{pattern}`"));
            }
        }
        Ok(found)
    }

    fn command(&self, name: &str) -> Command {
        // This program's own file may have been replaced by a newer one; what runs is what tests.
        let mut command = Command::new("/proc/self/exe");
        command.args(self.options).arg(name).stdin(Stdio::null());
        command
    }

    fn run(&self, process: Option<&String>, env: &BTreeMap<String, String>) -> Command {
        let mut command = self.command("run");
        command.arg(&self.image);
        if let Some(process) = process {
            command.args(["--entrypoint", process]);
        }
        for (name, value) in env {
            command.args(["--env", &format!("{name}={value}")]);
        }
        command
    }

    /// Waits until a command ends.
    fn ended(&self, mut command: Command, longest: Duration) -> Result<Ended> {
        let describe = || "cannot start this program again";
        let (mut stdout, mut said) = (tempfile::tempfile().context(describe)?, tempfile::tempfile().context(describe)?);
        command.stdout(stdout.try_clone().context(describe)?).stderr(said.try_clone().context(describe)?);
        let mut child = Running(command.spawn().context(describe)?);
        let started = Instant::now();
        let status = loop {
            match child.0.try_wait().context(describe)? {
                Some(status) => break status,
                None if started.elapsed() > longest => {
                    return Ok(Ended { code: u8::MAX, stdout: String::new(), said: format!("it did not end in {} s", longest.as_secs()) });
                }
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        // Stopped by a person: the other tests are not wanted either.
        let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != INTERRUPTED);
        let code = code.context(|| "the test was interrupted").code(INTERRUPTED)?;
        Ok(Ended { code, stdout: text(&mut stdout)?, said: text(&mut said)? })
    }
}

/// All that was written to a file.
fn text(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).context(|| "cannot read what a program wrote")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A program that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Run {
    /// What is not as expected.
    pub fn check(&self, cooper: &Cooper) -> Result<Vec<String>> {
        let name = self.process.clone().unwrap_or_else(|| self.command.join(" "));
        let launcher = String::from("launcher");
        let process = if self.command.is_empty() { self.process.as_ref() } else { Some(&launcher) };
        let mut command = cooper.run(process, &self.env);
        command.args(["--network", "none"]);
        if !self.command.is_empty() {
            command.arg("--").args(&self.command);
        }
        let ended = cooper.ended(command, Duration::from_secs(self.timeout))?;
        let mut found = Vec::new();
        if ended.code != self.exit {
            found.push(format!("run {name}: it ended with {}, not with {}: {}", ended.code, self.exit, ended.said.trim_end()));
        }
        if self.stdout.as_ref().is_some_and(|wanted| *wanted != ended.stdout) {
            found.push(format!("run {name}: it wrote {:?}", ended.stdout));
        }
        for pattern in &self.matches {
            if !check::matches(pattern, &ended.stdout)? {
                found.push(format!("run {name}: no line matches `{pattern}`: {:?}", ended.stdout));
            }
        }
        Ok(found)
    }
}

impl HttpRequest {
    /// What is not as expected.
    pub fn check(&self, cooper: &Cooper) -> Result<Vec<String>> {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).context(|| "cannot find a free port")?.port();
        let mut command = cooper.run(self.process.as_ref(), &self.env);
        command.args(["--publish", &format!("127.0.0.1:{port}:{}", self.port)]).stdout(Stdio::null()).stderr(Stdio::null());
        let _app = Running(command.spawn().context(|| "cannot start the app")?);
        let (started, longest) = (Instant::now(), Duration::from_secs(self.timeout));
        let (status, body) = loop {
            match self.ask(port) {
                Some(answer) => break answer,
                None if started.elapsed() > longest => return Ok(vec![format!("GET {}: there is no answer", self.path)]),
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        let mut found = Vec::new();
        if status != self.status {
            found.push(format!("GET {}: the status is {status}, not {}", self.path, self.status));
        }
        if self.body.as_ref().is_some_and(|wanted| *wanted != body) {
            found.push(format!("GET {}: the body is {body:?}", self.path));
        }
        for pattern in &self.matches {
            if !check::matches(pattern, &body)? {
                found.push(format!("GET {}: no line matches `{pattern}`: {body:?}", self.path));
            }
        }
        Ok(found)
    }

    /// Status and body; nothing while the app does not answer.
    fn ask(&self, port: u16) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(self.timeout))).ok()?;
        write!(stream, "GET {} HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", self.path).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_string()))
    }
}
