//! `cooper doctor`: what this machine allows a build to do.

use super::{Format, Session};
use crate::error::Result;
use crate::platform::doctor;

/// Say how builds run on this machine, and what would make them run better.
#[derive(clap::Args)]
pub struct Arguments {
    /// How to write it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let diagnosis = doctor::examine(&session.store()?)?;
        match self.output {
            Format::Json => session.print_json(&diagnosis)?,
            Format::Text => session.print(&diagnosis.to_string())?,
        }
        Ok(u8::from(diagnosis.mode.is_none()))
    }
}
