//! `cooper`: builds OCI images from source with Cloud Native Buildpacks. Which program this is depends on the name it is started under.

mod archive;
mod attestation;
mod buildpack;
mod cli;
mod daemon;
mod debian;
mod error;
mod http;
mod image;
mod lifecycle;
mod output;
mod platform;
mod registry;
mod sandbox;
mod store;

use lifecycle::phase::{self, Start};
use std::process::ExitCode;

fn main() -> ExitCode {
    // First: the sandbox's stage must have a single thread.
    if let Some(code) = sandbox::entry_point() {
        return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
    }
    // What a build writes must not depend on the caller's mask.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let mut arguments = std::env::args_os();
    let start =
        Start { program: arguments.next().unwrap_or_default(), arguments: arguments.collect(), environment: std::env::vars_os().collect() };
    if let Some(code) = phase::run(&start) {
        return ExitCode::from(code);
    }
    ExitCode::from(cli::run(std::env::args_os()))
}
