//! The lifecycle's own SBOM files, beside those of the buildpacks (SBOM-09).

use super::Export;
use crate::error::{Context, Result};
use crate::lifecycle::layer::inside;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

/// The folder of the SBOM files that are in the image, below the layers folder.
pub const LAUNCH: &str = "sbom/launch";

/// An SBOM file of a component of the lifecycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SbomFile {
    /// Its path below `<layers>/sbom`.
    pub path: String,
    /// What it says.
    pub content: Vec<u8>,
}

/// Puts the SBOM files where the SBOM layer and the platform take them from.
pub fn add_own(request: &Export) -> Result<()> {
    let sbom = inside(&request.folders.layers, "sbom")?;
    for file in request.launcher.sboms {
        let path = inside(&sbom, &file.path)?;
        let describe = || format!("cannot write `{}`", path.display());
        let folders: Vec<_> = path.ancestors().skip(1).take_while(|folder| *folder != sbom && !folder.is_dir()).collect();
        fs::create_dir_all(path.parent().unwrap_or(&sbom)).context(describe)?;
        for folder in folders {
            // Modes are part of the layer; they must not depend on the umask.
            fs::set_permissions(folder, Permissions::from_mode(0o755)).context(describe)?;
        }
        fs::write(&path, &file.content).context(describe)?;
        fs::set_permissions(&path, Permissions::from_mode(0o644)).context(describe)?;
    }
    Ok(())
}
