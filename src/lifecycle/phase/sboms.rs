//! The SBOM files of the lifecycle and of its launcher (SBOM-09, SBOM-10).

use super::{Inputs, Phase};
use crate::error::{Context, Result};
use crate::lifecycle::exporter::SbomFile;
use crate::lifecycle::restorer::{LARGEST_SBOM, SBOM_EXTENSIONS};
use launcher::api::Api;
use launcher::file;
use std::io::ErrorKind;
use std::path::Path;

/// Where a builder has them.
const FOLDER: &str = "/cnb/lifecycle";

/// The SBOM files that belong beside those of the buildpacks; what a builder does not have is warned of.
///
/// # Errors
/// When a file or the folder that the platform named cannot be read.
pub(super) fn sboms(inputs: &Inputs, phase: &Phase) -> Result<Vec<SbomFile>> {
    if inputs.api < Api::new(0, 11) {
        return Ok(Vec::new());
    }
    let mut files = standard("lifecycle", "build/buildpacksio_lifecycle", phase)?;
    let folder = inputs.path("launcher-sbom");
    if folder == Path::new(FOLDER) {
        files.extend(standard("launcher", "launch/buildpacksio_lifecycle/launcher", phase)?);
    } else {
        files.extend(all_of(&folder)?);
    }
    Ok(files)
}

fn standard(component: &str, place: &str, phase: &Phase) -> Result<Vec<SbomFile>> {
    let mut files = Vec::new();
    for extension in SBOM_EXTENSIONS {
        let name = format!("{component}.sbom.{extension}");
        let path = Path::new(FOLDER).join(&name);
        match file::read(&path, LARGEST_SBOM) {
            Ok(content) => files.push(SbomFile { path: format!("{place}/sbom.{extension}"), content }),
            Err(error) if error.kind() == ErrorKind::NotFound => phase.output.warn(&format!("Did not find SBOM {name} in {FOLDER}")),
            Err(error) => return Err(error).context(|| format!("cannot read `{}`", path.display())),
        }
    }
    Ok(files)
}

fn all_of(folder: &Path) -> Result<Vec<SbomFile>> {
    let describe = || format!("cannot read the SBOM files in `{}`", folder.display());
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1).max_depth(1).sort_by_file_name() {
        let entry = entry.context(describe)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type().is_dir() && SBOM_EXTENSIONS.iter().any(|extension| name.ends_with(&format!("sbom.{extension}"))) {
            let path = format!("launch/buildpacksio_lifecycle/launcher/{name}");
            files.push(SbomFile { path, content: file::read(entry.path(), LARGEST_SBOM).context(describe)? });
        }
    }
    Ok(files)
}
