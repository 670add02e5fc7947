//! The files of two images, as their layers leave them. Layers that both have at the bottom are read only where one image alone touches a file
//! that may be in them.

use crate::archive::{Member, MemberKind, TarReader, decompressed};
use crate::error::{Context, Result};
use crate::image::{Digest, Image, Layer};
use crate::store::Store;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::rc::Rc;

/// A file of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileState {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, with set-user-ID and the like, in octal digits.
    pub mode: String,
    /// Owner and group.
    pub owner: String,
    /// Bytes of content.
    pub size: u64,
    /// Seconds since 1970.
    pub time: i64,
    /// Where a symbolic link points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Digest of its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The capabilities of a program, in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// The layer that it came with.
    pub layer: Digest,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    File,
    Symlink,
    Folder,
    Device,
    Fifo,
}

/// A file that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// Its path, from `/`.
    pub path: String,
    /// What of it differs, as `content` and `mode`; of a file that only one of the images has, nothing.
    pub fields: Vec<&'static str>,
    /// What it was; nothing where it was not there.
    pub from: Option<FileState>,
    /// What it is; nothing where it is gone.
    pub to: Option<FileState>,
}

/// The files that differ between two images whose layers are in the store, sorted by path.
///
/// # Errors
/// When a layer cannot be read.
pub fn changes(from: &Image, to: &Image, store: &Store) -> Result<Vec<FileChange>> {
    let shared = from.layers.iter().zip(&to.layers).take_while(|(a, b)| a.diff_id == b.diff_id).count();
    let mut reader = Reader { store, known: BTreeMap::new() };
    let mut view = |layers: &[Layer], wanted: Option<&Touched>| -> Result<View> {
        let mut view = View::default();
        layers.iter().try_for_each(|layer| reader.layer(layer, wanted).map(|contents| view.put(&contents)))?;
        Ok(view)
    };
    let (a, b) = (view(&from.layers[shared..], None)?, view(&to.layers[shared..], None)?);
    let touched = Touched::by_one(&a, &b);
    let below = if touched.is_empty() { View::default() } else { view(&from.layers[..shared], Some(&touched))? };
    let paths: BTreeSet<&Vec<u8>> = [&a, &b, &below].into_iter().flat_map(|view| view.files.keys()).collect();
    let change = |path: &Vec<u8>| FileChange::of(path, a.file(path, &below), b.file(path, &below));
    Ok(paths.into_iter().filter_map(change).collect())
}

impl FileChange {
    fn of(path: &[u8], from: Option<&FileState>, to: Option<&FileState>) -> Option<Self> {
        let fields = match (from, to) {
            (None, None) => return None,
            (Some(from), Some(to)) => from.differing(to),
            (Some(_), None) | (None, Some(_)) => Vec::new(),
        };
        let differs = from.is_some() != to.is_some() || !fields.is_empty();
        let path = format!("/{}", String::from_utf8_lossy(path));
        differs.then(|| Self { path, fields, from: from.cloned(), to: to.cloned() })
    }
}

impl FileState {
    /// What a tar says of a member, whose content comes next.
    fn read(member: &Member, content: &mut impl io::Read, layer: &Digest) -> Result<Self> {
        let digest = if member.kind == MemberKind::File { Some(Digest::of_all(content)?) } else { None };
        Ok(Self {
            kind: Kind::of(member.kind),
            mode: format!("{:04o}", member.mode),
            owner: format!("{}:{}", member.uid, member.gid),
            size: member.size,
            time: member.mtime,
            target: (!member.link.is_empty()).then(|| String::from_utf8_lossy(&member.link).into_owned()),
            digest,
            capability: member.capability.as_ref().map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
            layer: layer.clone(),
        })
    }

    /// What differs, whichever layers the two came with.
    fn differing(&self, other: &Self) -> Vec<&'static str> {
        let fields = [
            ("kind", self.kind != other.kind),
            ("content", (&self.digest, self.size) != (&other.digest, other.size)),
            ("target", self.target != other.target),
            ("mode", self.mode != other.mode),
            ("owner", self.owner != other.owner),
            ("time", self.time != other.time),
            ("capability", self.capability != other.capability),
        ];
        fields.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}

/// What a layer does, or several leave.
#[derive(Default)]
struct View {
    files: BTreeMap<Vec<u8>, FileState>,
    /// Names that are taken away from the layers below, with all that is below them.
    removed: BTreeSet<Vec<u8>>,
    /// Folders whose content is taken away from them.
    emptied: BTreeSet<Vec<u8>>,
}

impl View {
    /// Puts a layer on top.
    fn put(&mut self, layer: &Self) {
        for path in &layer.removed {
            self.files.remove(path);
            self.empty(path);
        }
        layer.emptied.iter().for_each(|path| self.empty(path));
        for (path, state) in &layer.files {
            if state.kind != Kind::Folder {
                self.empty(path);
            }
            self.files.insert(path.clone(), state.clone());
        }
        // What a name that is no folder takes away is told by its kind.
        let replaced = layer.files.iter().filter(|(_, state)| state.kind != Kind::Folder).map(|(path, _)| path);
        self.emptied.extend(layer.emptied.iter().chain(replaced).cloned());
        self.removed.extend(layer.removed.iter().cloned());
    }

    /// Takes away what is below a path.
    fn empty(&mut self, path: &[u8]) {
        let start = if path.is_empty() { Vec::new() } else { [path, b"/"].concat() };
        let gone: Vec<_> =
            self.files.range(start.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&start)).cloned().collect();
        gone.iter().for_each(|path| drop(self.files.remove(path)));
    }

    /// The file at a path, where `below` is what the layers below leave.
    fn file<'a>(&'a self, path: &[u8], below: &'a Self) -> Option<&'a FileState> {
        self.files.get(path).or_else(|| below.files.get(path).filter(|_| !self.hides(path)))
    }

    /// Whether a path of the layers below is gone.
    fn hides(&self, path: &[u8]) -> bool {
        self.removed.contains(path) || ancestors(path).any(|above| self.removed.contains(above) || self.emptied.contains(above))
    }
}

/// The folders above a path, the nearest first, with the root.
fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(parent(path), |path| parent(path))
}

/// The folder above a path; nothing above the root.
fn parent(path: &[u8]) -> Option<&[u8]> {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => Some(&path[..at]),
        None if path.is_empty() => None,
        None => Some(&path[..0]),
    }
}

/// Paths whose state in the layers below both images decides whether they differ.
struct Touched {
    paths: BTreeSet<Vec<u8>>,
    folders: BTreeSet<Vec<u8>>,
}

impl Touched {
    fn by_one(a: &View, b: &View) -> Self {
        let files = |of: &View, other: &View| of.files.keys().filter(|path| !other.files.contains_key(*path)).cloned().collect::<Vec<_>>();
        let removed: BTreeSet<_> = a.removed.symmetric_difference(&b.removed).cloned().collect();
        let emptied = a.emptied.symmetric_difference(&b.emptied).cloned();
        let paths = files(a, b).into_iter().chain(files(b, a)).chain(removed.iter().cloned()).collect();
        Self { paths, folders: emptied.chain(removed).collect() }
    }

    fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.folders.is_empty()
    }

    fn wants(&self, path: &[u8]) -> bool {
        self.paths.contains(path) || ancestors(path).any(|above| self.folders.contains(above))
    }
}

/// Reads each layer once, though both images have it.
struct Reader<'a> {
    store: &'a Store,
    known: BTreeMap<Digest, Rc<View>>,
}

impl Reader<'_> {
    fn layer(&mut self, layer: &Layer, wanted: Option<&Touched>) -> Result<Rc<View>> {
        let describe = || format!("cannot read the layer {}", layer.diff_id);
        if let Some(known) = self.known.get(&layer.diff_id).filter(|_| wanted.is_none()) {
            return Ok(known.clone());
        }
        let blob = File::open(self.store.blob_path(&layer.blob.digest)).context(describe)?;
        let contents = Rc::new(View::read(decompressed(blob).context(describe)?, &layer.diff_id, wanted).context(describe)?);
        if wanted.is_none() {
            self.known.insert(layer.diff_id.clone(), contents.clone());
        }
        Ok(contents)
    }
}

impl View {
    /// Reads a layer's tar; only what is wanted, where that is told.
    fn read(tar: impl io::Read, layer: &Digest, wanted: Option<&Touched>) -> Result<Self> {
        let mut tar = TarReader::new(tar);
        let mut contents = Self::default();
        while let Some(member) = tar.next()? {
            let path = plain(&member.path);
            let folder = parent(&path).unwrap_or_default();
            let name = path.strip_prefix(folder).map_or(&path[..], |name| name.strip_prefix(b"/").unwrap_or(name));
            if name == b".wh..wh..opq" {
                contents.emptied.insert(folder.to_vec());
            } else if let Some(name) = name.strip_prefix(b".wh.").filter(|name| !name.is_empty()) {
                contents.removed.insert(if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() });
            } else if !path.is_empty() && wanted.is_none_or(|wanted| wanted.wants(&path)) {
                // A second name is the same file.
                let first = (member.kind == MemberKind::HardLink).then(|| contents.files.get(&plain(&member.link)).cloned()).flatten();
                let state = first.map_or_else(|| FileState::read(&member, &mut tar, layer), Ok)?;
                contents.files.insert(path, state);
            }
        }
        Ok(contents)
    }
}

impl Kind {
    fn of(kind: MemberKind) -> Self {
        match kind {
            MemberKind::File | MemberKind::HardLink => Self::File,
            MemberKind::Symlink => Self::Symlink,
            MemberKind::Directory => Self::Folder,
            MemberKind::Device => Self::Device,
            MemberKind::Fifo => Self::Fifo,
        }
    }
}

/// A member's name without what different writers put around it.
fn plain(path: &[u8]) -> Vec<u8> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    parts.collect::<Vec<_>>().join(&b'/')
}
