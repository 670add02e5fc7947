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
mod sandbox;
mod store;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::SUCCESS
}
