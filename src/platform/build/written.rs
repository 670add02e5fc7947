//! Files of a build that a user asked for: its SBOM files and its report (CLI-33).

use super::Request;
use crate::error::{Context, Result};
use crate::image::Reference;
use crate::lifecycle::documents::report::ImageReport;
use crate::lifecycle::layer::inside;
use crate::platform::images::Images;
use crate::platform::rebase::write_report;
use crate::platform::sbom::{About, copy_files, name_of, write_documents};
use crate::store::Stored;
use std::path::Path;

/// Writes the report.
pub(super) fn report(request: &Request, image: ImageReport) -> Result<()> {
    request.report_output.as_ref().map_or(Ok(()), |folder| write_report(image, folder))
}

/// Writes the SBOM files of the build for a platform, and documents of all that is in its image; of several builds, each into a folder of its own.
pub(super) fn sboms(request: &Request, made: &Stored, layers: &Path, previous: Option<&Reference>, images: &Images) -> Result<()> {
    let Some(folder) = &request.sbom_output else { return Ok(()) };
    let own = folder.join(images.platform.to_string().replace('/', "-"));
    let folder = if request.platforms.len() > 1 { &own } else { folder };
    // As the reference has it, a new folder has the files, and one that was there gets a folder `sbom` with them.
    let target = if folder.is_dir() && !folder.join("launch").is_dir() { folder.join("sbom") } else { folder.clone() };
    copy_files(&inside(layers, "sbom")?, &target).context(|| format!("cannot write the SBOM files into `{}`", folder.display()))?;
    let documents = images.store.documents(made)?;
    let about = About { image: &made.image, documents: &documents, name: name_of(&request.image), registry: previous };
    write_documents(&images.sbom(&about)?, &target)
}
