//! A root file system that is a plain folder, and what a Dockerfile makes of it.

use super::super::*;
use crate::archive::{Entry as TarEntry, Ownership, decompressed, unpack};
use crate::image::Layer;
use crate::store::Store;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// A root file system in a folder; what its programs would do is not its matter.
pub struct Folder<'a> {
    pub root: PathBuf,
    pub store: &'a Store,
    pub programs: Vec<Program>,
}

impl Root for Folder<'_> {
    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        let path = self.root.join(path.strip_prefix("/").unwrap());
        let Ok(status) = fs::symlink_metadata(&path) else { return Ok(None) };
        let kind = match status.file_type() {
            kind if kind.is_dir() => EntryKind::Folder,
            kind if kind.is_symlink() => EntryKind::Link(fs::read_link(&path).unwrap()),
            _ => EntryKind::File,
        };
        Ok(Some(Entry { kind, mode: status.mode() & 0o7777, uid: 0, gid: 0 }))
    }

    fn text(&self, path: &Path) -> Result<String> {
        Ok(fs::read_to_string(self.root.join(path.strip_prefix("/").unwrap())).unwrap())
    }

    fn add(&mut self, layer: &Layer) -> Result<()> {
        unpack(decompressed(self.store.blob(&layer.blob.digest)?)?, &self.root, Ownership::Squash, &mut std::io::sink())
    }

    fn run(&mut self, program: &Program) -> Result<Option<Layer>> {
        self.programs.push(program.clone());
        Ok(None)
    }
}

/// An image, a context, and a store.
pub struct World {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub image: Image,
    pub kind: Kind,
}

/// What became of a Dockerfile.
pub struct Extended {
    pub image: Image,
    pub programs: Vec<Program>,
    pub said: Vec<String>,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["root/etc", "root/usr/bin", "root/place", "context/dir/sub"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for (file, content) in [
            ("root/etc/passwd", "root:x:0:0::/root:/bin/sh\ncnb:x:1002:1000::/home/cnb:/bin/sh\n"),
            ("root/etc/group", "root:x:0:\nstaff:x:50:\n"),
            ("root/place/there", ""),
            ("context/a.txt", "a"),
            ("context/b.txt", "b"),
            ("context/dir/c", "c"),
            ("context/dir/sub/d", "d"),
        ] {
            let path = folder.path().join(file);
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        for name in ["root/etc", "root/usr", "root/usr/bin", "root/place", "context/dir", "context/dir/sub"] {
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        symlink("usr/bin", folder.path().join("root/bin")).unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let mut image = Image::default();
        image.config.config.user = "1002:1000".into();
        image.config.set_variable("BASE", "of the image");
        Self { folder, store, image, kind: Kind::Build }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn steps(&self) -> Steps<'_> {
        Steps { store: &self.store, longest: Duration::from_secs(60) }
    }

    pub fn extend(&self, dockerfiles: &[&str]) -> Result<Extended> {
        self.extend_with(dockerfiles, self.steps())
    }

    pub fn extend_with(&self, dockerfiles: &[&str], steps: Steps) -> Result<Extended> {
        let applied = dockerfiles.iter().enumerate().map(|(number, text)| Applied {
            extension: format!("acme/e{number}"),
            path: PathBuf::from(format!("/generated/{number}/Dockerfile")),
            dockerfile: Dockerfile::parse(&format!("ARG base_image\nFROM ${{base_image}}\n{text}")).unwrap(),
            arguments: vec![Argument { name: "GIVEN".into(), value: "by the extension".into() }],
            context: self.path("context"),
        });
        let applied: Vec<Applied> = applied.collect();
        let said = Mutex::new(Vec::new());
        let log = |level: Level, line: &str| {
            if level == Level::Warning {
                said.lock().unwrap().push(line.to_string());
            }
        };
        let mut root = Folder { root: self.path("root"), store: &self.store, programs: Vec::new() };
        let proxies = [("http_proxy".to_string(), "p".to_string())];
        let request =
            Extend { kind: self.kind, dockerfiles: &applied, image: &self.image, reference: "r@sha256:1", proxies: &proxies, steps };
        let image = extend(&request, &mut root, &log)?;
        Ok(Extended { image, programs: root.programs, said: said.into_inner().unwrap() })
    }

    pub fn refused(&self, dockerfile: &str) -> String {
        let error = self.extend(&[dockerfile]).err().unwrap_or_else(|| panic!("{dockerfile}"));
        assert_eq!(error.exit_code(), 102);
        error.causes().last().unwrap().clone()
    }

    /// The members of a layer: type, mode, owner, path, target.
    pub fn members(&self, layer: &Layer) -> Vec<String> {
        let mut tar = tar::Archive::new(decompressed(self.store.blob(&layer.blob.digest).unwrap()).unwrap());
        let members = tar.entries().unwrap().map(|member| {
            let member = member.unwrap();
            let header = member.header();
            assert_eq!(header.mtime().unwrap(), TarEntry::NORMAL_TIME);
            let link = member.link_name_bytes().map(|link| format!(" {}", String::from_utf8_lossy(&link))).unwrap_or_default();
            let path = String::from_utf8_lossy(&member.path_bytes()).into_owned();
            let kind = char::from(header.entry_type().as_byte());
            format!("{kind} {:o} {}:{} {path}{link}", header.mode().unwrap(), header.uid().unwrap(), header.gid().unwrap())
        });
        members.collect()
    }

    /// The members of the only layer that a Dockerfile makes.
    pub fn layer(&self, dockerfile: &str) -> Vec<String> {
        let image = self.extend(&[dockerfile]).unwrap().image;
        assert_eq!(image.layers.len(), 1, "{dockerfile}");
        self.members(&image.layers[0])
    }
}

pub fn variables(program: &Program) -> Vec<String> {
    program.environment.iter().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect()
}
