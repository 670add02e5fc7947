//! Builders: buildpacks, their order, and the images that they build in and run on. Start with [`open`].

mod base;
mod built_in;
mod check;
mod choice;
pub mod config;
pub mod create;
pub mod export;
mod from_image;
pub mod inspect;
mod label;
mod layers;
mod lifecycle;
mod run_lock;
pub mod suggest;

pub use built_in::{Description, Versions, default_name, has as is_built_in, inspect as describe, run_image, update};
pub use choice::{Choice, Options, Wish};
pub use run_lock::{Locks, RunLock};

use super::base_image::Distribution;
use super::images::{Images, InStore};
use super::place::Place;
use crate::debian::Mirrors;
use crate::error::{Error, Result};
use crate::image::{Digest, Platform};
use crate::lifecycle::documents::run::{RunImageNames, RunImages};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A builder that is ready to build.
pub struct Builder<'a> {
    /// Its name.
    pub name: String,
    /// What can add Debian packages to its images, where they are composed from packages.
    pub distribution: Option<Distribution<'a>>,
    /// The image that buildpacks run in.
    pub build: InStore,
    /// The image that apps run on.
    pub run: InStore,
    /// The run images that it offers, with their mirrors.
    pub run_images: RunImages,
    /// Folders to be put over the build image, the lowest first: its `/cnb` where that has none of its own, and what the user chose.
    pub cnb: Vec<PathBuf>,
    /// Digests of its buildpacks and extensions, and of those that the user chose, by `ID@VERSION`, as far as they are known.
    pub modules: BTreeMap<String, Digest>,
}

/// Which builder, and on which run image.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// A built-in builder, or where the builder's image is.
    pub builder: String,
    /// Where the run image is, if it is not to be the builder's first.
    pub run_image: Option<Place>,
    /// More names of run images, which come before the builder's (CLI-27).
    pub run_images: Vec<RunImageNames>,
    /// The registry that the run image should rather come from: the app's where that is published, else the builder's (CLI-26).
    pub near: Option<String>,
    /// What its images must be for, if that is not its own choice (CLI-30).
    pub platform: Option<Platform>,
    /// The packages of a built-in builder's images, if this machine is not to choose them.
    pub locks: Option<Arc<Locks>>,
}

/// Opens a builder: composes the images of a built-in one at its first use, brings those of any other into the store.
///
/// # Errors
/// When there is no such builder, or its images cannot be composed or brought.
pub fn open<'a>(wanted: &Wanted, mirrors: &'a Mirrors, images: &Images<'a>) -> Result<Builder<'a>> {
    if !built_in::has(&wanted.builder) {
        return from_image::open(wanted, images);
    }
    if wanted.run_image.is_some() {
        // Its packages would be missing there.
        return Err(Error::new(format!("the built-in builder `{}` has a run image of its own", wanted.builder))
            .hint("leave `--run-image` out, or name a builder's image with `--builder`"));
    }
    built_in::open(&wanted.builder, wanted.locks.clone(), mirrors, images)
}
