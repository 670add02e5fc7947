//! `cooper completion`: what shells complete, and `cooper man`: manual pages.

use super::{CommandLine, Session, examples};
use crate::error::{Context, Error, Result};
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Write a script that completes commands and options in a shell.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  source <(cooper completion --shell bash)\n  cooper completion --shell zsh > ~/.zfunc/_cooper\n  \
                        cooper completion --shell fish > ~/.config/fish/completions/cooper.fish\n\n\
                        `pack completion` writes a file and prints its path; this prints the script itself.")]
pub struct Arguments {
    /// The shell.
    #[arg(long, short, default_value = "bash", value_parser = ["bash", "fish", "powershell", "zsh"])]
    shell: String,
}

impl Arguments {
    pub(super) fn run(&self, session: &Session) -> Result<u8> {
        let shell = Shell::from_str(&self.shell, true).map_err(Error::new)?;
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut CommandLine::command(), "cooper", &mut script);
        session.print(String::from_utf8_lossy(&script).trim_end())?;
        Ok(0)
    }
}

/// Write the manual pages of all commands.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  cooper man --output-dir ~/.local/share/man/man1\n  cooper man | man -l -")]
pub struct ManArguments {
    /// Folder to write a page for each command into; without it, the main page is printed.
    #[arg(long, short, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

impl ManArguments {
    pub(super) fn run(&self, session: &Session) -> Result<u8> {
        let mut command = examples::with(CommandLine::command()).disable_help_subcommand(true);
        command.build();
        let Some(folder) = &self.output_dir else {
            session.print(page(&command)?.trim_end())?;
            return Ok(0);
        };
        std::fs::create_dir_all(folder).context(|| format!("cannot make the folder `{}`", folder.display()))?;
        let count = write_pages(&command, folder)?;
        session.output.line(&format!("wrote {count} pages to {}", folder.display()));
        Ok(0)
    }
}

fn write_pages(command: &clap::Command, folder: &Path) -> Result<usize> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let path = folder.join(format!("{name}.1"));
    std::fs::write(&path, page(command)?).context(|| format!("cannot write `{}`", path.display()))?;
    command.get_subcommands().try_fold(1, |count, command| Ok(count + write_pages(command, folder)?))
}

fn page(command: &clap::Command) -> Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page).context(|| "cannot write a manual page")?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}
