//! What a layer hides, for those who put it over files without an overlay.

use super::reader::TarReader;
use crate::error::{Context, Result};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The relative paths that the tar `layer` hides by name.
///
/// # Errors
/// When the tar is damaged.
pub fn whiteouts(layer: impl Read) -> Result<Vec<PathBuf>> {
    let mut tar = TarReader::new(layer);
    let mut hidden = Vec::new();
    while let Some(member) = tar.next().context(|| "cannot read the layer's tar")? {
        let path = Path::new(OsStr::from_bytes(&member.path));
        let name = path.file_name().and_then(|name| name.as_bytes().strip_prefix(b".wh."));
        let is_plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::RootDir | Component::CurDir));
        if let Some(name) =
            name.filter(|name| is_plain && !name.is_empty() && !name.starts_with(b".wh.") && *name != b"." && *name != b"..")
        {
            let path = path.with_file_name(OsStr::from_bytes(name));
            hidden.push(path.strip_prefix("/").unwrap_or(&path).to_path_buf());
        }
    }
    Ok(hidden)
}
