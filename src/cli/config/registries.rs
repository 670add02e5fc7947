//! Registries of buildpacks in the configuration.

use super::{changed, not_there};
use crate::cli::Session;
use crate::error::{Advice, Context, Error, Result};
use crate::platform::buildpackage::OFFICIAL;
use crate::platform::config::{Config, Edit, OFFICIAL_NAME, Registry};
use clap::Subcommand;
use std::path::Path;

#[derive(clap::Args)]
pub(super) struct Registries {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// List them; the default one has a star.
    List,
    /// Add one.
    Add {
        /// What to call it.
        name: String,
        /// The address of its index, a git repository.
        url: String,
        /// Look there where no registry is named.
        #[arg(long)]
        default: bool,
        /// How entries get there: `github`, by a request to its owners, or `git`, by a commit.
        #[arg(long = "type", default_value = "github", value_parser = ["github", "git"])]
        kind: String,
    },
    /// Remove one.
    Remove {
        /// What it is called.
        name: String,
    },
    /// The one that is looked into where none is named.
    Default {
        /// What it is called; without it, the present one.
        #[arg(conflicts_with = "unset")]
        name: Option<String>,
        /// Make it the official one again.
        #[arg(long, short)]
        unset: bool,
    },
}

impl Registries {
    pub fn run(self, path: &Path, session: &Session) -> Result<()> {
        let config = Config::read(path)?;
        let mut edit = Edit::open(path)?;
        let default = config.default_registry.as_deref().unwrap_or(OFFICIAL_NAME);
        let known = |name: &str| name == OFFICIAL_NAME || config.registries.iter().any(|registry| registry.name == name);
        match self.action.unwrap_or(Action::List) {
            Action::List => session.print(&list(&config, default)),
            Action::Add { name, .. } if known(&name) => {
                Err(Error::new(format!("there is a registry `{name}` already"))).hint("choose another name, or remove it first")
            }
            Action::Add { name, url, default, kind } => {
                edit.add_table("registries", &[("name", &name), ("type", &kind), ("url", &url)])?;
                if default {
                    edit.set("default-registry", name.as_str());
                }
                changed(
                    edit,
                    session.output,
                    &format!("`{name}` is a registry of buildpacks now{}", if default { ", and the default" } else { "" }),
                )
            }
            Action::Remove { name } if name == OFFICIAL_NAME => Err(Error::new("the official registry cannot be removed")),
            Action::Remove { name } => {
                if !edit.remove_table("registries", "name", &name)? {
                    return Err(not_there(&format!("registry `{name}`"), "registries"));
                }
                if default == name {
                    edit.unset("default-registry");
                }
                changed(edit, session.output, &format!("`{name}` is no registry of buildpacks any more"))
            }
            Action::Default { name: None, unset: false } => session.print(default),
            Action::Default { name: Some(name), .. } if known(&name) => {
                edit.set("default-registry", name.as_str());
                changed(edit, session.output, &format!("`{name}` is the default registry now"))
            }
            Action::Default { name: Some(name), .. } => Err(not_there(&format!("registry `{name}`"), "registries")),
            Action::Default { name: None, unset: true } => {
                edit.unset("default-registry");
                changed(edit, session.output, &format!("`{OFFICIAL_NAME}` is the default registry now"))
            }
        }
        .context(|| "cannot change the registries of buildpacks")
    }
}

fn list(config: &Config, default: &str) -> String {
    let official = Registry { name: OFFICIAL_NAME.into(), kind: "github".into(), url: OFFICIAL.into() };
    let all: Vec<&Registry> = std::iter::once(&official).chain(&config.registries).collect();
    let longest = all.iter().map(|registry| registry.name.len()).max().unwrap_or(0);
    let line =
        |registry: &&Registry| format!("{} {:longest$}  {}", if registry.name == default { "*" } else { " " }, registry.name, registry.url);
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}
