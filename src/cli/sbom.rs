//! `cooper sbom`: SBOM files of images.

use super::Session;
use super::registries::Reach;
use super::written::Format;
use crate::error::{Advice, Error, Result};
use crate::image::Platform;
use crate::platform::images::Images;
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use crate::platform::sbom::{Merged, name_of, write_documents};
use crate::platform::transfer::{Extent, Opened};
use clap::Subcommand;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Say what is in an image.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the SBOM files of an image into a folder: those of buildpacks and the launcher as `layers/sbom/launch/…`, and `sbom.spdx.json`,
    /// `sbom.cdx.json` and `sbom.syft.json`, each of which lists everything in the image, the operating system's packages too.
    #[command(
        after_help = "Examples:\n  cooper sbom download my-app --output-dir sbom\n  cooper sbom download --remote registry.example/team/my-app"
    )]
    Download(Download),
}

#[derive(clap::Args)]
struct Download {
    #[command(flatten)]
    image: Image,
    /// Folder to write them into.
    #[arg(long, short, default_value = ".", value_name = "DIR")]
    output_dir: PathBuf,
    /// How to write what was done.
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

/// The image that is meant.
#[derive(clap::Args)]
struct Image {
    /// The image: NAME, in the store, `docker://NAME` (a registry), `oci:DIR[:TAG]`, `docker-archive:FILE[:NAME]` or `docker:NAME` (an engine).
    #[arg(id = "image", value_name = "IMAGE")]
    name: String,
    /// Read the image from its registry; of its layers, only those with SBOM files and packages of the system are fetched.
    #[arg(long)]
    remote: bool,
    /// Of an image for several platforms, the one for this platform, as `linux/arm64`.
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    #[command(flatten)]
    registries: Reach,
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
        match self.command {
            Command::Download(download) => download.run(session),
        }
    }
}

impl Download {
    fn run(self, session: &Session) -> Result<u8> {
        let written = self.image.with(session, |images, opened, name| {
            let about = opened.about(name).next().ok_or_else(|| Error::new("the index has no images"))?;
            let merged = images.sbom(&about)?;
            let files = images.write_sbom_files(&about, &self.output_dir)?;
            write_documents(&merged, &self.output_dir)?;
            let digest = about.documents.descriptor.digest.to_string();
            Ok(Summary {
                image: self.image.name.clone(),
                digest,
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

impl Image {
    /// Opens the image, and says what it is called in documents.
    fn with<T>(&self, session: &Session, act: impl FnOnce(&Images, &Opened, &str) -> Result<T>) -> Result<T> {
        let wanted = self.platform.as_deref().map(str::parse::<Platform>).transpose()?;
        let extent = if wanted.is_some() { Extent::Exactly } else { Extent::One };
        let platform = wanted.unwrap_or_else(Platform::here);
        let place = match (Place::parse(&self.name)?, self.remote) {
            (Place::Name(name), true) => Place::Registry(name),
            (Place::Name(name), false) => Place::Store(name),
            (place @ Place::Registry(_), _) | (place, false) => place,
            (place, true) => {
                return Err(Error::new(format!("`{place}` is in no registry"))).hint("leave `--remote` out");
            }
        };
        let everywhere = self.registries.everywhere(session)?;
        let images = everywhere.images(Pull::Never, &platform);
        let opened = images.open(&place, extent)?;
        let name = opened.name().first().or_else(|| place.name()).map_or_else(|| name_of_file(&place), |name| name_of(name).to_string());
        act(&images, &opened, &name)
    }
}

/// An image in a file or folder is called like that.
fn name_of_file(place: &Place) -> String {
    let stem = place.path().and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
    stem.filter(|stem| !stem.is_empty()).unwrap_or_else(|| "image".into())
}
