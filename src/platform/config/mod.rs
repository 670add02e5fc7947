//! The user's configuration: `cooper/config.toml` in `$XDG_CONFIG_HOME` or `~/.config`. What a command line says comes before it. Its keys are those of
//! `pack`'s file (CLI-48), and more. Start with [`Config::read`]; [`Edit`] changes the file.

mod edit;

pub use edit::Edit;

use super::attest::Trust;
use super::buildpackage::OFFICIAL;
use super::pull::Pull;
use crate::error::{Advice, Context, Error, Result};
use crate::image::Reference;
use crate::lifecycle::documents::run::RunImageNames;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the official registry of buildpacks is called.
pub const OFFICIAL_NAME: &str = "official";

/// What the file says. Debian's mirrors, which stand in the table `[mirrors]`, are read where packages are.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The builder to build with.
    pub default_builder: Option<String>,
    /// When registries are asked.
    pub pull: Option<Pull>,
    /// More names of run images, which come before those that a builder names.
    pub run_images: Vec<RunImageNames>,
    /// Builders that the user trusts with what is mounted into builds.
    pub trusted_builders: Vec<String>,
    /// Registries of buildpacks, beside the official one.
    pub registries: Vec<Registry>,
    /// The registry of buildpacks that is asked where none is named.
    pub default_registry: Option<String>,
    /// Mirrors of registries, by the registries' names; `*` stands for all.
    pub registry_mirrors: BTreeMap<String, String>,
    /// Images that must be signed.
    pub signed_images: Vec<SignedImages>,
    /// Beginnings of images' names that may be reached without encryption.
    pub insecure_registries: Vec<String>,
}

/// Images that must be signed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SignedImages {
    /// A pattern of their names.
    pub pattern: String,
    /// The text of the public key.
    pub key: String,
}

/// A registry of buildpacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registry {
    /// What it is called.
    pub name: String,
    /// Whether it is kept by requests to its owners (`github`) or written to (`git`).
    #[serde(rename = "type")]
    pub kind: String,
    /// The address of its repository.
    pub url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    default_builder_image: Option<String>,
    pull_policy: Option<String>,
    #[serde(default)]
    run_images: Vec<RunImageNames>,
    #[serde(default)]
    trusted_builders: Vec<Named>,
    #[serde(default)]
    registries: Vec<Registry>,
    default_registry: Option<String>,
    #[serde(default)]
    registry_mirrors: BTreeMap<String, String>,
    #[serde(default)]
    signed_images: Vec<SignedImages>,
    #[serde(default)]
    insecure_registries: Vec<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// Where the file is, or would be.
pub fn path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("cooper/config.toml"))
}

impl Config {
    /// The address of a registry of buildpacks: of the one that is named, else of the default one, else the official one. What is no name is an
    /// address (CLI-47).
    ///
    /// # Errors
    /// When no registry has the name.
    pub fn buildpack_registry(&self, named: Option<&str>) -> Result<String> {
        let Some(name) = named.or(self.default_registry.as_deref()).filter(|name| *name != OFFICIAL_NAME) else {
            return Ok(OFFICIAL.into());
        };
        match self.registries.iter().find(|registry| registry.name == name) {
            Some(registry) => Ok(registry.url.clone()),
            None if name.contains(['/', ':']) => Ok(name.into()),
            None => Err(Error::new(format!("no buildpack registry is called `{name}`")))
                .hint("`cooper config registries list` lists them; `cooper config registries add` adds one"),
        }
    }

    /// Whether the user trusts a builder with what is mounted into builds.
    pub fn trusts(&self, builder: &str) -> bool {
        let full = |name: &str| Reference::parse(name).map(|name| name.full()).unwrap_or_else(|_| name.into());
        self.trusted_builders.iter().any(|trusted| full(trusted) == full(builder))
    }

    /// Which images must be signed.
    ///
    /// # Errors
    /// When a rule makes no sense.
    pub fn trust(&self) -> Result<Trust> {
        self.signed_images.iter().try_fold(Trust::default(), |trust, rule| trust.with(&rule.pattern, &rule.key))
    }

    /// Reads the file; nothing is configured where there is none.
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn read(path: &Path) -> Result<Self> {
        let describe = || format!("cannot read the configuration `{}`", path.display());
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).context(describe),
        };
        Self::parse(&text).context(describe)
    }

    fn parse(text: &str) -> Result<Self> {
        let document: Document = toml::from_str(text).context(|| "it makes no sense")?;
        Ok(Self {
            default_builder: document.default_builder_image,
            run_images: document.run_images,
            trusted_builders: document.trusted_builders.into_iter().map(|builder| builder.name).collect(),
            registries: document.registries,
            default_registry: document.default_registry,
            pull: document.pull_policy.map(|policy| policy.parse()).transpose()?,
            registry_mirrors: document.registry_mirrors,
            signed_images: document.signed_images,
            insecure_registries: document.insecure_registries,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_a_missing_one_says_nothing() {
        let text = "pull-policy = 'daily'\ninsecure-registries = ['r.test']\n[registry-mirrors]\n'docker.io' = 'm.test:5000'\n[mirrors]\ndebian = 'x'\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(config.pull, Some("daily".parse().unwrap()));
        assert_eq!(config.registry_mirrors["docker.io"], "m.test:5000");
        assert_eq!(config.insecure_registries, ["r.test"]);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Config::read(&folder.path().join("none")).unwrap(), Config::default());
        let bad = folder.path().join("bad");
        std::fs::write(&bad, "pull-policy = 'sometimes'").unwrap();
        let error = format!("{:?}", Config::read(&bad).unwrap_err());
        assert!(error.contains("bad`") && error.contains("is no pull policy"), "{error}");
    }

    /// CLI-48.
    #[test]
    fn a_file_that_pack_wrote_is_read() {
        let text = "default-registry = 'mine'\ndefault-builder-image = 'acme/builder'\npull-policy = 'if-not-present'\nexperimental = true\n\
                    lifecycle-image = 'x'\nlayout-repo-dir = '/l'\n[[run-images]]\nimage = 'run'\nmirrors = ['m.test/run']\n\
                    [[trusted-builders]]\nname = 'acme/builder'\n[[registries]]\nname = 'mine'\ntype = 'git'\nurl = 'https://r.test/index'\n\
                    [registry-mirrors]\n'*' = 'm.test'\n";
        let config = Config::parse(text).unwrap();
        assert_eq!((config.default_builder.as_deref(), config.pull), (Some("acme/builder"), Some(Pull::IfNotPresent)));
        assert_eq!((config.run_images[0].image.as_str(), config.run_images[0].mirrors[0].as_str()), ("run", "m.test/run"));
        assert_eq!((config.trusted_builders[0].as_str(), config.registries[0].url.as_str()), ("acme/builder", "https://r.test/index"));
        assert_eq!(config.buildpack_registry(None).unwrap(), "https://r.test/index");
        assert_eq!(config.buildpack_registry(Some("official")).unwrap(), OFFICIAL);
        assert_eq!(config.buildpack_registry(Some("./index")).unwrap(), "./index");
        assert!(config.buildpack_registry(Some("none")).is_err());
        assert!(config.trusts("docker.io/acme/builder:latest") && !config.trusts("acme/other"));
        assert_eq!((config.default_registry.as_deref(), config.registry_mirrors["*"].as_str()), (Some("mine"), "m.test"));
    }

    #[test]
    fn the_file_is_where_configurations_are() {
        let with = |variables: &[(&str, &str)]| {
            path(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value)))
        };
        assert_eq!(with(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]), Some("/x/cooper/config.toml".into()));
        assert_eq!(with(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "relative")]), Some("/h/.config/cooper/config.toml".into()));
        assert_eq!(with(&[]), None);
    }
}
