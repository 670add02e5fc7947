//! Programs that know credentials: `docker-credential-NAME get` reads a registry's name and answers JSON.

use super::Credential;
use crate::error::{Context, Error, Result};
use serde::Deserialize;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A program that takes longer waits for a person who is not there.
const PATIENCE: Duration = Duration::from_secs(30);
/// A longer answer is no credential.
const LONGEST: u64 = 64 << 10;
/// The name that Docker keeps the credentials of its own registry under.
pub(super) const DOCKER_HUB: &str = "https://index.docker.io/v1/";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// Asks `docker-credential-NAME`, in one of the folders of `path`, for a registry's credential.
///
/// # Errors
/// When the program is not there, fails, or answers something else. No error shows its answer.
pub(super) fn ask(name: &str, registry: &str, path: &Option<OsString>) -> Result<Credential> {
    let key = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
    let (succeeded, answer) = run(name, "get", key, path)?;
    if !succeeded {
        // This is how the protocol says that the program does not know.
        let unknown = answer.contains("credentials not found");
        return if unknown { Ok(Credential::Anonymous) } else { Err(Error::new("it ended with an error")) };
    }
    let answer: Answer = serde_json::from_str(&answer).map_err(|_| Error::new("its answer is not the JSON of a credential"))?;
    Ok(match answer.username.as_str() {
        "<token>" => Credential::Identity(answer.secret),
        "" if answer.secret.is_empty() => Credential::Anonymous,
        user => Credential::basic(user, &answer.secret),
    })
}

/// Tells `docker-credential-NAME` to `store` or `erase` a credential.
///
/// # Errors
/// When the program is not there or fails. No error shows the message.
pub(super) fn tell(name: &str, verb: &str, message: &str, path: &Option<OsString>) -> Result<()> {
    match run(name, verb, message, path)? {
        (true, _) => Ok(()),
        (false, said) => Err(Error::new(format!("it ended with an error: {}", said.lines().next().unwrap_or_default()))),
    }
}

/// Runs the program; returns whether it succeeded, and what it said.
fn run(name: &str, verb: &str, message: &str, path: &Option<OsString>) -> Result<(bool, String)> {
    let program = find(&format!("docker-credential-{name}"), path).context(|| "no folder of `PATH` has that program")?;
    let mut command = Command::new(program);
    let mut child = command.arg(verb).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // A program that does not read its input may still answer.
        drop(input.write_all(message.as_bytes()));
    }
    let succeeded = wait(&mut child)?;
    let mut answer = String::new();
    if let Some(output) = child.stdout.take() {
        output.take(LONGEST).read_to_string(&mut answer).context(|| "its answer is no text")?;
    }
    Ok((succeeded, answer))
}

/// Waits without a thread, because this process may still have to give up its privileges. An answer that is longer than a pipe holds runs out
/// of time.
fn wait(child: &mut Child) -> Result<bool> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if started.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            return Err(Error::new(format!("it did not answer within {} seconds", PATIENCE.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn find(program: &str, path: &Option<OsString>) -> Option<PathBuf> {
    let folders = std::env::split_paths(path.as_ref()?).filter(|folder| folder.is_absolute());
    let is_program = |path: &PathBuf| path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    folders.map(|folder| folder.join(program)).find(is_program)
}

/// Whether a registry is one of Amazon's.
pub(super) fn is_amazon(registry: &str) -> bool {
    let of_account = registry.contains(".dkr.ecr") || registry.contains(".dkr-ecr");
    registry == "public.ecr.aws"
        || of_account && [".amazonaws.com", ".amazonaws.com.cn", ".on.aws"].iter().any(|end| registry.ends_with(end))
}

/// Whether a registry is one of Azure's.
pub(super) fn is_azure(registry: &str) -> bool {
    registry.split_once(".azurecr.").is_some_and(|(_, end)| ["io", "cn", "de", "us"].contains(&end))
}
