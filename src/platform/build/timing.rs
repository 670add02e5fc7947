//! How long each phase takes, and its heading.

use crate::error::Result;
use crate::output::Output;
use std::time::{Duration, Instant};

/// Times phases one after the other.
pub(super) struct Clock<'a> {
    output: &'a Output,
    done: Vec<(&'static str, Duration)>,
    current: Option<(&'static str, Instant)>,
}

impl<'a> Clock<'a> {
    pub fn new(output: &'a Output) -> Self {
        Self { output, done: Vec::new(), current: None }
    }

    /// Ends the phase before and starts one.
    pub fn start(&mut self, name: &'static str) {
        self.end();
        self.output.heading(name);
        self.current = Some((name, Instant::now()));
    }

    /// Runs `work` as a phase.
    pub fn phase<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.start(name);
        work()
    }

    /// Ends the last phase and returns all.
    pub fn finish(mut self) -> Vec<(&'static str, Duration)> {
        self.end();
        self.done
    }

    fn end(&mut self) {
        if let Some((name, started)) = self.current.take() {
            // A phase that ran for several platforms is one to the reader.
            match self.done.iter_mut().find(|(other, _)| *other == name) {
                Some((_, time)) => *time += started.elapsed(),
                None => self.done.push((name, started.elapsed())),
            }
        }
    }
}
