//! Looks for files in the layers of an image as an overlay of them would show them, without mounting one.

use super::RootFs;
use crate::error::{Context, Result};
use crate::lifecycle::extender::{Entry, EntryKind};
use crate::store::Unpacked;
use launcher::file::read_document;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

impl RootFs {
    /// What is at an absolute path that has no link above its end.
    ///
    /// # Errors
    /// When a layer cannot be read.
    pub fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        let path = path.strip_prefix("/").unwrap_or(path);
        let Some((layer, status)) = self.find(path)? else { return Ok(None) };
        let kind = if status.is_dir() {
            EntryKind::Folder
        } else if status.is_symlink() {
            EntryKind::Link(fs::read_link(layer.tree.join(path)).context(|| format!("cannot read `{}`", path.display()))?)
        } else {
            EntryKind::File
        };
        let (uid, gid, mode) = self.owners.of(layer, path)?.unwrap_or((0, 0, status.mode() & 0o7777));
        Ok(Some(Entry { kind, mode, uid, gid }))
    }

    /// The text of a file at such a path; empty where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text_at(&self, path: &Path) -> Result<String> {
        let path = path.strip_prefix("/").unwrap_or(path);
        match self.find(path)? {
            Some((layer, status)) if status.is_file() => {
                read_document(&layer.tree.join(path)).context(|| format!("cannot read `/{}` of the image", path.display()))
            }
            Some(_) | None => Ok(String::new()),
        }
    }

    /// The layer that shows what is at a relative path, and its status there.
    fn find(&self, path: &Path) -> Result<Option<(&Unpacked, Metadata)>> {
        for layer in self.layers.iter().rev() {
            match look(layer, path).context(|| format!("cannot read `{}`", layer.tree.display()))? {
                Seen::Found(status) => return Ok(Some((layer, status))),
                Seen::Hidden => return Ok(None),
                Seen::Nothing => {}
            }
        }
        Ok(None)
    }
}

/// What one layer says of a path.
enum Seen {
    Found(Metadata),
    /// It hides what lower layers have there.
    Hidden,
    Nothing,
}

fn look(layer: &Unpacked, path: &Path) -> Result<Seen> {
    let above: Vec<&Path> = path.ancestors().skip(1).collect();
    let mut opaque = false;
    for folder in above.into_iter().rev() {
        let place = layer.tree.join(folder);
        match status(&place)? {
            None => return Ok(if opaque { Seen::Hidden } else { Seen::Nothing }),
            // A link, a file or a mark.
            Some(found) if !found.is_dir() => return Ok(Seen::Hidden),
            Some(_) => opaque |= is_opaque(&place),
        }
    }
    Ok(match status(&layer.tree.join(path))? {
        Some(found) if is_mark(&layer.tree.join(path), &found) => Seen::Hidden,
        Some(found) => Seen::Found(found),
        None if opaque => Seen::Hidden,
        None => Seen::Nothing,
    })
}

fn status(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        other => Ok(Some(other?)),
    }
}

/// Whether overlayfs takes a file for the mark of a hidden name; other devices are never unpacked.
fn is_mark(path: &Path, found: &Metadata) -> bool {
    let attribute = || rustix::fs::lgetxattr(path, "user.overlay.whiteout", &mut [0_u8; 4]).is_ok();
    found.file_type().is_char_device() || (found.is_file() && found.len() == 0 && attribute())
}

fn is_opaque(folder: &Path) -> bool {
    let mut value = [0; 1];
    rustix::fs::lgetxattr(folder, "user.overlay.opaque", &mut value).is_ok_and(|length| length == 1 && value == *b"y")
}

/// Owner, group and mode of files by layer, where they are not root's and the file's own; each list is read once.
#[derive(Default)]
pub(super) struct Owners(RefCell<HashMap<PathBuf, Rc<Listed>>>);

type Listed = HashMap<PathBuf, (u32, u32, u32)>;

impl Owners {
    fn of(&self, layer: &Unpacked, path: &Path) -> Result<Option<(u32, u32, u32)>> {
        let known = self.0.borrow().get(&layer.owners).cloned();
        let listed = match known {
            Some(listed) => listed,
            None => {
                let text = fs::read(&layer.owners).context(|| format!("cannot read `{}`", layer.owners.display()))?;
                let listed: Rc<Listed> = Rc::new(text.split(|byte| *byte == 0).filter_map(parse).collect());
                self.0.borrow_mut().insert(layer.owners.clone(), Rc::clone(&listed));
                listed
            }
        };
        Ok(listed.get(path).copied())
    }
}

/// A line as [`crate::archive::SIDECAR`] says.
fn parse(line: &[u8]) -> Option<(PathBuf, (u32, u32, u32))> {
    let mut fields = line.splitn(4, |byte| *byte == b' ');
    let mut number = |radix| u32::from_str_radix(std::str::from_utf8(fields.next()?).ok()?, radix).ok();
    let numbers = (number(10)?, number(10)?, number(8)?);
    Some((PathBuf::from(OsStr::from_bytes(fields.next()?)), numbers))
}
