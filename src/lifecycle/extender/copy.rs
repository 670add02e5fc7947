//! `COPY`, `ADD` and the folders of `WORKDIR`: which files go where. Files of a context go into a layer without being put anywhere before.

use super::account::account;
use super::context::Context;
use super::dockerfile::{Document, Flag, Source};
use super::layer::{Content, Files, Planned};
use super::root::{EntryKind, Root, clean, resolve};
use crate::archive::{Ownership, decompressed, unpack};
use crate::error::{Advice, Context as _, Error, Result};
use crate::lifecycle::layer::tree::{Node, Order, join, walk};
use rustix::fs::FileType;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// User and group.
type Owner = (u32, u32);

/// What is copied, with variables replaced.
pub(super) struct Request<'a> {
    pub root: &'a dyn Root,
    pub context: &'a Context,
    pub sources: Vec<Source>,
    pub target: String,
    pub directory: &'a Path,
    pub owner: Option<Owner>,
    pub mode: Option<u32>,
    /// Whether archives are unpacked, into folders of here.
    pub unpack_into: Option<&'a Path>,
}

/// The options `--chown` and `--chmod`; others are refused.
pub(super) fn options(root: &dyn Root, flags: &[Flag]) -> Result<(Option<Owner>, Option<u32>)> {
    let (mut owner, mut mode) = (None, None);
    for flag in flags {
        match flag.name.as_str() {
            "chown" => {
                let found = account(root, &flag.value, |uid| uid)?;
                owner = Some((found.uid, found.gid));
            }
            "chmod" => {
                let bits = u32::from_str_radix(&flag.value, 8).ok().filter(|bits| *bits <= 0o7777);
                mode = Some(bits.context(|| format!("`--chmod={}` is not an octal mode", flag.value))?);
            }
            // How layers are made is no matter of the Dockerfile here.
            "link" => {}
            "from" => {
                return Err(Error::new("files cannot be copied from another image or stage"))
                    .hint("an extension's Dockerfile has one stage; put the files into its context folder");
            }
            other => return Err(Error::new(format!("the option `--{other}` is not offered"))),
        }
    }
    Ok((owner, mode))
}

/// The folder of `WORKDIR`, which belongs to the user of the instruction where it is new.
pub(super) fn folder(root: &dyn Root, path: &Path, owner: (u32, u32)) -> Result<Files> {
    let mut files = Files::default();
    let (real, found) = resolve(root, path)?;
    match found {
        Some(found) if found.kind == EntryKind::Folder => {}
        Some(_) => return Err(Error::new(format!("`{}` is not a folder", path.display()))),
        None => files.add(root, &real, Planned { content: Content::Folder, mode: 0o755, uid: owner.0, gid: owner.1 })?,
    }
    Ok(files)
}

/// The files that the instruction adds.
pub(super) fn plan(request: &Request) -> Result<Files> {
    let mut sources = Vec::new();
    for source in &request.sources {
        match source {
            Source::Path(path) if path.contains("://") || path.starts_with("git@") => {
                return Err(Error::new(format!("`{path}` is not on this machine, and nothing is downloaded for ADD")))
                    .hint("download it in `bin/generate` into the context folder, or with RUN, where what comes can be checked");
            }
            Source::Path(path) => sources.extend(request.context.find(path)?.into_iter().map(Found::Path)),
            Source::Document(document) => sources.push(Found::Document(document)),
        }
    }
    let ends_as_folder = request.target.ends_with('/') || request.target.ends_with("/.") || request.target == ".";
    if sources.len() > 1 && !ends_as_folder {
        return Err(Error::new("with more than one source file, the destination must be a directory and end with a /"));
    }
    let (target, found) = resolve(request.root, &clean(request.directory, &request.target))?;
    let is_folder = found.is_some_and(|entry| entry.kind == EntryKind::Folder);
    let mut copy = Copy { request, files: Files::default(), folders: HashMap::new() };
    for (number, source) in sources.iter().enumerate() {
        let into = |name: &OsStr| if ends_as_folder || is_folder { target.join(name) } else { target.clone() };
        match source {
            Found::Document(document) => {
                let content = Content::Text(document.content.clone().into_bytes());
                copy.add(&into(OsStr::new(&document.name)), content, request.mode.unwrap_or(0o644), None)?;
            }
            Found::Path(path) => copy.source(path, &target, &into(path.file_name().unwrap_or_default()), number)?,
        }
    }
    Ok(copy.files)
}

enum Found<'a> {
    Path(PathBuf),
    Document(&'a Document),
}

struct Copy<'a> {
    request: &'a Request<'a>,
    files: Files,
    /// Where folders of the image really are, by the paths they are copied to.
    folders: HashMap<PathBuf, PathBuf>,
}

impl Copy<'_> {
    /// A folder's content goes to `target`, a file becomes `file`.
    fn source(&mut self, path: &Path, target: &Path, file: &Path, number: usize) -> Result<()> {
        let real = self.request.context.real(path)?;
        let found = real.metadata().context(|| format!("cannot read `{}`", path.display()))?;
        if found.is_dir() {
            return self.tree(&real, target, None);
        }
        if let Some(scratch) = self.request.unpack_into
            && let Some(archive) = archive(&real)?
        {
            let scratch = scratch.join(number.to_string());
            std::fs::create_dir_all(&scratch).context(|| format!("cannot make `{}`", scratch.display()))?;
            let mut owners = Vec::new();
            unpack(archive, &scratch, Ownership::Squash, &mut owners).context(|| format!("cannot unpack `{}`", path.display()))?;
            return self.tree(&scratch, target, Some(&parse_owners(&owners)));
        }
        self.add(file, Content::File(real), found.permissions().mode() & 0o7777, None)
    }

    fn tree(&mut self, from: &Path, target: &Path, owners: Option<&Owners>) -> Result<()> {
        let mut nodes = Vec::new();
        walk(from, Order::Folders, &mut |node| {
            nodes.push(copied(node, from)?);
            Ok(())
        })?;
        for (path, content, mode) in nodes {
            let Some(content) = content else { continue };
            if owners.is_none() && self.request.context.ignores(&self.request.context.below(from).join(&path)) {
                continue;
            }
            let known = owners.map(|owners| owners.get(&path).copied().unwrap_or((0, 0, mode)));
            let place = if path.as_os_str().is_empty() { target.to_path_buf() } else { target.join(&path) };
            if matches!(content, Content::Folder) {
                let mode = if path.as_os_str().is_empty() { 0o755 } else { mode };
                self.folder(&place, mode, known)?;
            } else {
                self.add(&place, content, mode, known)?;
            }
        }
        Ok(())
    }

    /// A folder that is there already stays as it is.
    fn folder(&mut self, path: &Path, mode: u32, known: Option<(u32, u32, u32)>) -> Result<()> {
        let (real, found) = resolve(self.request.root, path)?;
        match found {
            Some(found) if found.kind == EntryKind::Folder => {}
            Some(_) => return Err(Error::new(format!("cannot copy a folder over the file `{}`", path.display()))),
            None if self.files.get(&real).is_some() => {}
            None => self.put(&real, Content::Folder, mode, known)?,
        }
        self.folders.insert(path.to_path_buf(), real);
        Ok(())
    }

    fn add(&mut self, path: &Path, content: Content, mode: u32, known: Option<(u32, u32, u32)>) -> Result<()> {
        let (above, name) = (path.parent().unwrap_or(path), path.file_name().context(|| "a file needs a name")?);
        if !self.folders.contains_key(above) {
            let (real, _) = resolve(self.request.root, above)?;
            self.folders.insert(above.to_path_buf(), real);
        }
        let real = self.folders.get(above).map_or_else(|| above.join(name), |above| above.join(name));
        if self.request.root.entry(&real)?.is_some_and(|entry| entry.kind == EntryKind::Folder) {
            return Err(Error::new(format!("cannot copy a file over the folder `{}`", path.display())));
        }
        self.put(&real, content, mode, known)
    }

    fn put(&mut self, real: &Path, content: Content, mode: u32, known: Option<(u32, u32, u32)>) -> Result<()> {
        let (uid, gid, mode) = known.unwrap_or((0, 0, mode));
        let (uid, gid) = self.request.owner.unwrap_or((uid, gid));
        self.files.add(self.request.root, real, Planned { content, mode: self.request.mode.unwrap_or(mode), uid, gid })
    }
}

/// A file of a tree: its path, what it is, its mode. Pipes, sockets and devices are left out.
fn copied(node: &Node, from: &Path) -> Result<(PathBuf, Option<Content>, u32)> {
    let content = match node.file_type() {
        FileType::Directory => Some(Content::Folder),
        FileType::Symlink => Some(Content::Link(node.target()?)),
        FileType::RegularFile => Some(Content::File(join(from, node.path))),
        _ => None,
    };
    Ok((PathBuf::from(OsStr::from_bytes(node.path)), content, node.permissions()))
}

/// Owner, group and mode of what is in an archive, where they are not root's.
type Owners = HashMap<PathBuf, (u32, u32, u32)>;

/// Reads lines as [`crate::archive::SIDECAR`] says.
fn parse_owners(text: &[u8]) -> Owners {
    let parse = |line: &[u8]| -> Option<(PathBuf, (u32, u32, u32))> {
        let mut fields = line.splitn(4, |byte| *byte == b' ');
        let mut number = |radix| u32::from_str_radix(std::str::from_utf8(fields.next()?).ok()?, radix).ok();
        let numbers = (number(10)?, number(10)?, number(8)?);
        Some((PathBuf::from(OsStr::from_bytes(fields.next()?)), numbers))
    };
    text.split(|byte| *byte == 0).filter_map(parse).collect()
}

/// The tar in a file, if it is one, compressed or not.
fn archive(path: &Path) -> Result<Option<Box<dyn Read + Send>>> {
    let describe = || format!("cannot read `{}`", path.display());
    let open = || -> Result<Option<Box<dyn Read + Send>>> {
        let mut start = [0; 6];
        let mut file = File::open(path).context(describe)?;
        let count = file.read(&mut start).context(describe)?;
        let file = File::open(path).context(describe)?;
        Ok(match &start[..count] {
            [b'B', b'Z', b'h', ..] => {
                return Err(Error::new("archives compressed with bzip2 are not unpacked").hint("use gzip, xz or zstd"));
            }
            b"\xfd7zXZ\0" => Some(Box::new(liblzma::read::XzDecoder::new(file))),
            _ => Some(decompressed(file).context(describe)?),
        })
    };
    let mut header = [0; 512];
    let Some(mut probe) = open()? else { return Ok(None) };
    // What cannot be decompressed is a file like any other.
    if probe.read_exact(&mut header).is_err() || !is_tar(&header) {
        return Ok(None);
    }
    open()
}

/// Whether a block is the first of a tar: its sum is right.
fn is_tar(header: &[u8; 512]) -> bool {
    let sum: u64 = header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) }).sum();
    let written = std::str::from_utf8(&header[148..156]).unwrap_or_default();
    header[0] != 0 && u64::from_str_radix(written.trim_matches(['\0', ' ']), 8).is_ok_and(|written| written == sum)
}
