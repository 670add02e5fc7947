//! The operations behind the commands: what `pack` is to the lifecycle. Start with [`build::build`].

pub mod app;
pub mod base_image;
pub mod build;
pub mod builder;
mod compiled;
pub mod config;
pub mod doctor;
pub mod embedded;
pub mod environment;
mod extension;
pub mod host;
pub mod images;
pub mod inspect;
pub mod lifecycle_image;
pub mod lifecycle_package;
pub mod manifest_list;
mod memory;
mod own_sbom;
mod packages;
pub mod place;
mod publish;
pub mod pull;
pub mod rebase;
mod rootfs;
pub mod run;
pub mod transfer;
