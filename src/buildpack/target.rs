//! What a run image is, and what a buildpack asks of it (CNB Buildpack Specification, targets).

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// A machine and distribution. An empty field matches anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Target {
    /// The operating system.
    pub os: String,
    /// The processor.
    pub arch: String,
    /// The processor's variant.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// The distributions; a run image has at most one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub distros: Vec<Distro>,
}

/// Both spellings of the variant are in the wild, also side by side (DESC-12).
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Written {
    os: String,
    arch: String,
    variant: String,
    arch_variant: String,
    distros: Vec<Distro>,
}

impl From<Written> for Target {
    fn from(written: Written) -> Self {
        let variant = if written.variant.is_empty() { written.arch_variant } else { written.variant };
        Self { os: written.os, arch: written.arch, variant, distros: written.distros }
    }
}

/// A distribution of an operating system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distro {
    /// `ID` of os-release.
    #[serde(default)]
    pub name: String,
    /// `VERSION_ID` of os-release.
    #[serde(default)]
    pub version: String,
}

impl FromStr for Target {
    type Err = Error;

    /// Reads `[os][/arch][/variant][:distro@version;distro@version]`.
    ///
    /// # Errors
    /// When the text is no target.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            let hint = "write OS/ARCH, OS/ARCH/VARIANT or OS/ARCH:DISTRO@VERSION";
            Error::new(format!("`{text}` is no target: {why}. {hint}"))
        };
        let (machine, distros) = text.split_once(':').unwrap_or((text, ""));
        let mut parts = machine.split('/').map(str::to_string);
        let mut next = || parts.next().unwrap_or_default();
        let target = Self { os: next(), arch: next(), variant: next(), distros: Vec::new() };
        if target.os.is_empty() && target.arch.is_empty() || !next().is_empty() {
            return Err(wrong("it names no machine"));
        }
        let distro = |text: &str| match text.split_once('@').unwrap_or((text, "")) {
            ("", _) => Err(wrong("a version needs the name of a distribution")),
            (_, version) if version.contains('@') => Err(wrong("a distribution has one version")),
            (name, version) => Ok(Distro { name: name.into(), version: version.into() }),
        };
        let distros = distros.split(';').filter(|text| !text.is_empty()).map(distro).collect::<Result<_>>()?;
        Ok(Self { distros, ..target })
    }
}

impl Target {
    /// Adds a distribution, where there is one, by name and version.
    pub fn add_distro(&mut self, distro: Option<(String, String)>) {
        self.distros.extend(distro.map(|(name, version)| Distro { name, version }));
    }

    /// Whether a buildpack for this target works on `image` (DET-31).
    pub fn accepts(&self, image: &Self) -> bool {
        let same = |one: &str, other: &str| one.is_empty() || other.is_empty() || one == other;
        let distro =
            |wanted: &Distro| image.distros.iter().any(|found| same(&wanted.name, &found.name) && same(&wanted.version, &found.version));
        same(&self.os, &image.os)
            && same(&self.arch, &image.arch)
            && same(&self.variant, &image.variant)
            && (self.distros.is_empty() || self.distros.iter().any(distro))
    }

    /// The variables by which buildpacks are told of the target (BLD-06).
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let distro = self.distros.first().cloned().unwrap_or_default();
        let always = [("CNB_TARGET_OS", &self.os), ("CNB_TARGET_ARCH", &self.arch)];
        let sometimes = [
            ("CNB_TARGET_ARCH_VARIANT", &self.variant),
            ("CNB_TARGET_DISTRO_NAME", &distro.name),
            ("CNB_TARGET_DISTRO_VERSION", &distro.version),
        ];
        let sometimes = sometimes.into_iter().filter(|(_, value)| !value.is_empty());
        always.into_iter().chain(sometimes).map(|(name, value)| (name, value.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(os: &str, arch: &str, variant: &str, distros: &[(&str, &str)]) -> Target {
        let distros = distros.iter().map(|(name, version)| Distro { name: (*name).into(), version: (*version).into() }).collect();
        Target { os: os.into(), arch: arch.into(), variant: variant.into(), distros }
    }

    /// DET-31, DESC-11.
    #[test]
    fn empty_fields_match_anything() {
        let image = target("linux", "amd64", "", &[("debian", "13")]);
        for (wanted, accepted) in [
            (Target::default(), true),
            (target("linux", "", "", &[]), true),
            (target("", "amd64", "v8", &[]), true),
            (target("windows", "", "", &[]), false),
            (target("linux", "arm64", "", &[]), false),
            (target("linux", "amd64", "", &[("debian", "12"), ("debian", "13")]), true),
            (target("linux", "amd64", "", &[("debian", "")]), true),
            (target("linux", "amd64", "", &[("ubuntu", "")]), false),
        ] {
            assert_eq!(wanted.accepts(&image), accepted, "{wanted:?}");
        }
        assert!(!target("", "", "", &[("debian", "")]).accepts(&target("linux", "amd64", "", &[])));
    }

    /// DESC-12.
    #[test]
    fn variants_are_compared_in_either_spelling() {
        let image = target("linux", "arm64", "v8", &[]);
        for (text, accepted) in [("variant = 'v8'", true), ("arch-variant = 'v7'", false), ("variant = 'v7'\narch-variant = 'v7'", false)] {
            assert_eq!(toml::from_str::<Target>(text).unwrap().accepts(&image), accepted, "{text}");
        }
    }

    /// PKG-18.
    #[test]
    fn targets_are_read_as_pack_writes_them() {
        let read = |text: &str| text.parse::<Target>();
        assert_eq!(read("linux/amd64").unwrap(), target("linux", "amd64", "", &[]));
        assert_eq!(
            read("linux/arm/v6:ubuntu@14.04;debian@13").unwrap(),
            target("linux", "arm", "v6", &[("ubuntu", "14.04"), ("debian", "13")])
        );
        assert_eq!(read("linux").unwrap(), target("linux", "", "", &[]));
        for bad in ["", ":debian@1", "linux/a/b/c", "linux:@1", "linux:a@1@2"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    /// BLD-06.
    #[test]
    fn variables_that_have_no_value_are_not_set() {
        let names = |target: &Target| target.variables().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(&target("linux", "", "", &[])), ["CNB_TARGET_OS", "CNB_TARGET_ARCH"]);
        assert_eq!(names(&target("linux", "arm64", "v8", &[("debian", "13")])).len(), 5);
    }
}
