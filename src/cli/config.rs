//! `cooper config`: the user's configuration.

mod lists;
mod registries;
mod trust;

use super::Session;
use crate::error::{Advice, Context, Error, Result};
use crate::image::Reference;
use crate::output::Output;
use crate::platform::builder::is_built_in;
use crate::platform::config::{self, Config, Edit};
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use clap::Subcommand;
use std::path::{Path, PathBuf};

/// Look at the configuration, or change it; what a command line says comes before it.
#[derive(clap::Args)]
#[command(
    after_help = "Without a command, all that is configured.\n\nExamples:\n  cooper config default-builder bookworm\n  cooper config default-builder --unset\n  \
                        cooper config registry-mirrors add docker.io --mirror mirror.example:5000\n  \
                        cooper config run-image-mirrors add docker.io/acme/run --mirror registry.example/acme/run"
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Builder to build with where neither the command line nor the project file names one.
    DefaultBuilder(Value),
    /// When registries are asked for images that the store has.
    PullPolicy(Value),
    /// Image of the lifecycle; kept for `pack`, since the lifecycle is part of this program.
    LifecycleImage(Value),
    /// Whether experimental features may be used; kept for `pack`, since there are none here.
    Experimental {
        /// `true` or `false`; without it, which of them is set.
        value: Option<bool>,
    },
    /// Builders that may see what `--volume` mounts, without a warning.
    TrustedBuilders(lists::TrustedBuilders),
    /// More names of run images, which are tried before those that a builder names.
    RunImageMirrors(lists::RunImageMirrors),
    /// Registries that have the images of others too, and are asked first.
    RegistryMirrors(lists::RegistryMirrors),
    /// Builders and run images that must be signed.
    Trust(trust::Trusted),
    /// Registries of buildpacks.
    Registries(registries::Registries),
}

#[derive(clap::Args)]
struct Value {
    /// The new value; without it, the present one.
    #[arg(conflicts_with = "unset")]
    value: Option<String>,
    /// Remove it from the configuration.
    #[arg(long, short)]
    unset: bool,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let path = path()?;
        let Some(command) = self.command else { return show(&path, session) };
        match command {
            Command::DefaultBuilder(value) => value.run("default-builder-image", check_builder, &path, session),
            Command::PullPolicy(value) => value.run("pull-policy", |text| text.parse::<Pull>().map(drop), &path, session),
            Command::LifecycleImage(value) => value.run("lifecycle-image", |text| Reference::parse(text).map(drop), &path, session),
            Command::Experimental { value } => experimental(value, &path, session),
            Command::TrustedBuilders(list) => list.run(&path, session),
            Command::RunImageMirrors(list) => list.run(&path, session),
            Command::RegistryMirrors(list) => list.run(&path, session),
            Command::Trust(trust) => trust.run(&path, session),
            Command::Registries(registries) => registries.run(&path, session),
        }?;
        Ok(0)
    }
}

fn path() -> Result<PathBuf> {
    config::path(|name| std::env::var_os(name))
        .context(|| "cannot tell where the configuration is: neither XDG_CONFIG_HOME nor HOME is set")
        .hint("set HOME")
}

fn show(path: &Path, session: &Session) -> Result<u8> {
    Config::read(path)?;
    session.output.line(&format!("{}{}", path.display(), if path.exists() { "" } else { " is not there yet" }));
    if path.exists() {
        let text = std::fs::read_to_string(path).context(|| format!("cannot read the configuration `{}`", path.display()))?;
        session.print(&text)?;
    }
    Ok(0)
}

impl Value {
    fn run(self, key: &str, check: impl Fn(&str) -> Result<()>, path: &Path, session: &Session) -> Result<()> {
        let mut edit = Edit::open(path)?;
        match (self.value, self.unset) {
            (Some(value), _) => {
                check(&value)?;
                edit.set(key, value.as_str());
                changed(edit, session.output, &format!("`{key}` is `{value}` now"))
            }
            (None, true) if edit.unset(key) => changed(edit, session.output, &format!("`{key}` is not set any more")),
            (None, true) => {
                session.output.line(&format!("`{key}` was not set"));
                Ok(())
            }
            (None, false) => match edit.text(key) {
                Some(value) => session.print(value),
                None => {
                    session.output.line(&format!("`{key}` is not set"));
                    Ok(())
                }
            },
        }
    }
}

fn experimental(value: Option<bool>, path: &Path, session: &Session) -> Result<()> {
    let mut edit = Edit::open(path)?;
    match value {
        None => session.print(if edit.is_true("experimental") { "true" } else { "false" }),
        Some(value) => {
            edit.set("experimental", value);
            changed(edit, session.output, &format!("`experimental` is `{value}` now; nothing here depends on it"))
        }
    }
}

fn check_builder(name: &str) -> Result<()> {
    match is_built_in(name) {
        true => Ok(()),
        false => Place::parse(name).map(drop).context(|| format!("`{name}` cannot be a builder")),
    }
}

/// Writes a change, and says it.
fn changed(edit: Edit, output: &Output, line: &str) -> Result<()> {
    edit.save()?;
    output.line(line);
    Ok(())
}

fn list(lines: &[String], session: &Session) -> Result<()> {
    match lines {
        [] => {
            session.output.line("none is configured");
            Ok(())
        }
        lines => session.print(&lines.join("\n")),
    }
}

/// What is asked to be removed, and is not there.
fn not_there(what: &str, command: &str) -> Error {
    Error::new(format!("the configuration has no {what}")).hint(format!("`cooper config {command} list` lists them"))
}
