//! The lists of the configuration: trusted builders, mirrors of run images and of registries.

use super::{changed, list, not_there};
use crate::cli::Session;
use crate::error::Result;
use crate::image::Reference;
use crate::platform::config::{Config, Edit};
use crate::registry::{Credentials, Registries};
use clap::Subcommand;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(clap::Args)]
pub(super) struct TrustedBuilders {
    #[command(subcommand)]
    action: Option<Builders>,
}

#[derive(Subcommand)]
enum Builders {
    /// List them.
    List,
    /// Trust a builder.
    Add {
        /// Its name.
        name: String,
    },
    /// Trust a builder no more.
    Remove {
        /// Its name.
        name: String,
    },
}

impl TrustedBuilders {
    pub fn run(self, path: &Path, session: &Session) -> Result<()> {
        let config = Config::read(path)?;
        let mut edit = Edit::open(path)?;
        match self.action.unwrap_or(Builders::List) {
            Builders::List => {
                let mut names = config.trusted_builders;
                names.sort();
                list(&names, session)
            }
            Builders::Add { name } => {
                Reference::parse(&name)?;
                if config.trusts(&name) {
                    session.output.line(&format!("`{name}` is trusted already"));
                    return Ok(());
                }
                edit.add_table("trusted-builders", &[("name", &name)])?;
                changed(edit, session.output, &format!("`{name}` is trusted now"))
            }
            Builders::Remove { name } => match edit.remove_table("trusted-builders", "name", &name)? {
                true => changed(edit, session.output, &format!("`{name}` is not trusted any more")),
                false => Err(not_there(&format!("trusted builder `{name}`"), "trusted-builders")),
            },
        }
    }
}

#[derive(clap::Args)]
pub(super) struct RunImageMirrors {
    #[command(subcommand)]
    action: Option<RunImages>,
}

#[derive(Subcommand)]
enum RunImages {
    /// List them.
    List {
        /// The run image whose mirrors are meant; all without it.
        image: Option<String>,
    },
    /// Name mirrors of a run image.
    Add {
        /// The run image.
        image: String,
        /// The image elsewhere; repeatable.
        #[arg(long, short, required = true, value_delimiter = ',')]
        mirror: Vec<String>,
    },
    /// Forget mirrors of a run image.
    Remove {
        /// The run image.
        image: String,
        /// The mirror to forget; all of them without it; repeatable.
        #[arg(long, short, value_delimiter = ',')]
        mirror: Vec<String>,
    },
}

impl RunImageMirrors {
    pub fn run(self, path: &Path, session: &Session) -> Result<()> {
        let config = Config::read(path)?;
        let mut edit = Edit::open(path)?;
        let known = |image: &str| config.run_images.iter().find(|entry| entry.image == image).map(|entry| entry.mirrors.clone());
        match self.action.unwrap_or(RunImages::List { image: None }) {
            RunImages::List { image } => {
                let wanted = config.run_images.iter().filter(|entry| image.as_ref().is_none_or(|image| entry.image == *image));
                let lines: Vec<String> = wanted.map(|entry| format!("{}\n  {}", entry.image, entry.mirrors.join("\n  "))).collect();
                list(&lines, session)
            }
            RunImages::Add { image, mirror } => {
                std::iter::once(&image).chain(&mirror).try_for_each(|name| Reference::parse(name).map(drop))?;
                let mut mirrors = known(&image).unwrap_or_default();
                mirrors.extend(mirror.into_iter().filter(|new| !known(&image).is_some_and(|old| old.contains(new))));
                edit.set_run_image(&image, &mirrors)?;
                changed(edit, session.output, &format!("`{image}` has the mirrors {} now", mirrors.join(", ")))
            }
            RunImages::Remove { image, mirror } => {
                let missing = || not_there(&format!("mirrors of `{image}`"), "run-image-mirrors");
                let before = known(&image).ok_or_else(missing)?;
                let after: Vec<String> = before.iter().filter(|name| !mirror.is_empty() && !mirror.contains(name)).cloned().collect();
                if before.len() == after.len() {
                    return Err(not_there(&format!("mirror {} of `{image}`", mirror.join(", ")), "run-image-mirrors"));
                }
                edit.set_run_image(&image, &after)?;
                changed(edit, session.output, &format!("`{image}` has {} mirrors now", after.len()))
            }
        }
    }
}

#[derive(clap::Args)]
pub(super) struct RegistryMirrors {
    #[command(subcommand)]
    action: Option<Mirrors>,
}

#[derive(Subcommand)]
enum Mirrors {
    /// List them.
    List,
    /// Name the mirror of a registry.
    Add {
        /// The registry, as `docker.io`, or `*` for all.
        registry: String,
        /// The registry that is asked first.
        #[arg(long, short)]
        mirror: String,
    },
    /// Forget the mirror of a registry.
    Remove {
        /// The registry.
        registry: String,
    },
}

impl RegistryMirrors {
    pub fn run(self, path: &Path, session: &Session) -> Result<()> {
        let config = Config::read(path)?;
        let mut edit = Edit::open(path)?;
        match self.action.unwrap_or(Mirrors::List) {
            Mirrors::List => {
                let lines: Vec<String> = config.registry_mirrors.iter().map(|(registry, mirror)| format!("{registry} {mirror}")).collect();
                list(&lines, session)
            }
            Mirrors::Add { registry, mirror } => {
                Registries::new(Credentials::default(), Vec::new()).with_mirrors(&BTreeMap::from([(registry.clone(), mirror.clone())]))?;
                edit.set_entry("registry-mirrors", &registry, Some(&mirror))?;
                changed(edit, session.output, &format!("images of `{registry}` come from `{mirror}` now, where that has them"))
            }
            Mirrors::Remove { registry } => match edit.set_entry("registry-mirrors", &registry, None)? {
                true => changed(edit, session.output, &format!("`{registry}` has no mirror any more")),
                false => Err(not_there(&format!("mirror of `{registry}`"), "registry-mirrors")),
            },
        }
    }
}
