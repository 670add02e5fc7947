//! What the tests share: a project of their own, the program under test, and the real tools that it must get along with.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program under test.
pub fn cooper() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cooper"))
}

/// A folder of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs a command to its end. Panics where it cannot be started, with the Debian package to install.
pub fn run(command: &mut Command) -> Output {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .output()
        .unwrap_or_else(|error| panic!("cannot start `{program}` ({error}): .ci/run lists the Debian packages that the tests need"))
}

/// Runs a command that must succeed and returns its standard output.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
