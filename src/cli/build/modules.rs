//! Options that say which buildpacks and extensions are tried.

use crate::error::Result;
use crate::platform::builder::{self, Choice};
use crate::platform::config::Config;
use crate::platform::project::Project;

/// Which buildpacks and extensions are tried.
#[derive(clap::Args)]
pub(super) struct Modules {
    /// Buildpack to build with, instead of the builder's order: `ID[@VERSION]` of the builder, a folder, a .tgz or .cnb file, a URL of one, an
    /// image, `urn:cnb:registry:NAMESPACE/NAME[@VERSION]`, or `from=builder` for the builder's whole order in this place; repeatable.
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
    /// Registry of buildpacks to look in: one of `cooper config registries`, or the address of its index.
    #[arg(help_heading = "Buildpacks", long, short = 'r', value_name = "NAME")]
    buildpack_registry: Option<String>,
    /// Leave out what the builder puts around each group.
    #[arg(help_heading = "Buildpacks", long)]
    disable_system_buildpacks: bool,
}

impl Modules {
    /// The address of the registry of buildpacks.
    pub fn registry(&self, config: &Config) -> Result<String> {
        config.buildpack_registry(self.buildpack_registry.as_deref())
    }

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
