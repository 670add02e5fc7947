//! `cooper sbom download`.

use super::Image;
use crate::cli::Session;
use crate::cli::written::Format;
use crate::error::Result;
use crate::platform::sbom::{Merged, write_documents};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Write the SBOM files of an image into a folder: those of buildpacks and the launcher as `layers/sbom/launch/…`, and `sbom.spdx.json`,
/// `sbom.cdx.json` and `sbom.syft.json`, each of which lists everything in the image, the operating system's packages too.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cooper sbom download my-app --output-dir sbom\n  cooper sbom download --remote registry.example/team/my-app"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    image: Image,
    /// Folder to write them into.
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    output_dir: PathBuf,
    /// How to write what was done.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// What was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    image: String,
    digest: String,
    output_dir: PathBuf,
    /// How many files of buildpacks and the launcher there are.
    files: usize,
    /// How many packages the documents list, by the type of their package URLs.
    packages: BTreeMap<String, usize>,
    notes: Vec<String>,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let written = self.image.with(session, |images, about| {
            let merged = images.sbom(about)?;
            let files = images.write_sbom_files(about, &self.output_dir)?;
            write_documents(&merged, &self.output_dir)?;
            Ok(Summary {
                image: self.image.name.clone(),
                digest: about.documents.descriptor.digest.to_string(),
                output_dir: self.output_dir.clone(),
                files,
                packages: counts(&merged),
                notes: merged.notes,
            })
        })?;
        self.output.print(&written, || text(&written), session)?;
        Ok(0)
    }
}

fn counts(merged: &Merged) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    merged.inventory.packages().for_each(|package| *counts.entry(package.kind().to_string()).or_default() += 1);
    counts
}

fn text(written: &Summary) -> String {
    let folder = written.output_dir.display();
    let counts: Vec<String> = written.packages.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let notes: String = written.notes.iter().map(|note| format!("note: {note}\n")).collect();
    let files = if written.files == 0 { String::new() } else { format!(" and {} files of buildpacks below layers/", written.files) };
    let all: usize = written.packages.values().sum();
    format!("wrote sbom.cdx.json, sbom.spdx.json, sbom.syft.json{files} into {folder}\n{all} packages: {}\n{notes}", counts.join(", "))
}
