//! What a phase says while it works. Who runs the phase decides where that goes.

use crate::output::Output;
use std::time::{Instant, SystemTime};

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For those who look for a mistake.
    Debug,
    /// For everybody.
    Info,
    /// Something is odd, and the work goes on.
    Warning,
}

/// Takes the lines of a phase.
pub type Log<'a> = dyn Fn(Level, &str) + Sync + 'a;

/// Does a piece of work and tells those who look for a mistake when it started and how long it took (EXIT-15).
pub fn timed<T>(name: &str, output: &Output, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    output.detail(&format!("Timer: {name} started at {}", now()));
    let result = work();
    output.detail(&format!("Timer: {name} ran for {:?} and ended at {}", started.elapsed(), now()));
    result
}

fn now() -> String {
    jiff::Timestamp::try_from(SystemTime::now()).map_or_else(|_| "?".into(), |now| format!("{now:.0}"))
}
