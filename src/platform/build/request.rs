//! What to build, and how.

use super::keep::Kept;
use crate::daemon;
use crate::debian::Mirrors;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Platform, Reference};
use crate::lifecycle::documents::project_metadata::ProjectMetadata;
use crate::output::Output;
use crate::platform::app::{Rules, Source};
use crate::platform::attest::{Attaching, Documents, Trust};
use crate::platform::builder::{Choice, Wanted};
use crate::platform::environment::Variable;
use crate::platform::host::Host;
use crate::platform::images::Images;
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use crate::registry::Registries;
use crate::sandbox::{Mount, Network};
use crate::store::Store;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to build, and how.
pub struct Request {
    /// Name of the image.
    pub image: Reference,
    /// More names.
    pub tags: Vec<Reference>,
    /// The source code.
    pub source: Source,
    /// Which of its files go into the build.
    pub rules: Rules,
    /// Where it came from.
    pub project: ProjectMetadata,
    /// The builder.
    pub builder: Wanted,
    /// What the image is to be for; several make one index. None is the builder's own (CLI-30).
    pub platforms: Vec<Platform>,
    /// What is tried instead of the builder's order, or besides it.
    pub choice: Choice,
    /// The address of the buildpack registry.
    pub buildpack_registry: String,
    /// The user's variables.
    pub environment: Vec<Variable>,
    /// The execution environment (RFC 0134), as `production` or `test`.
    pub exec_env: String,
    /// Where the image goes besides the store.
    pub outputs: Vec<Place>,
    /// The process that the image starts by default.
    pub default_process: Option<String>,
    /// Where is kept what the build caches.
    pub cache: Kept,
    /// Whether to forget what earlier builds cached.
    pub clear_cache: bool,
    /// The network of the build phase.
    pub network: Network,
    /// Folders and files of this machine that the build sees.
    pub volumes: Vec<Mount>,
    /// The build's user and group, where they are not the builder's.
    pub user: (Option<u32>, Option<u32>),
    /// Where the source is in the build and in the image.
    pub workspace: String,
    /// What the build may see of this machine.
    pub host: Host,
    /// Where Debian packages come from.
    pub mirrors: Mirrors,
    /// What registries get with the image.
    pub attaching: Attaching,
    /// Whether the image is sent to the registries that its names name.
    pub publish: bool,
    /// The image that this one replaces, where that is not the one of its name.
    pub previous_image: Option<Place>,
    /// Where images come from that the store does not have.
    pub registries: Arc<Registries>,
    /// Which images must be signed.
    pub trust: Trust,
    /// When registries are asked.
    pub pull: Pull,
    /// Which engine is meant.
    pub engine: daemon::Settings,
    /// `SOURCE_DATE_EPOCH`, or the time that was asked for.
    pub source_date_epoch: Option<String>,
    /// A folder for the SBOM files of the build.
    pub sbom_output: Option<PathBuf>,
    /// A folder for `report.toml`.
    pub report_output: Option<PathBuf>,
    /// A folder for what buildpacks wrote of their layers.
    pub documents_output: Option<PathBuf>,
}

impl Request {
    /// All names of the image.
    pub(super) fn names(&self) -> Vec<Reference> {
        std::iter::once(&self.image).chain(&self.tags).cloned().collect()
    }

    /// Whether documents about the image are wanted.
    pub(super) fn is_attested(&self) -> bool {
        self.attaching.documents != Documents::Never
    }

    pub(super) fn images<'a>(&'a self, platform: &'a Platform, store: &'a Store, output: &'a Output) -> Images<'a> {
        Images { store, registries: &self.registries, pull: self.pull, engine: &self.engine, platform, trust: &self.trust, output }
    }

    /// Paths that are no source though they may lie in it.
    pub(super) fn apart(&self, store: &Store) -> Vec<PathBuf> {
        let outputs = self.outputs.iter().filter_map(|place| place.path().map(Path::to_path_buf));
        let folders = [
            self.sbom_output.clone(),
            self.report_output.clone(),
            self.documents_output.clone(),
            self.cache.folder().map(Path::to_path_buf),
        ];
        outputs.chain(folders.into_iter().flatten()).chain([store.root().to_path_buf()]).collect()
    }
}

/// The time of creation that a user asks for, in seconds of Unix: `now`, such a number, or a time of RFC 3339 (CLI-14).
///
/// # Errors
/// When it is none of them.
pub fn creation_time(text: &str) -> Result<String> {
    if text == "now" {
        return Ok(jiff::Timestamp::now().as_second().to_string());
    }
    let number = text.parse::<i64>().ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let time = number.or_else(|| text.parse::<jiff::Timestamp>().ok()).context(|| format!("`{text}` is no time of creation"));
    Ok(time.hint("write `now`, seconds since 1970, or a time as `2026-01-31T12:00:00Z`")?.as_second().to_string())
}

/// The name of an execution environment (CLI-37).
///
/// # Errors
/// When it cannot be one.
pub fn checked_exec_env(name: &str) -> Result<String> {
    let good = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    match good {
        true => Ok(name.to_string()),
        false => Err(Error::new(format!("`{name}` cannot be an execution environment"))
            .hint("use letters, digits, `.` and `-`, as in `production` or `test`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-14.
    #[test]
    fn a_time_of_creation_is_now_a_number_or_a_date() {
        assert_eq!(creation_time("1566172801").unwrap(), "1566172801");
        assert_eq!(creation_time("2019-08-19T00:00:01Z").unwrap(), "1566172801");
        assert!(creation_time("now").unwrap().parse::<i64>().unwrap() > 1_700_000_000);
        assert!(["", "tomorrow", "2019-08-19", "99999999999999999999"].iter().all(|text| creation_time(text).is_err()));
    }

    /// CLI-37.
    #[test]
    fn an_execution_environment_has_a_plain_name() {
        assert!(["production", "test", "a.b-1"].iter().all(|name| checked_exec_env(name).is_ok()));
        assert!(["", "a/b", "a b", "*"].iter().all(|name| checked_exec_env(name).is_err()));
    }
}
