//! The layer that an instruction makes: its files sorted by path, with one time, so that the same files make the same layer (EXP-04).

use super::root::{Entry as Found, EntryKind, Root};
use crate::archive::{Entry, Kind, TarWriter, capability};
use crate::error::{Context, Error, Result};
use crate::image::{Digest, History, Layer};
use crate::store::Store;
use rustix::fs::{CWD, Mode, OFlags};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The files of a layer by their absolute paths, whose parents hold no link.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<Vec<u8>, Planned>);

/// A file of a layer.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub content: Content,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

/// What a file of a layer is.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A folder.
    Folder,
    /// A folder that is there already, and stays as it is.
    Existing,
    /// A symbolic link.
    Link(Vec<u8>),
    /// A second name of a file that comes before.
    HardLink(Vec<u8>),
    /// A file with the content of one on this machine.
    File(PathBuf),
    /// A file with this content.
    Text(Vec<u8>),
    /// Nothing: what is there in lower layers is gone.
    Whiteout,
}

impl Files {
    /// Adds a file, and the folders above it that are not listed yet: as they are, or root's.
    pub fn add(&mut self, root: &dyn Root, path: &Path, planned: Planned) -> Result<()> {
        let above = path.parent().into_iter().flat_map(Path::ancestors).filter(|above| above.parent().is_some());
        for above in above {
            let key = above.as_os_str().as_bytes().to_vec();
            if self.0.contains_key(&key) {
                break;
            }
            self.0.insert(key, parent(root, above)?);
        }
        self.0.insert(path.as_os_str().as_bytes().to_vec(), planned);
        Ok(())
    }

    /// What is planned at a path.
    pub fn get(&self, path: &Path) -> Option<&Planned> {
        self.0.get(path.as_os_str().as_bytes())
    }

    /// Whether there is anything to change.
    pub fn is_empty(&self) -> bool {
        self.0.values().all(|planned| matches!(planned.content, Content::Existing))
    }

    /// A digest of all that would be written, for caches.
    pub fn digest(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for (path, planned) in self.0.iter().filter(|(_, planned)| !matches!(planned.content, Content::Existing)) {
            hash.update((path.len() as u64).to_le_bytes());
            hash.update(path);
            hash.update(format!("{:o} {} {} ", planned.mode, planned.uid, planned.gid));
            match &planned.content {
                Content::Folder | Content::Existing => hash.update(b"folder"),
                Content::Whiteout => hash.update(b"gone"),
                Content::Link(target) => [b"link", target.as_slice()].iter().for_each(|bytes| hash.update(bytes)),
                Content::HardLink(target) => [b"also", target.as_slice()].iter().for_each(|bytes| hash.update(bytes)),
                Content::Text(text) => hash.update(Sha256::digest(text)),
                Content::File(source) => {
                    let file = open(source)?;
                    hash.update(capability(&file).unwrap_or_default());
                    hash.update(Digest::of_all(file).context(|| format!("cannot read `{}`", source.display()))?.as_str());
                }
            }
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Writes the layer into the store.
    pub fn write(&self, store: &Store, created_by: &str) -> Result<Layer> {
        let history = History { created_by: created_by.into(), ..History::default() };
        store.put_layer(history, |out| {
            let mut tar = TarWriter::new(out);
            for (path, planned) in &self.0 {
                let name = String::from_utf8_lossy(path).into_owned();
                write(&mut tar, path, planned).context(|| format!("cannot pack `{name}`"))?;
            }
            tar.end().context(|| "cannot write the layer")
        })
    }
}

/// A folder above a new file.
fn parent(root: &dyn Root, path: &Path) -> Result<Planned> {
    match root.entry(path)? {
        Some(Found { kind: EntryKind::Folder, mode, uid, gid }) => Ok(Planned { content: Content::Existing, mode, uid, gid }),
        Some(_) => Err(Error::new(format!("`{}` is not a folder", path.display()))),
        None => Ok(Planned { content: Content::Folder, mode: 0o755, uid: 0, gid: 0 }),
    }
}

fn write<W: Write>(tar: &mut TarWriter<W>, path: &[u8], planned: &Planned) -> Result<()> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let (uid, gid) = (planned.uid.into(), planned.gid.into());
    let entry = Entry::directory(path, planned.mode, uid, gid, Entry::NORMAL_TIME);
    match &planned.content {
        Content::Folder | Content::Existing => tar.append(&entry, io::empty())?,
        Content::Link(target) => {
            tar.append(&Entry { kind: Kind::Symlink { target: target.clone() }, mode: 0o777, ..entry }, io::empty())?;
        }
        Content::HardLink(target) => {
            let target = target.strip_prefix(b"/").unwrap_or(target).to_vec();
            tar.append(&Entry { kind: Kind::HardLink { target }, ..entry }, io::empty())?;
        }
        Content::Text(text) => tar.append(&Entry { kind: Kind::File { size: text.len() as u64 }, ..entry }, text.as_slice())?,
        Content::File(source) => {
            let file = open(source)?;
            let size = file.metadata()?.len();
            tar.append_capable(&Entry { kind: Kind::File { size }, ..entry }, capability(&file).as_deref(), file)?;
        }
        Content::Whiteout => tar.append(&Entry { kind: Kind::File { size: 0 }, path: whiteout(path), mode: 0, ..entry }, io::empty())?,
    }
    Ok(())
}

/// The name that hides a name of lower layers (OCI layer, "Whiteouts").
fn whiteout(path: &[u8]) -> Vec<u8> {
    let path = Path::new(OsStr::from_bytes(path));
    let name = [b".wh.", path.file_name().unwrap_or_default().as_bytes()].concat();
    path.with_file_name(OsStr::from_bytes(&name)).into_os_string().as_bytes().to_vec()
}

/// Opens a file itself, never what a link leads to.
fn open(path: &Path) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::openat(CWD, path, flags, Mode::empty()).map(File::from).context(|| format!("cannot read `{}`", path.display()))
}
