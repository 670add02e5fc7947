//! The extender: applies the Dockerfiles that extensions wrote to the build image and the run image (CNB Platform Specification, extender).
//! [`extend`] is where to start. What an instruction does is apart from where it is carried out: that is a [`Root`].

mod account;
mod apply;
mod config;
mod configure;
mod context;
mod copy;
pub mod dockerfile;
mod duration;
mod generated;
pub mod host;
mod layer;
mod root;
mod steps;
mod words;

pub use config::{Argument, ExtendConfig};
pub use dockerfile::Dockerfile;
pub(in crate::lifecycle) use duration::duration;
pub use generated::{Applied, find};
pub(in crate::lifecycle) use generated::{is_folder, read};
pub use root::{Entry, EntryKind, Program, Root};
pub use steps::Steps;

use super::log::{Level, Log};
use crate::error::{Context, Error, Result};
use crate::image::Image;
use apply::{Apply, Tools};
use std::collections::BTreeMap;

/// Exit code of an extender that fails (EXIT-06).
const EXTEND_WENT_WRONG: u8 = 102;

/// The label that says whether an image may be rebased.
const REBASABLE: &str = "io.buildpacks.rebasable";

/// The time of an image that was extended (EXT-15).
const CREATED: &str = "0001-01-01T00:00:00Z";

/// Which image a Dockerfile is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The image that buildpacks run in.
    Build,
    /// The image that the app stands on.
    Run,
}

impl Kind {
    /// `build` or `run`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Run => "run",
        }
    }

    /// The name of its Dockerfile.
    pub fn dockerfile(self) -> &'static str {
        match self {
            Self::Build => "build.Dockerfile",
            Self::Run => "run.Dockerfile",
        }
    }
}

/// An image to extend.
pub struct Extend<'a> {
    /// Which of the two it is.
    pub kind: Kind,
    /// What is applied to it, in this order.
    pub dockerfiles: &'a [Applied],
    /// It.
    pub image: &'a Image,
    /// What identifies it.
    pub reference: &'a str,
    /// The proxies that programs are to use.
    pub proxies: &'a [(String, String)],
    /// The results of earlier builds.
    pub steps: Steps<'a>,
}

/// Applies the Dockerfiles to the image, in `root`, which has its files (EXT-04, EXT-05, EXT-12 to EXT-15). Without any, the image stays as
/// it is.
///
/// # Errors
/// When an instruction cannot be carried out, or the run image would run as root (exit code 102).
pub fn extend(request: &Extend, root: &mut dyn Root, log: &Log) -> Result<Image> {
    extend_all(request, root, log).map_err(|error| error.code(EXTEND_WENT_WRONG))
}

fn extend_all(request: &Extend, root: &mut dyn Root, log: &Log) -> Result<Image> {
    let mut image = request.image.clone();
    let original = user_of(&image).0;
    let mut rebasable = true;
    for applied in request.dockerfiles {
        log(Level::Debug, &format!("Found {} Dockerfile for extension '{}'", request.kind.name(), applied.extension));
        let before = user_of(&image).0;
        let mut apply = Apply::new(applied, arguments(request, applied, &image)?, image);
        apply.all(&mut Tools { root: &mut *root, steps: request.steps, log })?;
        image = apply.image;
        // Only what a Dockerfile says counts: unset is no (EXT-12).
        rebasable &= image.label(REBASABLE).is_some_and(is_true);
        image.set_label(REBASABLE, rebasable.to_string());
        let user = user_of(&image).0;
        if is_root(&user) {
            let path = applied.path.display();
            log(
                Level::Warning,
                &format!(
                    "Extension from {path} changed the user ID from {before} to {user}; this must not be the final user ID (a following extension must reset the user)."
                ),
            );
        }
    }
    check_user(request.kind, &original, &user_of(&image).0, log)?;
    if !request.dockerfiles.is_empty() {
        image.config.created = CREATED.into();
    }
    Ok(image)
}

/// EXT-14.
fn check_user(kind: Kind, original: &str, user: &str, log: &Log) -> Result<()> {
    if kind == Kind::Run && is_root(user) {
        return Err(Error::new("the final user ID is 0 (root); please add another extension that resets the user to non-root"));
    }
    if user != original {
        log(Level::Warning, &format!("The original user ID was {original} but the final extension left the user ID set to {user}."));
    }
    Ok(())
}

/// What a Dockerfile is given: the lifecycle's own, the extension's, the image's name (EXT-04).
fn arguments(request: &Extend, applied: &Applied, image: &Image) -> Result<BTreeMap<String, String>> {
    let (user, group) = user_of(image);
    let mut arguments: BTreeMap<String, String> = request.proxies.iter().cloned().collect();
    arguments.extend([("build_id".into(), random_id()?), ("user_id".into(), user), ("group_id".into(), group)]);
    arguments.extend(applied.arguments.iter().map(|argument| (argument.name.clone(), argument.value.clone())));
    arguments.insert("base_image".into(), request.reference.into());
    Ok(arguments)
}

/// EXT-05.
fn user_of(image: &Image) -> (String, String) {
    let user = &image.config.config.user;
    let mut parts = user.split(':');
    match (parts.next(), parts.next()) {
        (Some(user), Some(group)) => (user.into(), group.into()),
        _ => (user.clone(), String::new()),
    }
}

fn is_root(user: &str) -> bool {
    user == "0" || user == "root"
}

/// What Go's `ParseBool` takes for yes.
fn is_true(text: &str) -> bool {
    ["1", "t", "T", "true", "TRUE", "True"].contains(&text)
}

/// A random UUID (RFC 9562, version 4).
fn random_id() -> Result<String> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).context(|| "cannot get random bytes")?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

#[cfg(test)]
mod tests;
