//! package.toml: what a package is made of (PKG-16).

use crate::buildpack::{Kind, ModuleToml, Target};
use crate::error::{Advice, Context, Error, Result};
use launcher::file::read_document;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What a package is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The folder that relative paths are relative to.
    pub base: PathBuf,
    /// Where the main module is.
    pub uri: String,
    /// Where the modules are that it is composed of.
    pub dependencies: Vec<Dependency>,
    /// The machines that there is an image for.
    pub targets: Vec<Target>,
    /// The operating system, where no target names one.
    pub os: String,
}

/// Where a module is that a package is composed of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// Anywhere.
    Uri(String),
    /// In an image.
    Image(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    buildpack: Option<Uri>,
    extension: Option<Uri>,
    #[serde(default)]
    dependencies: Vec<ImageOrUri>,
    platform: Option<Platform>,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uri {
    #[serde(default)]
    uri: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImageOrUri {
    uri: Option<String>,
    image: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Platform {
    os: String,
}

impl Config {
    /// What is made of the folder `path`: what its package.toml says, else the module that is there (PKG-17).
    ///
    /// # Errors
    /// When there is no such folder, or its package.toml makes no sense.
    pub fn of_folder(path: &Path, kind: Kind) -> Result<Self> {
        let file = path.join("package.toml");
        if file.is_file() {
            return Self::read(&file, kind);
        }
        let absolute = path.canonicalize().context(|| format!("there is no folder `{}`", path.display()));
        let uri = absolute.hint("name it with `--path`")?.display().to_string();
        Ok(Self { base: PathBuf::new(), uri, dependencies: Vec::new(), targets: Vec::new(), os: "linux".into() })
    }

    /// Reads a package.toml.
    ///
    /// # Errors
    /// When it cannot be read, or makes no sense.
    pub fn read(path: &Path, kind: Kind) -> Result<Self> {
        let describe = || format!("cannot read `{}`", path.display());
        let base = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::parse(&read_document(path).context(describe)?, base, kind).context(describe)
    }

    /// The machines that the package says it is for: a composed one in its package.toml, any other in its descriptor.
    ///
    /// # Errors
    /// When the descriptor makes no sense.
    pub fn stated_targets(&self) -> Result<Vec<Target>> {
        let folder = self.base.join(&self.uri);
        let path = folder.join(Kind::Buildpack.file());
        let of_config =
            || if self.targets.is_empty() { vec![Target { os: self.os.clone(), ..Target::default() }] } else { self.targets.clone() };
        if !path.is_file() {
            return Ok(of_config());
        }
        let text = read_document(&path).context(|| format!("cannot read `{}`", path.display()))?;
        let toml = ModuleToml::parse(&text, Kind::Buildpack).context(|| format!("cannot read `{}`", path.display()))?;
        // A target without a processor names no image of its own.
        let own: Vec<Target> = toml.targets.into_iter().filter(|target| !target.arch.is_empty()).collect();
        Ok(if toml.order.is_empty() && self.targets.is_empty() && !own.is_empty() { own } else { of_config() })
    }

    /// Checks that what the package is composed of is there for every machine (PKG-19).
    ///
    /// # Errors
    /// When something is a file of this machine.
    pub fn check_for_several(&self) -> Result<()> {
        let is_file = |uri: &&str| !uri.contains(':') && self.base.join(uri).exists() || uri.starts_with("file:");
        let uris = self.dependencies.iter().filter_map(|dependency| match dependency {
            Dependency::Uri(uri) => Some(uri.as_str()),
            Dependency::Image(_) => None,
        });
        match uris.into_iter().find(is_file) {
            Some(uri) => {
                Err(Error::new(format!("`{uri}` is not allowed in a composed package for several machines: it is a file of this machine"))
                    .hint("publish it for all machines, and name it as `docker://IMAGE`"))
            }
            None => Ok(()),
        }
    }

    fn parse(text: &str, base: &Path, kind: Kind) -> Result<Self> {
        let document: Document = toml::from_str(text).context(|| "it is no package.toml")?;
        let (wanted, other) = match kind {
            Kind::Buildpack => (document.buildpack, document.extension),
            Kind::Extension => (document.extension, document.buildpack),
        };
        let name = kind.name();
        let uri = wanted.map(|wanted| wanted.uri).filter(|uri| !uri.is_empty());
        let hint = match other {
            Some(_) => format!(
                "it describes the other kind: there are `cooper buildpack package` and `cooper extension package`, and this is for `[{name}]`"
            ),
            None => format!("write `[{name}]` and `uri = \".\"`"),
        };
        let uri = uri.context(|| format!("it does not say where the {name} is: `{name}.uri` is missing")).hint(hint)?;
        let os = document.platform.map_or_else(|| "linux".into(), |platform| platform.os);
        if !["linux", "windows"].contains(&os.as_str()) {
            return Err(Error::new(format!("`{os}` is no `platform.os`")).hint("it is `linux` or `windows`"));
        }
        let dependencies = document.dependencies.into_iter().map(|dependency| match (dependency.uri, dependency.image) {
            (Some(uri), None) => Ok(Dependency::Uri(uri)),
            (None, Some(image)) => Ok(Dependency::Image(image)),
            (Some(uri), Some(image)) => {
                Err(Error::new(format!("a dependency has the `uri` `{uri}` and the `image` `{image}`")).hint("leave one of them out"))
            }
            (None, None) => Err(Error::new("a dependency has neither `uri` nor `image`")),
        });
        Ok(Self { base: base.to_path_buf(), uri, dependencies: dependencies.collect::<Result<_>>()?, targets: document.targets, os })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PKG-16.
    #[test]
    fn mistakes_in_a_package_toml_are_told() {
        let parse = |text: &str| Config::parse(text, Path::new("."), Kind::Buildpack);
        let good = "[buildpack]\nuri = '.'\n[[dependencies]]\nuri = 'docker://a'\n[[dependencies]]\nimage = 'b'\n[[targets]]\nos = 'linux'\narch = 'arm64'\n";
        let config = parse(good).unwrap();
        assert_eq!(config.dependencies, [Dependency::Uri("docker://a".into()), Dependency::Image("b".into())]);
        assert_eq!((config.targets[0].arch.as_str(), config.os.as_str()), ("arm64", "linux"));
        let extension = Config::parse("[extension]\nuri = 'x'\n", Path::new("."), Kind::Extension).unwrap();
        assert_eq!(extension.uri, "x");
        for (text, why) in [
            ("", "`buildpack.uri` is missing"),
            ("[buildpack]\n", "`buildpack.uri` is missing"),
            ("[extension]\nuri = '.'\n", "`buildpack.uri` is missing"),
            ("[buildpack]\nurl = '.'\n", "no package.toml"),
            ("[buildpack]\nuri = '.'\nextra = 1\n", "no package.toml"),
            ("[buildpack]\nuri = '.'\n[platform]\nos = 'plan9'\n", "no `platform.os`"),
            ("[buildpack]\nuri = '.'\n[[dependencies]]\n", "neither `uri` nor `image`"),
            ("[buildpack]\nuri = '.'\n[[dependencies]]\nuri = 'a'\nimage = 'b'\n", "leave one of them out"),
        ] {
            let error = format!("{:?}", parse(text).unwrap_err());
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
