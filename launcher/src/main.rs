//! The launcher: the entrypoint of app images.

use launcher::launch::{Input, launch};
use std::process::ExitCode;

/// Exit code where a process cannot be started (EXIT-08).
const LAUNCH_WENT_WRONG: u8 = 82;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let input = Input { program, arguments: arguments.collect(), environment: std::env::vars_os().collect() };
    match launch(input, |warning| eprintln!("Warning: {warning}")) {
        Ok(never) => match never {},
        Err(failure) => {
            // What goes wrong before there is a process says itself what was tried.
            let action = if failure.code == LAUNCH_WENT_WRONG { "failed to launch: " } else { "" };
            eprintln!("ERROR: {action}{}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}
