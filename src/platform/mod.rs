//! The operations behind the commands: what `pack` is to the lifecycle. Start with `build`.

pub mod app;
pub mod doctor;
pub mod environment;
pub mod host;
pub mod outputs;
pub mod rootfs;
pub mod run;
