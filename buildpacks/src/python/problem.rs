//! What can go wrong, as a person reads it.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;

/// What went wrong.
#[derive(Debug)]
pub enum Problem {
    /// A file or folder.
    Io(&'static str, PathBuf, std::io::Error),
    /// A program could not be started.
    Start(String, std::io::Error),
    /// A program ended with a failure and has said why.
    Ended(&'static str, ExitStatus),
    /// There is no Python.
    NoPython,
    /// There is no pip to fetch uv with.
    NoPip,
    /// The build plan could not be written.
    Plan(String),
    /// What was there at detection is there no more.
    Gone,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(action, path, error) => write!(formatter, "cannot {action} `{}`: {error}", path.display()),
            Self::Start(program, error) => write!(formatter, "cannot start `{program}`: {error}"),
            Self::Ended(action, status) => write!(
                formatter,
                "cannot {action}: {status}\nIf a package must be compiled, name the Debian packages that it needs: --env BP_DEBIAN_BUILD_PACKAGES=\"gcc libc6-dev python3-dev\", and those that it needs to run: --env BP_DEBIAN_PACKAGES=…"
            ),
            Self::NoPython => write!(formatter, "the build image has no /usr/bin/python3: the Debian package `python3` is missing"),
            Self::NoPip => write!(formatter, "the build image has no pip wheel: the Debian package `python3-pip-whl` is missing"),
            Self::Plan(error) => write!(formatter, "cannot write the build plan: {error}"),
            Self::Gone => write!(formatter, "neither requirements.txt nor uv.lock nor pyproject.toml is there any more"),
        }
    }
}
