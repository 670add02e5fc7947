//! `base.toml`: what the build image and the run image of a built-in builder are made of.

use crate::error::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A pair of base images as data. Archives are named, never addressed: where they are is a matter of [`super::Mirrors`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Base {
    /// Name of the distribution, as `debian`.
    pub distro: String,
    /// Its release, as `trixie`.
    pub suite: String,
    /// Its version, as `13`: `VERSION_ID` of os-release.
    pub version: String,
    /// The archives that packages come from.
    pub archive: Vec<Archive>,
    /// What both images have.
    pub common: Section,
    /// What the build image has besides.
    pub build: Section,
    /// What the run image has besides.
    pub run: Section,
}

/// One signed archive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Archive {
    /// Its name, as `debian` or `debian-security`.
    pub name: String,
    /// `Origin` of its Release files.
    pub origin: String,
    /// `Label` of its Release files.
    pub label: String,
    /// The suites to use.
    pub suites: Vec<String>,
    /// The components to use.
    pub components: Vec<String>,
    /// The ring of keys that signs it: a file of `builders/keys`, without its ending, or the path of another file.
    pub keyring: String,
}

/// One part of the description.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Section {
    /// Packages; their dependencies come by themselves.
    pub packages: Vec<String>,
    /// Patterns of paths that stay out, or `preset:NAME`. Copyright files are always kept.
    pub exclude: Vec<String>,
    /// Packages that are not installed as somebody's dependency, because only maintainer scripts need them.
    pub ignore_depends: Vec<String>,
    /// Environment of the image.
    pub env: BTreeMap<String, String>,
    /// The image's user.
    pub user: Option<User>,
    /// Labels of the image.
    pub labels: BTreeMap<String, String>,
}

/// The user that an image runs as.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Its name, and its group's.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
}

/// Which of the two images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The image that buildpacks run in.
    Build,
    /// The image that the app runs in.
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
}

impl Base {
    /// Reads a description.
    ///
    /// # Errors
    /// When the text is not one.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context(|| "cannot read a base image's description")
    }

    /// The packages that an image names, common ones first.
    pub fn packages(&self, kind: Kind) -> Vec<String> {
        self.sections(kind).iter().flat_map(|section| section.packages.clone()).collect()
    }

    /// The patterns of an image, with presets written out.
    pub fn excludes(&self, kind: Kind) -> Vec<String> {
        let patterns = self.sections(kind).into_iter().flat_map(|section| &section.exclude);
        patterns
            .flat_map(|pattern| {
                preset(pattern).map_or_else(|| vec![pattern.clone()], |known| known.iter().map(ToString::to_string).collect())
            })
            .collect()
    }

    /// The packages that are not installed for an image as somebody's dependency.
    pub fn ignored(&self, kind: Kind) -> Vec<String> {
        self.sections(kind).into_iter().flat_map(|section| section.ignore_depends.clone()).collect()
    }

    /// The environment of an image.
    pub fn env(&self, kind: Kind) -> BTreeMap<String, String> {
        self.sections(kind).into_iter().flat_map(|section| section.env.clone()).collect()
    }

    /// The labels of an image.
    pub fn labels(&self, kind: Kind) -> BTreeMap<String, String> {
        self.sections(kind).into_iter().flat_map(|section| section.labels.clone()).collect()
    }

    /// The user of an image.
    pub fn user(&self, kind: Kind) -> Option<&User> {
        self.section(kind).user.as_ref().or(self.common.user.as_ref())
    }

    fn section(&self, kind: Kind) -> &Section {
        match kind {
            Kind::Build => &self.build,
            Kind::Run => &self.run,
        }
    }

    fn sections(&self, kind: Kind) -> [&Section; 2] {
        [&self.common, self.section(kind)]
    }
}

/// The patterns behind `preset:NAME`.
fn preset(pattern: &str) -> Option<&'static [&'static str]> {
    Some(match pattern.strip_prefix("preset:")? {
        "docs" => {
            &["usr/share/doc/*", "usr/share/info/*", "usr/share/lintian/*", "usr/share/bug/*", "usr/share/menu/*", "usr/share/doc-base/*"]
        }
        "man" => &["usr/share/man/*"],
        "locales" => &["usr/share/locale/*"],
        "gconv" => &["usr/lib/*/gconv/*"],
        "completions" => &["usr/share/bash-completion/*", "usr/share/zsh/*"],
        "timezones" => &["usr/share/zoneinfo/right/*", "usr/share/zoneinfo/posix/*"],
        "python" => {
            &["usr/lib/python3*/pydoc_data/*", "usr/lib/python3*/test/*", "usr/lib/python3*/config-3*", "usr/share/python3/runtime.d/*"]
        }
        _ => &[],
    })
}

/// Patterns that win over every exclusion.
pub(super) const ALWAYS_KEPT: [&str; 4] =
    ["usr/share/doc/*/copyright", "usr/lib/*/gconv/gconv-modules*", "usr/lib/*/gconv/UTF*", "usr/lib/*/gconv/ISO8859*"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_descriptions_are_read() {
        for text in [include_str!("../../builders/trixie/base.toml"), include_str!("../../builders/bookworm/base.toml")] {
            let base = Base::parse(text).unwrap();
            assert!(base.packages(Kind::Run).contains(&"libc-bin".to_string()));
            assert_ne!(base.user(Kind::Run).unwrap().uid, base.user(Kind::Build).unwrap().uid);
            let excludes = base.excludes(Kind::Run);
            assert!(excludes.contains(&"usr/share/man/*".to_string()) && !excludes.iter().any(|pattern| pattern.starts_with("preset:")));
        }
    }
}
