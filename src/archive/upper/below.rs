//! What a path was in the layers below.

use super::owners::{self, Listed};
use super::{is_whiteout, marked};
use crate::error::Result;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// An unpacked layer.
#[derive(Clone, Copy, Debug)]
pub struct Below<'a> {
    /// Its folder.
    pub tree: &'a Path,
    /// Its [`super::super::SIDECAR`].
    pub owners: &'a Path,
}

/// What a path was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    /// The mode that the unpacked file shows.
    pub shown: u32,
    pub is_folder: bool,
}

/// The layers below, the highest first.
pub struct Lowers<'a>(Vec<(&'a Path, HashMap<PathBuf, Listed>)>);

impl<'a> Lowers<'a> {
    pub fn read(below: &[Below<'a>]) -> Result<Self> {
        below.iter().rev().map(|layer| Ok((layer.tree, owners::read(layer.owners)?))).collect::<Result<_>>().map(Self)
    }

    /// What a path was; nothing where there was none.
    pub fn find(&self, path: &Path) -> Option<Before> {
        for (tree, owners) in &self.0 {
            let place = tree.join(path);
            if let Ok(found) = place.symlink_metadata() {
                if is_whiteout(&place, &found) {
                    return None;
                }
                let shown = found.mode() & 0o7777;
                let listed = owners.get(path).copied().unwrap_or(Listed { uid: None, gid: None, mode: shown });
                let (uid, gid) = (listed.uid.unwrap_or(0), listed.gid.unwrap_or(0));
                return Some(Before { uid, gid, mode: listed.mode, shown, is_folder: found.is_dir() });
            }
            if hides(tree, path) {
                return None;
            }
        }
        None
    }
}

/// Whether a layer hides what lower ones have at a path that it does not have itself.
fn hides(tree: &Path, path: &Path) -> bool {
    path.ancestors().skip(1).any(|above| {
        let place = tree.join(above);
        place.symlink_metadata().is_ok_and(|found| !found.is_dir() || marked(&place, "user.overlay.opaque", b"y"))
    })
}
