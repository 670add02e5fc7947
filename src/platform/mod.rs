//! The operations behind the commands: what `pack` is to the lifecycle. Start with [`build::build`].

pub mod app;
pub mod build;
pub mod environment;
pub mod host;
pub mod outputs;
