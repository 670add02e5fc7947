//! `cooper builder suggest`: which builder is for an app.

use super::super::{Format, Session};
use crate::error::Result;
use crate::platform::builder::suggest::{Suggestion, suggest};
use std::path::PathBuf;

/// Say which builders there are, those for the app at hand first, with the command to type. Uses no network.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of the app.
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    path: PathBuf,
    /// How to write it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let all = suggest(&self.path)?;
        match self.output {
            Format::Json => session.print_json(&all)?,
            Format::Text => session.print(&text(&all))?,
        }
        Ok(0)
    }
}

fn text(all: &[Suggestion]) -> String {
    let (fitting, others): (Vec<_>, Vec<_>) = all.iter().partition(|suggestion| !suggestion.because_of.is_empty());
    let mut text = String::new();
    for (title, group) in [("for this app", &fitting), ("others", &others)] {
        if group.is_empty() {
            continue;
        }
        text.push_str(&format!("{title}\n"));
        for one in group {
            text.push_str(&format!("\n  {} ({}): {}\n", one.builder, one.vendor, one.description));
            for (name, value) in [
                ("because of", one.because_of.join(", ")),
                ("builds", one.languages.join(", ")),
                ("run image", one.run_image.into()),
                ("type", one.command.clone()),
            ] {
                if !value.is_empty() {
                    text.push_str(&format!("    {name:11} {value}\n"));
                }
            }
        }
        text.push('\n');
    }
    text
}
