//! `cooper store`: looks after the folder that keeps images.

use super::{Format, Session};
use crate::error::{Error, Result};
use crate::output::human_bytes;
use clap::Subcommand;

/// Look after the folder that keeps images.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Remove what no image needs any more.
    Prune {
        /// How to write what was removed.
        #[arg(long, short, value_enum, default_value_t)]
        output: Format,
    },
    /// Read everything and say what is damaged or missing.
    Verify {
        /// How to write what was found.
        #[arg(long, short, value_enum, default_value_t)]
        output: Format,
    },
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        match self.command {
            Command::Prune { output } => prune(session, output),
            Command::Verify { output } => verify(session, output),
        }
    }
}

fn prune(session: &Session, format: Format) -> Result<u8> {
    let pruned = session.store()?.prune()?;
    let pruned =
        pruned.ok_or_else(|| Error::new("another program uses the store").hint("wait until its build has ended, then try again"))?;
    match format {
        Format::Json => session.print_json(&pruned)?,
        Format::Text => session.print(&format!(
            "removed {} blobs and {} unpacked layers: {}",
            pruned.blobs,
            pruned.layers,
            human_bytes(pruned.bytes)
        ))?,
    }
    Ok(0)
}

fn verify(session: &Session, format: Format) -> Result<u8> {
    let findings = session.store()?.verify()?;
    match format {
        Format::Json => session.print_json(&findings)?,
        Format::Text if findings.is_empty() => session.print("the store is valid")?,
        Format::Text => {
            let lines: Vec<String> = findings.iter().map(|finding| format!("{}: {}", finding.subject, finding.problem)).collect();
            session.print(&lines.join("\n"))?;
        }
    }
    Ok(u8::from(!findings.is_empty()))
}
