//! The launcher: the entrypoint of app images.

use launcher::launch::{Input, launch};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let input = Input {
        program,
        arguments: arguments.map(|argument| argument.to_string_lossy().into_owned()).collect(),
        environment: std::env::vars_os().collect(),
    };
    match launch(input, |warning| eprintln!("Warning: {warning}")) {
        Ok(never) => match never {},
        Err(failure) => {
            eprintln!("ERROR: failed to launch: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}
