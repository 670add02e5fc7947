//! What `pack` writes in four forms.

use super::Session;
use crate::error::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    #[value(alias = "text")]
    HumanReadable,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// TOML.
    Toml,
}

impl Format {
    /// Writes a value to standard output; for people, as `text` says it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn print(self, value: &impl Serialize, text: impl FnOnce() -> String, session: &Session) -> Result<()> {
        let describe = || "cannot write the report";
        match self {
            Self::HumanReadable => session.print(&text()),
            Self::Json => session.print_json(value),
            Self::Yaml => session.print(&yaml_serde::to_string(value).context(describe)?),
            Self::Toml => session.print(&toml::to_string(value).context(describe)?),
        }
    }
}
