//! Options that say which buildpacks and extensions are tried.

use crate::error::Result;
use crate::platform::builder::{self, Choice};
use crate::platform::project::Project;

/// Which buildpacks and extensions are tried.
#[derive(clap::Args)]
pub(super) struct Modules {
    /// Buildpack to build with, instead of the builder's order: `ID[@VERSION]` of the builder, or `from=builder` for its whole order in this
    /// place; repeatable.
    #[arg(help_heading = "Buildpacks", long, short, value_name = "BUILDPACK", value_delimiter = ',')]
    buildpack: Vec<String>,
    /// Buildpack before each group of the builder's order; repeatable.
    #[arg(help_heading = "Buildpacks", long, value_name = "BUILDPACK")]
    pre_buildpack: Vec<String>,
    /// Buildpack after each group of the builder's order; repeatable.
    #[arg(help_heading = "Buildpacks", long, value_name = "BUILDPACK")]
    post_buildpack: Vec<String>,
    /// Image extension to use, instead of the builder's; repeatable.
    #[arg(help_heading = "Buildpacks", long, value_name = "EXTENSION", value_delimiter = ',')]
    extension: Vec<String>,
    /// Leave out what the builder puts around each group.
    #[arg(help_heading = "Buildpacks", long)]
    disable_system_buildpacks: bool,
}

impl Modules {
    pub fn choice(self, project: &Project) -> Result<Choice> {
        let options = builder::Options {
            buildpacks: self.buildpack,
            pre: self.pre_buildpack,
            post: self.post_buildpack,
            extensions: self.extension,
            without_system: self.disable_system_buildpacks,
        };
        Choice::new(&options, project)
    }
}
