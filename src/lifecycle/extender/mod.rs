//! The extender: applies the Dockerfiles that extensions wrote to the build image and the run image (CNB Platform Specification, extender).

mod config;
pub mod dockerfile;
mod generated;

pub use config::ExtendConfig;
pub use dockerfile::Dockerfile;
pub(in crate::lifecycle) use generated::{is_folder, read};

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
