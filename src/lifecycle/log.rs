//! What a phase says while it works. Who runs the phase decides where that goes.

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
