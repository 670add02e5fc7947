//! Files of a build that a user asked for: its SBOM files and its report (CLI-33).

use super::Request;
use crate::error::{Context, Result};
use crate::image::Platform;
use crate::lifecycle::documents::report::{ImageReport, Report};
use crate::lifecycle::layer::inside;
use std::fs;
use std::path::Path;
use walkdir::WalkDir;

/// Writes the report.
pub(super) fn report(request: &Request, image: ImageReport) -> Result<()> {
    let Some(folder) = &request.report_output else { return Ok(()) };
    let describe = || format!("cannot write the report into `{}`", folder.display());
    fs::create_dir_all(folder).context(describe)?;
    fs::write(folder.join("report.toml"), Report { build: None, image }.to_toml()?).context(describe)
}

/// Writes the SBOM files of the build for a platform; of several builds, each into a folder of its own.
pub(super) fn sboms(request: &Request, platform: &Platform, layers: &Path) -> Result<()> {
    let Some(folder) = &request.sbom_output else { return Ok(()) };
    let own = folder.join(platform.to_string().replace('/', "-"));
    let folder = if request.platforms.len() > 1 { &own } else { folder };
    // As the reference has it, a new folder has the files, and one that was there gets a folder `sbom` with them.
    let target = if folder.is_dir() && !folder.join("launch").is_dir() { folder.join("sbom") } else { folder.clone() };
    copy(&inside(layers, "sbom")?, &target).context(|| format!("cannot write the SBOM files into `{}`", folder.display()))
}

/// Copies regular files; after a build nothing in the layers is followed.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in WalkDir::new(from).min_depth(1).sort_by_file_name() {
        let entry = match entry {
            Err(error) if error.depth() == 0 => return Ok(()),
            other => other.context(|| "cannot list them")?,
        };
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(Path::new("")));
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)?;
        } else if entry.file_type().is_file() {
            fs::write(&target, fs::read(entry.path())?)?;
        }
    }
    Ok(())
}
