//! Unpacks a cached layer for a build: its files belong to this process's user, with the modes that they had.

use crate::archive::{Ownership, unpack};
use crate::buildpack::escape_id;
use crate::error::{Context, Error, Result};
use crate::image::Hashing;
use crate::lifecycle::layer::Owner;
use crate::lifecycle::layer::fingerprint::Fingerprint;
use crate::store::remove_tree;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Unpacks `tar` into `folder`.
///
/// # Errors
/// When the tar is not the one of this diffID, cannot be understood, or the folder cannot be written.
pub fn unpack_checked(tar: impl Read, diff_id: &str, folder: &Path) -> Result<()> {
    let mut tar = Hashing::new(tar);
    let mut owners = Vec::new();
    unpack(&mut tar, folder, Ownership::Squash, &mut owners)?;
    io::copy(&mut tar, &mut io::sink())?;
    let (found, _) = tar.finish();
    if found.as_str() != diff_id {
        return Err(Error::new(format!("the cached layer is damaged: it is {found}, not {diff_id}")));
    }
    set_modes(folder, &owners)
}

/// Brings a layer to `path` from where it was unpacked.
///
/// # Errors
/// When there is no folder of that layer.
pub fn bring(unpacked: &Path, id: &str, path: &Path, owner: Option<Owner>) -> Result<Fingerprint> {
    let (buildpack, name) = id.rsplit_once(':').context(|| format!("`{id}` is no layer"))?;
    // The tar has the layer's path in the image, as /layers/acme_python/venv.
    let in_tar = find(unpacked, &Path::new(&escape_id(buildpack)).join(name))
        .context(|| format!("the cached layer `{id}` has no folder of that name"))?;
    fs::rename(&in_tar, path).context(|| format!("cannot bring the cached layer to `{}`", path.display()))?;
    if let Some(owner) = owner {
        super::app::give_tree(path, owner)?;
    }
    Fingerprint::of_new(path)
}

/// Brings the SBOM files of cached layers below `layers`, where the layer that was unpacked has some.
///
/// # Errors
/// When the folder cannot be written.
pub fn bring_sbom(unpacked: &Path, layers: &Path) -> Result<Option<PathBuf>> {
    let Some(found) = find(unpacked, Path::new("sbom/cache")) else { return Ok(None) };
    let target = layers.join("sbom/cache");
    remove_tree(&target)?;
    fs::create_dir_all(layers.join("sbom")).context(|| format!("cannot make `{}`", layers.join("sbom").display()))?;
    fs::rename(&found, &target).context(|| format!("cannot restore `{}`", target.display()))?;
    Ok(Some(target))
}

/// The folder below `root` whose path ends with `tail`; the folders above it have one member each.
fn find(root: &Path, tail: &Path) -> Option<PathBuf> {
    let mut folder = root.to_path_buf();
    loop {
        let found = folder.join(tail);
        if found.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Some(found);
        }
        let mut members = fs::read_dir(&folder).ok()?;
        let only = members.next()?.ok()?;
        if members.next().is_some() || !only.file_type().ok()?.is_dir() {
            return None;
        }
        folder = only.path();
    }
}

/// Sets the modes that unpacking had to leave out; each entry is `UID GID MODE PATH`.
fn set_modes(root: &Path, owners: &[u8]) -> Result<()> {
    let lines: Vec<&[u8]> = owners.split(|byte| *byte == 0).collect();
    // The deepest first, because a folder may become one that cannot be entered.
    for line in lines.iter().rev() {
        let mut fields = line.splitn(4, |byte| *byte == b' ').skip(2);
        let (Some(mode), Some(path)) = (fields.next(), fields.next()) else { continue };
        let mode = u32::from_str_radix(&String::from_utf8_lossy(mode), 8).context(|| "bad mode")?;
        let path = root.join(OsStr::from_bytes(path));
        let found = path.symlink_metadata()?;
        // A link has no mode of its own: setting one would change what it points to.
        if !found.is_symlink() && found.permissions().mode() & 0o7777 != mode {
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}
