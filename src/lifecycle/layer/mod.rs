//! The tar of a layer: which files, under which names, with which owners. Everything that a host could add of its own is left out: times
//! are one constant, owners are those of the build, order is the bytes of the names. Start with [`write`]; [`tree`] walks folders,
//! [`fingerprint`] tells whether a folder was touched.

pub mod fingerprint;
mod inside;
pub mod tree;

pub use inside::inside;

use crate::archive::{Entry, Kind, TarWriter};
use crate::error::{Context, Result};
use rustix::fs::FileType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use tree::{Node, Order, walk};

/// The user and group that own what a build made, as numbers inside the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// What a layer holds.
#[derive(Clone, Debug)]
pub enum Contents<'a> {
    /// A whole folder.
    Folder {
        /// The folder on this machine.
        on_disk: PathBuf,
        /// Its absolute path inside the image.
        in_image: String,
        /// What the folders above it are like.
        parents: Parents,
    },
    /// Some files of the app.
    Slice {
        /// The app on this machine.
        on_disk: &'a Path,
        /// Its absolute path inside the image.
        in_image: &'a str,
        /// Paths below the app, empty for the app itself; none means all.
        files: Option<BTreeSet<Vec<u8>>>,
        /// What the folders above the app are like.
        parents: Parents,
    },
    /// The launcher's program.
    Launcher(&'a [u8]),
    /// A link to the launcher for each type of process.
    ProcessTypes(Vec<String>),
}

/// What the folders above a layer's folder are like in the layer (TAR-03).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Parents {
    /// The same on every host: mode 755, from this path on owned by the build, above by root.
    Normal(String),
    /// As they are on this machine, where the folder is at its place in the image.
    #[default]
    OnDisk,
}

/// Where the launcher is inside an image.
pub const LAUNCHER_PATH: &str = "/cnb/lifecycle/launcher";
/// The folder of the links that start each process.
pub const PROCESS_FOLDER: &str = "/cnb/process";

/// Writes the tar of a layer. Returns the paths on this machine of what no layer can hold: pipes and devices.
pub fn write(contents: &Contents, owner: Owner, out: &mut dyn Write) -> Result<Vec<String>> {
    let mut layer = LayerTar { tar: TarWriter::new(out), owner, left_out: Vec::new() };
    match contents {
        Contents::Folder { on_disk, in_image, parents } => layer.folder(on_disk, in_image, parents)?,
        Contents::Slice { on_disk, in_image, files, parents } => layer.slice(on_disk, in_image, files.as_ref(), parents)?,
        Contents::Launcher(program) => layer.launcher(program)?,
        Contents::ProcessTypes(types) => layer.process_types(types)?,
    }
    layer.tar.finish().context(|| "cannot write the layer")?;
    Ok(layer.left_out)
}

struct LayerTar<'a> {
    tar: TarWriter<&'a mut dyn Write>,
    owner: Owner,
    left_out: Vec<String>,
}

const ROOT: Owner = Owner { uid: 0, gid: 0 };

impl LayerTar<'_> {
    fn folder(&mut self, on_disk: &Path, in_image: &str, parents: &Parents) -> Result<()> {
        self.parents(in_image, parents)?;
        walk(on_disk, Order::Folders, &mut |node| self.node(node, in_image))
    }

    fn slice(&mut self, on_disk: &Path, in_image: &str, files: Option<&BTreeSet<Vec<u8>>>, parents: &Parents) -> Result<()> {
        if files.is_some_and(BTreeSet::is_empty) {
            return Ok(());
        }
        self.parents(in_image, parents)?;
        walk(on_disk, Order::Paths, &mut |node| match files {
            Some(files) if !files.contains(node.path) => Ok(()),
            Some(_) | None => self.node(node, in_image),
        })
    }

    fn launcher(&mut self, program: &[u8]) -> Result<()> {
        self.parents(LAUNCHER_PATH, &Parents::Normal(LAUNCHER_PATH.into()))?;
        let entry = Entry::file(LAUNCHER_PATH, program.len() as u64, 0o755, 0, 0, Entry::NORMAL_TIME);
        self.tar.append(&entry, program).context(|| "cannot pack the launcher")
    }

    fn process_types(&mut self, types: &[String]) -> Result<()> {
        let folder = format!("{PROCESS_FOLDER}/");
        self.parents(&folder, &Parents::Normal(folder.clone()))?;
        for name in types {
            let link = Entry::symlink(format!("{PROCESS_FOLDER}/{name}"), LAUNCHER_PATH, 0, 0, Entry::NORMAL_TIME);
            // The reference's mode for links that come from no disk.
            self.tar.append(&Entry { mode: 0o755, ..link }, std::io::empty()).context(|| "cannot pack the process types")?;
        }
        Ok(())
    }

    /// The folders above a path, without the root.
    fn parents(&mut self, path: &str, parents: &Parents) -> Result<()> {
        for (at, _) in path.match_indices('/').skip(1) {
            let (mode, owner) = match parents {
                Parents::Normal(base) if at >= base.len() => (0o755, self.owner),
                Parents::Normal(_) => (0o755, ROOT),
                Parents::OnDisk => {
                    let status = rustix::fs::stat(&path[..at]).context(|| format!("cannot read `{}`", &path[..at]))?;
                    (status.st_mode & 0o7777, Owner { uid: status.st_uid, gid: status.st_gid })
                }
            };
            let entry = Entry::directory(&path[..at], mode, owner.uid.into(), owner.gid.into(), Entry::NORMAL_TIME);
            self.tar.append(&entry, std::io::empty()).context(|| format!("cannot pack `{}`", &path[..at]))?;
        }
        Ok(())
    }

    fn node(&mut self, node: &Node, in_image: &str) -> Result<()> {
        let mut entry = Entry::directory(path_in_image(in_image, node.path), node.permissions(), 0, 0, Entry::NORMAL_TIME);
        (entry.uid, entry.gid) = (self.owner.uid.into(), self.owner.gid.into());
        let written = match node.file_type() {
            FileType::Directory => self.tar.append(&entry, std::io::empty()),
            FileType::RegularFile => {
                let size = u64::try_from(node.status.st_size).unwrap_or(0);
                self.tar.append(&Entry { kind: Kind::File { size }, ..entry }, node.open()?)
            }
            FileType::Symlink => {
                let entry = Entry { kind: Kind::Symlink { target: node.target()? }, mode: 0o777, ..entry };
                self.tar.append(&entry, std::io::empty())
            }
            FileType::Socket => Ok(()),
            FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice | FileType::Unknown => {
                self.left_out.push(node.display());
                Ok(())
            }
        };
        written.context(|| format!("cannot pack `{}`", node.display()))
    }
}

fn path_in_image(in_image: &str, path: &[u8]) -> Vec<u8> {
    let mut full = in_image.as_bytes().to_vec();
    if !path.is_empty() {
        full.push(b'/');
        full.extend_from_slice(path);
    }
    full
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const OWNER: Owner = Owner { uid: 1001, gid: 1000 };

    /// The members of a tar, one a line: type, mode, owner, path, target.
    fn listing(contents: &Contents) -> (Vec<String>, Vec<String>) {
        let mut tar = Vec::new();
        let left_out = write(contents, OWNER, &mut tar).expect("a tar");
        let mut lines = Vec::new();
        for member in tar::Archive::new(tar.as_slice()).entries().expect("a tar") {
            let member = member.expect("a member");
            let header = member.header();
            assert_eq!(header.mtime().expect("a time"), Entry::NORMAL_TIME);
            let target = member.link_name_bytes().map(|target| format!(" -> {}", String::from_utf8_lossy(&target))).unwrap_or_default();
            lines.push(format!(
                "{} {:o} {}/{} {}{target}",
                char::from(header.entry_type().as_byte()),
                header.mode().expect("a mode"),
                header.uid().expect("a user"),
                header.gid().expect("a group"),
                String::from_utf8_lossy(&member.path_bytes()),
            ));
        }
        (lines, left_out)
    }

    /// TAR-01, TAR-03, TAR-04, TAR-05, TAR-06.
    #[test]
    fn a_folder_becomes_a_layer() {
        let root = tempfile::tempdir().expect("a folder");
        let venv = root.path().join("venv");
        fs::create_dir_all(venv.join("bin")).expect("a folder");
        fs::write(venv.join("bin/python"), "x").expect("a file");
        fs::hard_link(venv.join("bin/python"), venv.join("bin/python3")).expect("a link");
        symlink("python", venv.join("bin/py")).expect("a link");
        symlink("../venv", venv.join("loop")).expect("a link");
        fs::write(venv.join("bin-file"), "").expect("a file");
        fs::write(venv.join(OsStr::from_bytes(b"n\xffme")), "").expect("a file");
        for (path, mode) in [("bin", 0o2755), ("bin/python", 0o4755), ("bin-file", 0o600), ("", 0o750)] {
            fs::set_permissions(venv.join(path), fs::Permissions::from_mode(mode)).expect("a mode");
        }
        fs::set_permissions(venv.join(OsStr::from_bytes(b"n\xffme")), fs::Permissions::from_mode(0o644)).expect("a mode");
        let _socket = std::os::unix::net::UnixListener::bind(venv.join("socket")).expect("a socket");
        rustix::fs::mknodat(rustix::fs::CWD, venv.join("pipe"), FileType::Fifo, 0o600.into(), 0).expect("a pipe");
        let in_image = "/opt/layers/acme_python/venv".to_string();
        let contents = Contents::Folder { on_disk: venv.clone(), in_image, parents: Parents::Normal("/opt/layers".into()) };
        let (lines, left_out) = listing(&contents);
        insta::assert_snapshot!(lines.join("\n"), @r"
        5 755 0/0 /opt
        5 755 1001/1000 /opt/layers
        5 755 1001/1000 /opt/layers/acme_python
        5 750 1001/1000 /opt/layers/acme_python/venv
        5 2755 1001/1000 /opt/layers/acme_python/venv/bin
        2 777 1001/1000 /opt/layers/acme_python/venv/bin/py -> python
        0 4755 1001/1000 /opt/layers/acme_python/venv/bin/python
        0 4755 1001/1000 /opt/layers/acme_python/venv/bin/python3
        0 600 1001/1000 /opt/layers/acme_python/venv/bin-file
        2 777 1001/1000 /opt/layers/acme_python/venv/loop -> ../venv
        0 644 1001/1000 /opt/layers/acme_python/venv/n�me
        ");
        assert_eq!(left_out, [venv.join("pipe").display().to_string()]);
    }

    /// TAR-08, EXP-12, EXP-14.
    #[test]
    fn launcher_and_process_types_belong_to_root() {
        insta::assert_snapshot!(listing(&Contents::Launcher(b"program")).0.join("\n"), @r"
        5 755 0/0 /cnb
        5 755 0/0 /cnb/lifecycle
        0 755 0/0 /cnb/lifecycle/launcher
        ");
        let types = Contents::ProcessTypes(vec!["web".into(), "worker".into()]);
        insta::assert_snapshot!(listing(&types).0.join("\n"), @r"
        5 755 0/0 /cnb
        5 755 0/0 /cnb/process
        2 755 0/0 /cnb/process/web -> /cnb/lifecycle/launcher
        2 755 0/0 /cnb/process/worker -> /cnb/lifecycle/launcher
        ");
    }

    /// SLC-08: an empty slice is an empty tar.
    #[test]
    fn a_slice_without_files_is_an_empty_tar() {
        let root = tempfile::tempdir().expect("a folder");
        let contents =
            Contents::Slice { on_disk: root.path(), in_image: "/workspace", files: Some(BTreeSet::new()), parents: Parents::OnDisk };
        let mut tar = Vec::new();
        write(&contents, OWNER, &mut tar).expect("a tar");
        assert_eq!(tar, [0; 1024]);
    }
}
