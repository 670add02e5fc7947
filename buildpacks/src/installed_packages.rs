//! The buildpack `cooper/installed-packages` of exported builders, where nobody adds Debian packages to images: it says whether the packages that
//! buildpacks require are there. Which ones are stands beside its descriptor.

use crate::debian_packages::{NAME, Packages};
use crate::end;
use libcnb::build::{BuildContext, BuildResult, BuildResultBuilder};
use libcnb::data::build_plan::BuildPlanBuilder;
use libcnb::detect::{DetectContext, DetectResult, DetectResultBuilder};
use libcnb::generic::{GenericMetadata, GenericPlatform};
use libcnb::{Buildpack, Error};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// The packages of the images, beside the descriptor.
const FILE: &str = "installed.toml";

/// The buildpack.
pub struct InstalledPackages;

/// What can go wrong.
#[derive(Debug)]
pub enum Problem {
    /// A document makes no sense.
    Read(&'static str, String),
    /// Packages that are not there, with what the images would have to be made of.
    Missing(Packages),
}

impl Buildpack for InstalledPackages {
    type Platform = GenericPlatform;
    type Metadata = GenericMetadata;
    type Error = Problem;

    fn detect(&self, _: DetectContext<Self>) -> libcnb::Result<DetectResult, Problem> {
        DetectResultBuilder::pass().build_plan(BuildPlanBuilder::new().provides(NAME).build()).build()
    }

    fn build(&self, context: BuildContext<Self>) -> libcnb::Result<BuildResult, Problem> {
        let mut wanted = Packages::default();
        for entry in context.buildpack_plan.entries.into_iter().filter(|entry| entry.name == NAME) {
            let packages: Packages =
                entry.metadata.try_into().map_err(|error| Error::BuildpackError(Problem::Read("plan", error.to_string())))?;
            wanted.build.extend(packages.build);
            wanted.run.extend(packages.run);
        }
        check(&wanted, &installed(&context.buildpack_dir).map_err(Error::BuildpackError)?).map_err(Error::BuildpackError)?;
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
            Self::Missing(packages) => {
                let mut options = Vec::new();
                for (kind, option, packages) in [("build", "--build-package", &packages.build), ("run", "--package", &packages.run)] {
                    if !packages.is_empty() {
                        let names: Vec<&str> = packages.iter().map(String::as_str).collect();
                        writeln!(
                            formatter,
                            "the {kind} image of this builder lacks Debian packages that are required: {}",
                            names.join(" ")
                        )?;
                        options.extend(names.iter().map(|name| format!("{option} {name}")));
                    }
                }
                write!(formatter, "make a builder that has them: cooper builder create NAME --builtin BUILDER {}", options.join(" "))
            }
        }
    }
}

fn installed(folder: &Path) -> Result<Packages, Problem> {
    let read = |cause: String| Problem::Read(FILE, cause);
    let text = std::fs::read_to_string(folder.join(FILE)).map_err(|error| read(error.to_string()))?;
    toml::from_str(&text).map_err(|error| read(error.to_string()))
}

fn check(wanted: &Packages, installed: &Packages) -> Result<(), Problem> {
    let missing = |wanted: &BTreeSet<String>, installed: &BTreeSet<String>| wanted.difference(installed).cloned().collect::<BTreeSet<_>>();
    let run = missing(&wanted.run, &installed.run);
    // What goes into the run image goes into the build image too, when a builder is made.
    let build = missing(&missing(&wanted.build, &installed.build), &run);
    if build.is_empty() && run.is_empty() { Ok(()) } else { Err(Problem::Missing(Packages { build, run })) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(build: &[&str], run: &[&str]) -> Packages {
        let set = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        Packages { build: set(build), run: set(run) }
    }

    #[test]
    fn what_is_missing_is_named_with_the_remedy() {
        let installed = packages(&["gcc", "python3"], &["python3"]);
        assert!(check(&packages(&["gcc"], &["python3"]), &installed).is_ok());
        let problem = check(&packages(&["ffmpeg", "make"], &["ffmpeg", "python3"]), &installed).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "the build image of this builder lacks Debian packages that are required: make\n\
             the run image of this builder lacks Debian packages that are required: ffmpeg\n\
             make a builder that has them: cooper builder create NAME --builtin BUILDER --build-package make --package ffmpeg"
        );
    }
}
