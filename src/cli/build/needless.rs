//! Options of the reference that have nothing to do here. None is ignored without a word.

use crate::error::{Advice, Context, Error, Result};
use crate::output::Output;

/// Options for those who come from `pack`.
#[derive(clap::Args)]
pub(super) struct Needless {
    /// Do not warn of `--volume` beside a builder that is not trusted. Nothing else needs trust: no buildpack sees credentials, whoever made it.
    #[arg(help_heading = "For those who come from pack", long)]
    pub trust_builder: bool,
    /// Needless: no buildpack sees credentials, whoever made it.
    #[arg(help_heading = "For those who come from pack", long)]
    trust_extra_buildpacks: bool,
    /// Needless: the lifecycle is part of this program.
    #[arg(help_heading = "For those who come from pack", long, value_name = "IMAGE")]
    lifecycle_image: Option<String>,
    /// Needless: builds run in a user namespace of their own, not in an engine's containers.
    #[arg(help_heading = "For those who come from pack", long)]
    userns_host: bool,
    /// Refused: there is no terminal interface.
    #[arg(help_heading = "For those who come from pack", long)]
    interactive: bool,
    /// Refused: layouts are written whole, so that every program can read them.
    #[arg(help_heading = "For those who come from pack", long)]
    sparse: bool,
}

impl Needless {
    pub fn say(&self, output: &Output, volumes: bool) -> Result<()> {
        for (given, name, reason) in [
            (self.trust_builder && !volumes, "trust-builder", "no buildpack sees credentials, whoever made it"),
            (self.trust_extra_buildpacks, "trust-extra-buildpacks", "no buildpack sees credentials, whoever made it"),
            (self.lifecycle_image.is_some(), "lifecycle-image", "the lifecycle is part of this program"),
            (self.userns_host, "userns-host", "the build runs in no engine's container"),
        ] {
            if given {
                output.line(&format!("`--{name}` has nothing to do: {reason}"));
            }
        }
        let refuse = |name: &str, why: &str, hint: &str| Err(Error::new(why)).context(|| format!("cannot use `--{name}`")).hint(hint);
        match (self.interactive, self.sparse) {
            (true, _) => refuse("interactive", "there is no terminal interface", "leave it out; `--verbose` says every step"),
            (_, true) => refuse("sparse", "layouts are written whole, so that every program can read them", "leave it out"),
            (false, false) => Ok(()),
        }
    }
}
