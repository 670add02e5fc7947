//! The launcher's own SBOM files, beside those of the buildpacks (SBOM-09).

use super::Export;
use crate::error::{Context, Result};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// The folder of the SBOM files that are in the image, below the layers folder.
pub const LAUNCH: &str = "sbom/launch";

/// An SBOM file of a component of the lifecycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SbomFile {
    /// How its name ends: `cdx.json`, `spdx.json` or `syft.json`.
    pub extension: String,
    /// What it says.
    pub content: Vec<u8>,
}

/// Puts the launcher's SBOM files where the SBOM layer takes them from.
pub fn add_launcher(request: &Export) -> Result<()> {
    if request.launcher.sboms.is_empty() {
        return Ok(());
    }
    let folder = request.folders.layers.join(LAUNCH).join("buildpacksio_lifecycle/launcher");
    let describe = || format!("cannot write the launcher's SBOM files to `{}`", folder.display());
    fs::create_dir_all(&folder).context(describe)?;
    for folder in folder.ancestors().take(3) {
        // Modes are part of the layer; they must not depend on the umask.
        fs::set_permissions(folder, Permissions::from_mode(0o755)).context(describe)?;
    }
    for file in request.launcher.sboms {
        let path = folder.join(format!("sbom.{}", file.extension));
        fs::write(&path, &file.content).context(describe)?;
        fs::set_permissions(&path, Permissions::from_mode(0o644)).context(describe)?;
    }
    Ok(())
}
