//! What went wrong, on what, why, and what to do next.

use std::error::Error as Cause;
use std::fmt;

/// The result of anything in this program that can go wrong.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure as a person reads it: what was attempted, its cause, and what to do about it.
pub struct Error {
    message: String,
    hint: Option<String>,
    code: u8,
    source: Option<Box<dyn Cause + Send + Sync>>,
}

impl Error {
    /// A failure without a cause of its own. `message` says what was attempted, on what.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, code: 1, source: None }
    }

    /// A failure with a cause.
    pub fn from_cause(message: impl Into<String>, cause: impl Into<Box<dyn Cause + Send + Sync>>) -> Self {
        Self { message: message.into(), hint: None, code: 1, source: Some(cause.into()) }
    }

    /// Adds what the reader should do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Sets the exit code of the program (CNB Platform API, exit codes of each phase).
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// The exit code that the program ends with.
    pub fn exit_code(&self) -> u8 {
        self.code
    }

    /// The causes from the nearest to the first, each as one line.
    pub fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next = self.source.as_deref().map(|source| source as &(dyn Cause + 'static));
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes
    }

    /// The nearest hint, of this failure or of one of its causes.
    pub fn nearest_hint(&self) -> Option<&str> {
        if let Some(hint) = &self.hint {
            return Some(hint);
        }
        let source = self.source.as_deref()?;
        source.downcast_ref::<Error>()?.nearest_hint()
    }

    /// Whether some cause is an input or output error of this kind.
    pub fn is_io(&self, kind: std::io::ErrorKind) -> bool {
        let mut next = self.source.as_deref().map(|source| source as &(dyn Cause + 'static));
        while let Some(cause) = next {
            if cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == kind) {
                return true;
            }
            next = cause.source();
        }
        false
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.message)?;
        for cause in self.causes() {
            write!(formatter, "\n  caused by: {cause}")?;
        }
        if let Some(hint) = self.nearest_hint() {
            write!(formatter, "\n       hint: {hint}")?;
        }
        Ok(())
    }
}

impl Cause for Error {
    fn source(&self) -> Option<&(dyn Cause + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Cause + 'static))
    }
}

impl From<std::io::Error> for Error {
    fn from(cause: std::io::Error) -> Self {
        Self::new(cause.to_string())
    }
}

impl From<rustix::io::Errno> for Error {
    fn from(cause: rustix::io::Errno) -> Self {
        Self::from(std::io::Error::from(cause))
    }
}

/// Says what was attempted when something fails; the failure becomes the cause.
pub trait Context<T> {
    /// Wraps a failure in a message that says what was attempted, on what.
    fn context<S: Into<String>>(self, message: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<Box<dyn Cause + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context<S: Into<String>>(self, message: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|cause| {
            let source = cause.into();
            let code = source.downcast_ref::<Error>().map_or(1, |error| error.code);
            Error { message: message().into(), hint: None, code, source: Some(source) }
        })
    }
}

impl<T> Context<T> for Option<T> {
    fn context<S: Into<String>>(self, message: impl FnOnce() -> S) -> Result<T> {
        self.ok_or_else(|| Error::new(message()))
    }
}

/// Adds a hint or an exit code to a failure.
pub trait Advice<T> {
    /// Adds what the reader should do next.
    fn hint<S: Into<String>>(self, hint: S) -> Result<T>;
    /// Sets the exit code.
    fn code(self, code: u8) -> Result<T>;
}

impl<T> Advice<T> for Result<T> {
    fn hint<S: Into<String>>(self, hint: S) -> Result<T> {
        self.map_err(|error| error.hint(hint))
    }

    fn code(self, code: u8) -> Result<T> {
        self.map_err(|error| error.code(code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_what_why_and_what_next() {
        let cause: Result<()> = Err(Error::new("GET refused").hint("log in first").code(7));
        let error = cause.context(|| "cannot read the run image `r:1`").expect_err("it fails");
        assert_eq!(format!("{error:?}"), "cannot read the run image `r:1`\n  caused by: GET refused\n       hint: log in first");
        assert_eq!(error.exit_code(), 7);
    }
}
