//! The buildpack `cooper/system-packages`: the Debian packages that an app names in an `Aptfile`, in `[io.cooper.packages]` of its `project.toml`, or in
//! variables of the build. It only asks for them; the extension `cooper/debian-packages` brings them.

use crate::debian_packages::{NAME, Packages, is_package};
use crate::end;
use libcnb::build::{BuildContext, BuildResult, BuildResultBuilder};
use libcnb::data::build_plan::{BuildPlanBuilder, Require};
use libcnb::detect::{DetectContext, DetectResult, DetectResultBuilder};
use libcnb::generic::{GenericMetadata, GenericPlatform};
use libcnb::{Buildpack, Env, Error, Platform};
use serde::Deserialize;
use std::fmt;
use std::path::Path;

/// The buildpack.
pub struct SystemPackages;

/// What can go wrong.
#[derive(Debug)]
pub enum Problem {
    /// A file cannot be read.
    Read(&'static str, String),
    /// A line of the Aptfile, and why it is no package.
    Line(usize, String, &'static str),
    /// Something that cannot be the name of a package.
    Name(String),
    /// The plan cannot be written.
    Plan(String),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Project {
    io: Io,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Io {
    cooper: Cooper,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cooper {
    packages: Packages,
}

impl Buildpack for SystemPackages {
    type Platform = GenericPlatform;
    type Metadata = GenericMetadata;
    type Error = Problem;

    fn detect(&self, context: DetectContext<Self>) -> libcnb::Result<DetectResult, Problem> {
        // An optional buildpack that ends with an error is left out: the build says what is wrong, and ends.
        let Ok(packages) = wanted(&context.app_dir, context.platform.env()) else { return DetectResultBuilder::pass().build() };
        if packages.build.is_empty() && packages.run.is_empty() {
            println!("looked for an Aptfile and for [io.cooper.packages] in project.toml");
            return DetectResultBuilder::fail().build();
        }
        let mut require = Require::new(NAME);
        require.metadata(packages).map_err(|error| Error::BuildpackError(Problem::Plan(error.to_string())))?;
        DetectResultBuilder::pass().build_plan(BuildPlanBuilder::new().requires(require).build()).build()
    }

    fn build(&self, context: BuildContext<Self>) -> libcnb::Result<BuildResult, Problem> {
        let packages = wanted(&context.app_dir, context.platform.env()).map_err(Error::BuildpackError)?;
        for (kind, packages) in [("build", packages.build), ("run", packages.run)] {
            if !packages.is_empty() {
                println!("Debian packages of the {kind} image: {}", packages.into_iter().collect::<Vec<_>>().join(" "));
            }
        }
        BuildResultBuilder::new().build()
    }

    fn on_error(&self, error: Error<Problem>) {
        end(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(file, cause) => write!(formatter, "cannot read the {file}: {cause}"),
            Self::Line(number, line, why) => write!(formatter, "line {number} of the Aptfile cannot be used: `{line}` is {why}"),
            Self::Name(name) => write!(formatter, "`{name}` cannot be the name of a Debian package"),
            Self::Plan(cause) => write!(formatter, "cannot ask for the packages: {cause}"),
        }
    }
}

/// All packages that the app names.
fn wanted(app: &Path, env: &Env) -> Result<Packages, Problem> {
    let read = |name: &'static str| match std::fs::read_to_string(app.join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Problem::Read(name, error.to_string())),
    };
    let mut packages = Packages::default();
    if let Some(text) = read("Aptfile")? {
        let names = aptfile(&text)?;
        packages.build.extend(names.iter().cloned());
        packages.run.extend(names);
    }
    if let Some(text) = read("project.toml")? {
        let project: Project = toml::from_str(&text).map_err(|error| Problem::Read("project.toml", error.to_string()))?;
        packages.build.extend(project.io.cooper.packages.build);
        packages.run.extend(project.io.cooper.packages.run);
    }
    let words = |name: &str| env.get_string_lossy(name).unwrap_or_default().split_whitespace().map(str::to_string).collect::<Vec<_>>();
    packages.build.extend(words("BP_SYSTEM_PACKAGES_BUILD"));
    packages.run.extend(words("BP_SYSTEM_PACKAGES_RUN"));
    match packages.build.iter().chain(&packages.run).find(|name| !is_package(name)) {
        Some(name) => Err(Problem::Name(name.clone())),
        None => Ok(packages),
    }
}

/// The names in an Aptfile: one or several on a line, comments after `#`.
fn aptfile(text: &str) -> Result<Vec<String>, Problem> {
    let mut names = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let wrong = |why| Err(Problem::Line(index + 1, line.to_string(), why));
        if line.starts_with(":repo:") {
            return wrong("another repository; packages come from Debian's own");
        }
        if line.contains("://") || line.ends_with(".deb") {
            return wrong("a file; packages come from Debian's own repositories");
        }
        for name in line.split_whitespace() {
            match is_package(name) {
                true => names.push(name.to_string()),
                false if name.contains('=') => return wrong("a version; the builder's lock says which versions there are"),
                false => return wrong("no name of a Debian package"),
            }
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aptfile_names_packages() {
        assert_eq!(aptfile("# media\nffmpeg  # for thumbnails\n\nlibvips42 tini\n").unwrap(), ["ffmpeg", "libvips42", "tini"]);
        for (text, words) in [
            ("a1\n:repo:deb http://x y z", "line 2 of the Aptfile cannot be used: `:repo:deb http://x y z` is another repository"),
            ("https://acme.test/a.deb", "is a file"),
            ("ffmpeg=7.1", "is a version"),
            ("$(x)", "is no name"),
        ] {
            assert!(aptfile(text).unwrap_err().to_string().contains(words), "{text}");
        }
    }

    #[test]
    fn files_and_variables_add_up() {
        let folder = tempfile::tempdir().unwrap();
        let list = |names: &std::collections::BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
        let found = |env: &Env| wanted(folder.path(), env).map(|packages| (list(&packages.build), list(&packages.run)));
        assert_eq!(found(&Env::new()).unwrap(), (String::new(), String::new()));
        std::fs::write(folder.path().join("Aptfile"), "hello\n").unwrap();
        std::fs::write(folder.path().join("project.toml"), "[io.cooper.packages]\nbuild = ['gcc']\nrun = ['tini']\n[io.buildpacks]\n")
            .unwrap();
        let mut env = Env::new();
        env.insert("BP_SYSTEM_PACKAGES_RUN", "jq");
        assert_eq!(found(&env).unwrap(), ("gcc hello".into(), "hello jq tini".into()));
        env.insert("BP_SYSTEM_PACKAGES_BUILD", "a;b");
        assert!(found(&env).unwrap_err().to_string().contains("`a;b` cannot be the name"));
    }
}
