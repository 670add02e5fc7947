//! Unpacks a cached layer for a build: its files belong to this process's user, with the modes that they had.

use crate::archive::{Ownership, unpack};
use crate::error::{Context, Error, Result};
use crate::image::Digest;
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Unpacks `tar` into `folder`.
///
/// # Errors
/// When the tar is not the one of this diffID, cannot be understood, or the folder cannot be written.
pub fn unpack_checked(tar: impl Read, diff_id: &str, folder: &Path) -> Result<()> {
    let mut tar = Hashing { tar, hash: Sha256::new() };
    let mut owners = Vec::new();
    unpack(&mut tar, folder, Ownership::Squash, &mut owners)?;
    io::copy(&mut tar, &mut io::sink())?;
    let found = Digest::from_sha256(tar.hash.finalize().into());
    if found.as_str() != diff_id {
        return Err(Error::new(format!("the cached layer is damaged: it is {found}, not {diff_id}")));
    }
    set_modes(folder, &owners)
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

struct Hashing<R> {
    tar: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.tar.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
