//! `cooper run`: starts an image of the store.

use super::Session;
use crate::error::Result;
use crate::image::Reference;
use crate::platform::environment::Variable;
use crate::platform::run::{self, Reach, Request};
use std::path::PathBuf;

/// Run an image, without an engine and without root.
#[derive(clap::Args)]
pub struct Arguments {
    /// The image.
    image: String,
    /// Lead a port of this machine to the app, as `8080:8080` or `127.0.0.1:8080:8080`; repeatable.
    #[arg(long, short, value_name = "[ADDRESS:]HOST:CONTAINER")]
    publish: Vec<String>,
    /// Environment variable, as `NAME=VALUE`, or `NAME` to hand over this shell's value; repeatable.
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// File with one environment variable on each line; repeatable.
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Process of the image, as `worker`, or any program, instead of the default one.
    #[arg(long, value_name = "PROCESS")]
    entrypoint: Option<String>,
    /// What the app reaches by network: `outside`, `host` or `none`.
    #[arg(long, default_value = "outside", value_parser = ["outside", "host", "none"])]
    network: String,
    /// Arguments for the process.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let ports = self.publish.iter().map(|port| port.parse()).collect::<Result<Vec<_>>>()?;
        let request = Request {
            image: Reference::parse(&self.image)?,
            network: match self.network.as_str() {
                "host" => Reach::Host,
                "none" => Reach::Nothing,
                _ => Reach::Outside(ports),
            },
            environment: Variable::collect(&self.env_file, &self.env, |name| std::env::var(name).ok())?,
            entrypoint: self.entrypoint,
            arguments: self.arguments,
        };
        run::run(&session.store()?, &request)
    }
}
