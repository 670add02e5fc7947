//! What build time and run time must agree on: the environment that layers make, and the processes of an image. The program in
//! `main.rs` is the only code of ours inside app images, so this stays small. Start with [`launch::launch`].

pub mod api;
pub mod environment;
mod exec_d;
pub mod file;
pub mod launch;
pub mod metadata;
mod process;
mod shell;

pub use process::Selection;

/// Why nothing was launched: a message, and the exit code of the program.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub message: String,
    /// 1, 11, 12 or 82 (CNB Platform Specification, launcher, exit codes).
    pub code: u8,
}

impl Failure {
    /// A failure to launch.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 82 }
    }
}

/// The folder name of a buildpack's ID: a `/` cannot be in one.
pub fn escape_id(id: &str) -> String {
    id.replace('/', "_")
}

/// Reads what an exec.d program wrote, for the fuzzers.
#[cfg(fuzzing)]
pub fn fuzz_exec_d(output: &str) {
    drop(exec_d::parse(output));
}
