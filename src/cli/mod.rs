//! The command line: one file per command, with its flags, one call into `platform`, and its report to the user. Start with [`run`].

mod ask;
mod attaching;
mod build;
mod builder;
mod buildpack;
mod completion;
mod config;
mod copy;
mod diff;
mod doctor;
mod examples;
mod images;
mod inspect;
mod key;
mod lifecycle;
mod login;
mod making;
mod manifest;
mod pull;
mod push;
mod rebase;
mod registries;
mod report;
mod repro;
mod rmi;
mod run;
mod sbom;
mod sign;
mod stack;
mod store;
mod tag;
mod transfer;
mod verify;
mod written;

use crate::error::{Error, Result};
use crate::output::{Colour, Output, Settings, Verbosity};
use crate::platform::buildpackage::Kind;
use crate::store::Store;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Runs the command that `arguments` name and returns the exit code of the program.
pub fn run(arguments: impl Iterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.collect();
    let line = match CommandLine::try_parse_from(&arguments) {
        Ok(line) => line,
        Err(error) => {
            let error = if is_help(&error) { with_examples(&arguments).unwrap_or(error) } else { error };
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return if error.print().is_ok() { code } else { 1 };
        }
    };
    let output = Output::new(line.settings());
    match line.execute(&output) {
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            error.exit_code()
        }
    }
}

fn is_help(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand)
}

/// The help that `arguments` ask for, with examples: only who reads it needs them.
fn with_examples(arguments: &[OsString]) -> Option<clap::Error> {
    examples::with(CommandLine::command()).try_get_matches_from(arguments).err()
}

/// Builds container images from source with Cloud Native Buildpacks: no Dockerfile, no daemon, no root.
#[derive(Parser)]
#[command(
    name = "cooper",
    version,
    propagate_version = true,
    max_term_width = 120,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct CommandLine {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What the options of every command stand under, so that a command's own come first.
const EVERY: &str = "Options of every command";

#[derive(clap::Args)]
struct Global {
    /// Say only what was asked for: for a build, the digest.
    #[arg(help_heading = EVERY, long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say every step.
    #[arg(help_heading = EVERY, long, short, global = true)]
    verbose: bool,
    /// Write no colours.
    #[arg(help_heading = EVERY, long, global = true)]
    no_color: bool,
    /// Write colours even where the output is not a terminal.
    #[arg(help_heading = EVERY, long, global = true, conflicts_with = "no_color")]
    force_color: bool,
    /// Start each line with the time of day in UTC.
    #[arg(help_heading = EVERY, long, global = true)]
    timestamps: bool,
    /// Use no network: what is not on this machine is an error.
    #[arg(help_heading = EVERY, long, global = true, env = "COOPER_OFFLINE", value_parser = clap::builder::FalseyValueParser::new())]
    offline: bool,
    /// Folder that keeps images, caches and Debian packages [default: $XDG_DATA_HOME/cooper].
    #[arg(help_heading = EVERY, long, global = true, env = "COOPER_STORE", value_name = "DIR")]
    store: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    Build(Box<build::Arguments>),
    Run(run::Arguments),
    Images(images::Arguments),
    Pull(pull::Arguments),
    Push(push::Arguments),
    Copy(copy::Arguments),
    Tag(tag::Arguments),
    Rmi(rmi::Arguments),
    #[command(visible_alias = "inspect-image")]
    Inspect(inspect::Arguments),
    Diff(diff::Arguments),
    Rebase(rebase::Arguments),
    Repro(repro::Arguments),
    Sbom(sbom::Arguments),
    Key(key::Arguments),
    Sign(sign::Arguments),
    Verify(verify::Arguments),
    Builder(builder::Arguments),
    /// Make, package and look at buildpacks.
    Buildpack(buildpack::Arguments),
    /// Make, package and look at image extensions.
    Extension(buildpack::Arguments),
    Lifecycle(lifecycle::Arguments),
    Manifest(manifest::Arguments),
    Login(login::Arguments),
    Logout(login::LogoutArguments),
    Store(store::Arguments),
    Config(config::Arguments),
    Stack(stack::Arguments),
    Doctor(doctor::Arguments),
    Report(report::Arguments),
    Completion(completion::Arguments),
    Man(completion::ManArguments),
    Version(report::VersionArguments),
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What every command works with.
struct Session<'a> {
    output: &'a Output,
    folder: PathBuf,
    offline: bool,
}

impl Session<'_> {
    fn store(&self) -> Result<Store> {
        let store = Store::open(&self.folder)?;
        if !store.lost().is_empty() {
            let names = store.lost().join("`, `");
            self.output.warn(&format!("the machine stopped soon after a pull; pull these again: `{names}`"));
        }
        Ok(store)
    }

    fn print_json(&self, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Error::new(format!("cannot write JSON: {error}")))?;
        self.print(&text)
    }

    fn print(&self, text: &str) -> Result<()> {
        match self.output.data(text) {
            // The reader has seen enough, as `head` does.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(|error| Error::new(format!("cannot write to standard output: {error}"))),
        }
    }
}

impl CommandLine {
    fn settings(&self) -> Settings {
        let global = &self.global;
        Settings {
            verbosity: match (global.quiet, global.verbose) {
                (true, _) => Verbosity::Quiet,
                (_, true) => Verbosity::Verbose,
                _ => Verbosity::Normal,
            },
            colour: match (global.no_color, global.force_color) {
                (true, _) => Colour::Never,
                (_, true) => Colour::Always,
                _ => Colour::Auto,
            },
            timestamps: global.timestamps,
            convention: crate::output::Convention::Command,
        }
    }

    fn execute(self, output: &Output) -> Result<u8> {
        let folder = match self.global.store {
            Some(folder) => folder,
            None => default_store()?,
        };
        let offline = self.global.offline;
        if offline {
            crate::registry::go_offline();
        }
        let session = Session { output, folder, offline };
        match self.command {
            Command::Build(arguments) => arguments.run(&session),
            Command::Run(arguments) => arguments.run(&session),
            Command::Images(arguments) => arguments.run(&session),
            Command::Pull(arguments) => arguments.run(&session),
            Command::Push(arguments) => arguments.run(&session),
            Command::Copy(arguments) => arguments.run(&session),
            Command::Tag(arguments) => arguments.run(&session),
            Command::Rmi(arguments) => arguments.run(&session),
            Command::Inspect(arguments) => arguments.run(&session),
            Command::Diff(arguments) => arguments.run(&session),
            Command::Rebase(arguments) => arguments.run(&session),
            Command::Repro(arguments) => arguments.run(&session),
            Command::Sbom(arguments) => arguments.run(&session),
            Command::Key(arguments) => arguments.run(&session),
            Command::Sign(arguments) => arguments.run(&session),
            Command::Verify(arguments) => arguments.run(&session),
            Command::Builder(arguments) => arguments.run(&session),
            Command::Buildpack(arguments) => arguments.run(Kind::Buildpack, &session),
            Command::Extension(arguments) => arguments.run(Kind::Extension, &session),
            Command::Lifecycle(arguments) => arguments.run(&session),
            Command::Store(arguments) => arguments.run(&session),
            Command::Manifest(arguments) => arguments.run(&session),
            Command::Login(arguments) => arguments.run(&session),
            Command::Logout(arguments) => arguments.run(&session),
            Command::Doctor(arguments) => arguments.run(&session),
            Command::Config(arguments) => arguments.run(&session),
            Command::Stack(arguments) => arguments.run(&session),
            Command::Report(arguments) => arguments.run(&session),
            Command::Completion(arguments) => arguments.run(&session),
            Command::Man(arguments) => arguments.run(&session),
            Command::Version(arguments) => arguments.run(&session),
        }
    }
}

/// `$XDG_DATA_HOME/cooper`, else `$HOME/.local/share/cooper` (XDG Base Directory Specification).
fn default_store() -> Result<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_DATA_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/share"))).map(|data| data.join("cooper")).ok_or_else(
        || Error::new("cannot tell where to keep images: neither XDG_DATA_HOME nor HOME is set").hint("name a folder with `--store`"),
    )
}
