//! `cooper images`: what is in the store.

use super::{Format, Session};
use crate::error::Result;
use crate::image::Reference;
use crate::output::human_bytes;
use serde::Serialize;

/// The namespace of images that builders keep for themselves.
const INTERNAL: &str = "cooper/";

/// List the images on this machine.
#[derive(clap::Args)]
pub struct Arguments {
    /// Also list the images that builders keep for themselves.
    #[arg(long, short)]
    all: bool,
    /// How to write it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

#[derive(Serialize)]
struct Row {
    name: String,
    digest: String,
    size: u64,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let mut rows = Vec::new();
        for named in session.store()?.list()? {
            let name = Reference::parse(&named.name).map_or(named.name.clone(), |reference| reference.familiar());
            if self.all || !name.starts_with(INTERNAL) {
                rows.push(Row {
                    name,
                    digest: named.digest.to_string(),
                    size: named.images.iter().map(|stored| stored.image.compressed_size()).sum(),
                });
            }
        }
        match self.output {
            Format::Json => session.print_json(&rows)?,
            Format::Text => session.print(&text(&rows))?,
        }
        Ok(0)
    }
}

fn text(rows: &[Row]) -> String {
    let longest = rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max("IMAGE".len());
    let mut text = format!("{:longest$}  {:12}  {:>10}\n", "IMAGE", "DIGEST", "SIZE");
    for row in rows {
        text.push_str(&format!("{:longest$}  {:12}  {:>10}\n", row.name, &row.digest["sha256:".len()..][..12], human_bytes(row.size)));
    }
    text
}
