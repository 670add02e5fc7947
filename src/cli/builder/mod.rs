//! `cooper builder`: builders, and what they are made of.

mod create;
mod inspect;
mod suggest;

use super::Session;
use crate::debian::{Lock, Mirrors as Found, mirror::Sources};
use crate::error::Result;
use crate::image::Platform;
use crate::output::human_bytes;
use crate::platform::builder::{self, Description};
use clap::Subcommand;

/// Make builders, look at them, and bring the built-in ones up to date.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Create(Box<create::Arguments>),
    Inspect(Box<inspect::Arguments>),
    Suggest(suggest::Arguments),
    /// Choose the newest Debian packages for a builder; the next build uses them.
    Update {
        /// The builder.
        #[arg(default_value = builder::default_name())]
        name: String,
        /// Archive to choose nothing from, as `debian-security` for the state of the last point release; repeatable.
        #[arg(long, value_name = "ARCHIVE")]
        without: Vec<String>,
        /// Platform of its images, as `linux/arm64` [default: this machine's].
        #[arg(long = "platform", value_name = "PLATFORM")]
        for_platform: Option<String>,
        #[command(flatten)]
        mirrors: Mirrors,
    },
}

/// Where Debian packages come from.
#[derive(clap::Args)]
pub(super) struct Mirrors {
    /// Mirror of a Debian archive, as `debian=URL` or `debian-security=URL`; repeatable. Else COOPER_DEBIAN_MIRROR, the configuration, apt's sources.
    #[arg(long, value_name = "ARCHIVE=URL")]
    deb_mirror: Vec<String>,
    /// Accept archive indexes that are older than they say they may be.
    #[arg(long)]
    no_check_valid_until: bool,
}

impl Mirrors {
    pub(super) fn read(&self) -> Result<Found> {
        Found::read(&Sources {
            options: self.deb_mirror.clone(),
            environment: std::env::var("COOPER_DEBIAN_MIRROR").ok(),
            configuration: crate::platform::config::path(|name| std::env::var_os(name)),
            apt: Some("/etc/apt".into()),
            accept_expired: self.no_check_valid_until,
        })
    }
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        match self.command {
            Command::Create(arguments) => arguments.run(session),
            Command::Inspect(arguments) => arguments.run(session),
            Command::Suggest(arguments) => arguments.run(session),
            Command::Update { name, without, for_platform, mirrors } => {
                let platform = platform(for_platform)?;
                let changes = builder::update(&name, &platform, &without, &mirrors.read()?, &session.store()?, session.output)?;
                session.print(&if changes.is_empty() { "everything is up to date".into() } else { changes.join("\n") })?;
                Ok(0)
            }
        }
    }
}

/// The platform that is meant: this machine's, unless another one is named.
fn platform(named: Option<String>) -> Result<Platform> {
    named.map_or_else(|| Ok(Platform::here()), |named| named.parse())
}

fn text(description: &Description) -> String {
    let mut text = format!("builder    {}\nbuildpacks {}\n", description.name, description.buildpacks.join(", "));
    for (kind, lock) in [("build", &description.build), ("run", &description.run)] {
        text.push_str(&format!(
            "\n{kind} image: {} packages, {} as .debs, lock {}\n",
            lock.packages.len(),
            human_bytes(size(lock)),
            lock.digest().short()
        ));
        let longest = lock.packages.iter().map(|package| package.name.len()).max().unwrap_or(0);
        for package in &lock.packages {
            text.push_str(&format!("  {:longest$}  {}  ({})\n", package.name, package.version, package.why));
        }
    }
    text
}

fn size(lock: &Lock) -> u64 {
    lock.packages.iter().map(|package| package.size).sum()
}
