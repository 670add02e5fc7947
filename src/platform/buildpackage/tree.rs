//! A module's files as a layer: under their place in images, owned by root, with one time and the modes that the reference gives (PKG-02 to
//! PKG-04). The layer of a folder is the one that the reference makes of it.

use super::Module;
use super::package::history;
use crate::archive::{Entry, Kind as Form, MemberKind, TarReader, TarWriter, append_with_time, decompressed};
use crate::buildpack::{Kind, ModuleToml, Target, escape_id};
use crate::error::{Advice, Context, Error, Result};
use crate::image::Layer;
use crate::lifecycle::layer::tree::{Order, walk};
use crate::store::Store;
use launcher::file::{LARGEST_DOCUMENT, read_document};
use rustix::fs::FileType;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Seek, Write, empty};
use std::path::Path;

const NO_MODULE: &str = "a buildpack has a `buildpack.toml`, an extension an `extension.toml`";
/// What starts, whatever its mode says.
const PROGRAMS: [&[u8]; 3] = [b"bin/build", b"bin/detect", b"bin/generate"];

/// A module of the files in a folder.
pub fn of_folder(folder: &Path, store: &Store) -> Result<Module> {
    of_folders(folder, folder, store)
}

/// A module of the files that a folder has for a machine: in `<os>/<arch>/<variant>/<distro>@<version>`, as far as there are such folders, else all
/// (PKG-18).
pub fn of_folder_for(folder: &Path, target: &Target, store: &Store) -> Result<Module> {
    let distro = target.distros.first().map(|distro| format!("{}@{}", distro.name, distro.version)).unwrap_or_default();
    let parts = [&target.os, &target.arch, &target.variant, &distro];
    let folders = (1..=parts.len())
        .map(|count| parts[..count].iter().filter(|part| !part.is_empty()).fold(folder.to_path_buf(), |path, part| path.join(part)));
    let files = folders.rev().find(|deeper| deeper.join("bin").is_dir()).unwrap_or_else(|| folder.to_path_buf());
    of_folders(folder, &files, store)
}

/// A module of `files` with the descriptor of `folder`, where the files have none.
fn of_folders(folder: &Path, files: &Path, store: &Store) -> Result<Module> {
    let found = [Kind::Buildpack, Kind::Extension].into_iter().find(|kind| folder.join(kind.file()).is_file());
    let kind = found.context(|| format!("`{}` is neither a buildpack nor an extension", folder.display())).hint(NO_MODULE)?;
    let own = files.join(kind.file());
    let shared = !own.is_file();
    let path = if shared { folder.join(kind.file()) } else { own };
    let describe = || format!("cannot read `{}`", path.display());
    let text = read_document(&path).context(describe)?;
    let toml = ModuleToml::parse(&text, kind).context(describe)?;
    Module::check(&toml).context(describe)?;
    module(toml, store, |tar| {
        if shared {
            tar.append(kind.file().as_bytes(), Form::File { size: text.len() as u64 }, 0o644, text.as_bytes())?;
        }
        walk(files, Order::Folders, &mut |node| {
            let path = node.path.to_vec();
            match node.file_type() {
                // What git keeps there changes although the module does not.
                _ if path.is_empty() || path == b".git" || path.starts_with(b".git/") => Ok(()),
                FileType::Directory => tar.append(&path, Form::Directory, 0, empty()),
                FileType::Symlink => tar.append(&path, Form::Symlink { target: node.target()? }, node.permissions(), empty()),
                FileType::RegularFile => {
                    let file = node.open()?;
                    tar.append(&path, Form::File { size: file.metadata()?.len() }, node.permissions(), file)
                }
                _ => Err(Error::new(format!("`{}` is a pipe, a socket or a device, which no package can hold", node.display()))),
            }
        })
    })
}

/// A module in an archive.
pub struct InArchive {
    folder: Vec<u8>,
    toml: ModuleToml,
}

/// The module in an archive; none where it is the package of an image. Sources of a release are often below one folder.
pub fn find_in_archive(file: &File) -> Result<Option<InArchive>> {
    let mut members = open(file)?;
    let mut found: Option<InArchive> = None;
    while let Some(member) = members.next().context(|| "cannot read the archive")? {
        let path = clean(&member.path)?;
        let (folder, name) = path.iter().rposition(|byte| *byte == b'/').map_or((&b""[..], &path[..]), |at| (&path[..at], &path[at + 1..]));
        if member.kind != MemberKind::File || folder.contains(&b'/') {
            continue;
        }
        if folder.is_empty() && [&b"oci-layout"[..], b"index.json", b"manifest.json"].contains(&name) {
            return Ok(None);
        }
        let Some(kind) = [Kind::Buildpack, Kind::Extension].into_iter().find(|kind| kind.file().as_bytes() == name) else { continue };
        if found.as_ref().is_none_or(|found| folder.is_empty() && !found.folder.is_empty()) {
            found = Some(InArchive { folder: folder.to_vec(), toml: document(&mut members, kind)? });
        }
    }
    let found = found.context(|| "the archive is neither a package, nor a buildpack nor an extension").hint(NO_MODULE)?;
    Module::check(&found.toml)?;
    Ok(Some(found))
}

/// A module of the files in an archive, in the archive's order.
pub fn of_archive(file: &File, found: InArchive, store: &Store) -> Result<Module> {
    let InArchive { folder, toml } = found;
    module(toml, store, |tar| copy(&mut open(file)?, &folder, tar))
}

/// The module of this ID and version in the tar of a package's layer.
pub fn find_in_layer(tar: impl Read, kind: Kind, id: &str, version: &str) -> Result<ModuleToml> {
    let path = [&place(kind, id, version)[1..], "/", kind.file()].concat();
    let mut members = TarReader::new(tar);
    while let Some(member) = members.next().context(|| "cannot read the layer")? {
        // PKG-23.
        if clean(&member.path)? == path.as_bytes() && member.kind == MemberKind::File {
            let toml = document(&mut members, kind)?;
            Module::check(&toml)?;
            return match toml.info.id == id && toml.info.version == version {
                true => Ok(toml),
                false => Err(Error::new(format!("its `/{path}` describes `{}`", toml.full_name()))),
            };
        }
    }
    Err(Error::new(format!("there is no `/{path}`")))
}

/// The module of a layer that holds others too (PKG-12).
pub fn of_shared_layer(tar: impl Read, toml: ModuleToml, store: &Store) -> Result<Module> {
    let folder = place(toml.kind, &toml.info.id, &toml.info.version).as_bytes()[1..].to_vec();
    let mut members = TarReader::new(tar);
    module(toml, store, |tar| copy(&mut members, &folder, tar))
}

/// One layer with several modules (PKG-12).
pub fn shared_layer(modules: &[&Module], store: &Store) -> Result<Layer> {
    let names: Vec<String> = modules.iter().map(|module| module.toml.full_name()).collect();
    store.put_layer(history(format!("{} {}", Kind::Buildpack.name(), names.join(", "))), |out| {
        let mut tar = TarWriter::new(out);
        // Versions of one buildpack share a folder.
        let mut seen = BTreeSet::new();
        for module in modules {
            let blob = store.blob(&module.layer.blob.digest)?;
            append_with_time(decompressed(blob)?, &mut tar, &mut |path| seen.insert(path.to_vec()))
                .context(|| format!("cannot read the layer of `{}`", module.toml.full_name()))?;
        }
        Ok(tar.end()?)
    })
}

/// Where a module is in an image (PKG-03).
pub fn place(kind: Kind, id: &str, version: &str) -> String {
    format!("{}/{}/{version}", kind.folder(), escape_id(id))
}

fn open(mut file: &File) -> Result<TarReader<impl Read>> {
    file.rewind()?;
    Ok(TarReader::new(decompressed(file).context(|| "cannot unpack the archive")?))
}

fn document(members: &mut TarReader<impl Read>, kind: Kind) -> Result<ModuleToml> {
    let mut text = String::new();
    let describe = || format!("cannot read its `{}`", kind.file());
    let length = members.take(LARGEST_DOCUMENT + 1).read_to_string(&mut text).context(describe)?;
    if length as u64 > LARGEST_DOCUMENT {
        return Err(Error::new("it is too long")).context(describe);
    }
    ModuleToml::parse(&text, kind).context(describe)
}

fn module(toml: ModuleToml, store: &Store, fill: impl FnOnce(&mut ModuleTar<'_>) -> Result<()>) -> Result<Module> {
    let layer = layer(&toml, store, fill).context(|| format!("cannot pack the {} `{}`", toml.kind.name(), toml.full_name()))?;
    Ok(Module { toml, layer })
}

fn layer(toml: &ModuleToml, store: &Store, fill: impl FnOnce(&mut ModuleTar<'_>) -> Result<()>) -> Result<Layer> {
    store.put_layer(history(format!("{} {}", toml.kind.name(), toml.full_name())), |out| {
        let root = place(toml.kind, &toml.info.id, &toml.info.version);
        let mut tar = ModuleTar { tar: TarWriter::new(out), root };
        let id = Path::new(&tar.root).parent().map(|id| id.to_string_lossy().into_owned()).unwrap_or_default();
        for folder in [&id, &tar.root] {
            tar.tar.append(&Entry::directory(folder.as_bytes(), 0o755, 0, 0, Entry::NORMAL_TIME), empty())?;
        }
        fill(&mut tar)?;
        Ok(tar.tar.end()?)
    })
}

/// The tar of a module's layer.
struct ModuleTar<'a> {
    tar: TarWriter<&'a mut dyn Write>,
    root: String,
}

impl ModuleTar<'_> {
    /// Adds a file under its path in the module.
    fn append(&mut self, path: &[u8], kind: Form, mode: u32, content: impl Read) -> Result<()> {
        let starts = matches!(kind, Form::Directory) || PROGRAMS.contains(&path) || mode & 0o111 != 0;
        let kind = match kind {
            Form::HardLink { target } => Form::HardLink { target: self.inside(&target) },
            other => other,
        };
        let mode = if starts { 0o755 } else { 0o644 };
        let entry = Entry { path: self.inside(path), kind, mode, uid: 0, gid: 0, mtime: Entry::NORMAL_TIME };
        self.tar.append(&entry, content).context(|| format!("cannot pack `{}`", String::from_utf8_lossy(path)))
    }

    fn inside(&self, path: &[u8]) -> Vec<u8> {
        [self.root.as_bytes(), b"/", path].concat()
    }
}

/// Copies what is below a folder of a tar.
fn copy(members: &mut TarReader<impl Read>, folder: &[u8], tar: &mut ModuleTar<'_>) -> Result<()> {
    let below = |path: &[u8]| -> Result<Option<Vec<u8>>> {
        let path = clean(path)?;
        let rest = if folder.is_empty() { Some(&path[..]) } else { path.strip_prefix(folder).and_then(|rest| rest.strip_prefix(b"/")) };
        Ok(rest.filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec))
    };
    while let Some(member) = members.next().context(|| "cannot read the archive")? {
        let Some(path) = below(&member.path)? else { continue };
        let kind = match member.kind {
            MemberKind::File => Form::File { size: member.size },
            MemberKind::Directory => Form::Directory,
            MemberKind::Symlink => Form::Symlink { target: member.link },
            MemberKind::HardLink => {
                let target =
                    below(&member.link)?.context(|| format!("`{}` is a link out of the module", String::from_utf8_lossy(&path)))?;
                Form::HardLink { target }
            }
            MemberKind::Device | MemberKind::Fifo => {
                return Err(Error::new(format!("`{}` is a pipe or a device, which no package can hold", String::from_utf8_lossy(&path))));
            }
        };
        tar.append(&path, kind, member.mode, &mut *members)?;
    }
    Ok(())
}

/// A member's path without what is understood by itself (PKG-13).
fn clean(path: &[u8]) -> Result<Vec<u8>> {
    let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".").collect();
    match parts.contains(&&b".."[..]) {
        // PKG-23.
        true => Err(Error::new(format!("its path `{}` leads out of it", String::from_utf8_lossy(path)))),
        false => Ok(parts.join(&b'/')),
    }
}
