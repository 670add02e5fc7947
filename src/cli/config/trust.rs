//! `cooper config trust`: images that must be signed.

use super::{changed, list, not_there};
use crate::cli::Session;
use crate::cli::key;
use crate::error::{Error, Result};
use crate::platform::attest::Trust;
use crate::platform::config::{Config, Edit};
use clap::Subcommand;
use std::path::Path;

#[derive(clap::Args)]
pub(super) struct Trusted {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// List the patterns.
    List,
    /// Builders and run images whose names fit a pattern must be signed, or nothing is built in them, on them, or put on them.
    Add {
        /// The pattern, as `registry.example/base/*`: of names with their registry and without tag.
        pattern: String,
        /// Public key that must have signed them: a file, or `env://VARIABLE`. It is copied.
        #[arg(long)]
        key: String,
    },
    /// Require no signature for a pattern any more.
    Remove {
        /// The pattern.
        pattern: String,
    },
}

impl Trusted {
    pub fn run(self, path: &Path, session: &Session) -> Result<()> {
        let config = Config::read(path)?;
        let mut edit = Edit::open(path)?;
        match self.action.unwrap_or(Action::List) {
            Action::List => list(&config.signed_images.iter().map(|rule| rule.pattern.clone()).collect::<Vec<_>>(), session),
            Action::Add { pattern, key } => {
                let text = key::public_key(&key)?.to_pem()?;
                Trust::default().with(&pattern, &text)?;
                if config.signed_images.iter().any(|rule| rule.pattern == pattern && rule.key == text) {
                    return Err(Error::new(format!("`{pattern}` has that key already")));
                }
                edit.add_table("signed-images", &[("pattern", &pattern), ("key", &text)])?;
                changed(edit, session.output, &format!("builders and run images `{pattern}` must be signed with that key now"))
            }
            Action::Remove { pattern } => match edit.remove_table("signed-images", "pattern", &pattern)? {
                true => changed(edit, session.output, &format!("`{pattern}` need not be signed any more")),
                false => Err(not_there(&format!("rule for `{pattern}`"), "trust")),
            },
        }
    }
}
