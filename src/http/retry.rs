//! Failures that pass, and how often a request is worth another try.

use crate::error::{Context, Error, Result};
use std::time::Duration;

/// How long to wait between tries (IMG-16).
const WAITS: [Duration; 5] =
    [Duration::from_millis(100), Duration::from_millis(200), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];
/// No server makes us wait longer.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why a request failed.
#[derive(Debug)]
pub enum Failure {
    /// Worth another try, perhaps after this time.
    Passing(Error, Option<Duration>),
    /// The next try would fail alike.
    Final(Error),
}

impl Failure {
    pub(super) fn of(error: reqwest::Error) -> Self {
        let passing = !error.is_builder() && !error.is_redirect();
        // The URL stands in the context already.
        let error = Error::from_cause("the request broke off", error.without_url());
        if passing { Self::Passing(error, None) } else { Self::Final(error) }
    }

    /// The error itself.
    pub fn into_error(self) -> Error {
        match self {
            Self::Passing(error, _) | Self::Final(error) => error,
        }
    }

    /// Says what was attempted.
    #[must_use]
    pub fn context(self, message: impl FnOnce() -> String) -> Self {
        let wrap = |error: Error| Err::<(), _>(error).context(message).err();
        match self {
            Self::Passing(error, wait) => wrap(error).map_or_else(|| Self::Final(Error::new("")), |error| Self::Passing(error, wait)),
            Self::Final(error) => Self::Final(wrap(error).unwrap_or_else(|| Error::new(""))),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Makes the attempt until it succeeds, fails for good, or has failed six times.
///
/// # Errors
/// The last failure.
pub fn repeatedly<T>(mut attempt: impl FnMut() -> Result<T, Failure>) -> Result<T> {
    for wait in WAITS {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing(_, asked)) => std::thread::sleep(asked.unwrap_or(wait)),
        }
    }
    attempt().map_err(Failure::into_error).context(|| format!("tried {} times", WAITS.len() + 1))
}

/// How long the server asks to wait, within reason.
pub(super) fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}
