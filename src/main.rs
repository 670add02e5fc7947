//! `cooper`: builds OCI images from source with Cloud Native Buildpacks. Which program this is depends on the name it is started under.

#![allow(dead_code)]

mod archive;
mod buildpack;
mod debian;
mod error;
mod http;
mod image;
mod lifecycle;
mod output;
mod platform;
mod sandbox;
mod store;

use std::process::ExitCode;

fn main() -> ExitCode {
    // First: the sandbox's stage must have a single thread.
    if let Some(code) = sandbox::entry_point() {
        return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
    }
    ExitCode::SUCCESS
}
