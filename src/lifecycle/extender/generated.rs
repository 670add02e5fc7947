//! What extensions left in `<generated>`: their Dockerfiles, configuration and context folders (EXT-03, EXT-06). Extensions wrote it, so no
//! link in it is followed.

use super::{Argument, Dockerfile, ExtendConfig, Kind};
use crate::buildpack::{GroupElement, escape_id};
use crate::error::{Context, Error, Result};
use launcher::api::Api;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A larger file is none that an extension has reason to write.
const LARGEST: u64 = 1 << 20;

/// A Dockerfile that is to be applied.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The extension that wrote it.
    pub extension: String,
    /// Where it is.
    pub path: PathBuf,
    /// It.
    pub dockerfile: Dockerfile,
    /// The arguments that the extension gives to it.
    pub arguments: Vec<Argument>,
    /// The folder that it copies from.
    pub context: PathBuf,
}

/// The Dockerfiles for one kind of image, in the extensions' order.
///
/// # Errors
/// When one cannot be read.
pub fn find(kind: Kind, extensions: &[GroupElement], generated: &Path, app: &Path, api: Api) -> Result<Vec<Applied>> {
    let mut found = Vec::new();
    for extension in extensions {
        let id = escape_id(&extension.id);
        let (folder, name) =
            if api >= Api::new(0, 13) { (PathBuf::from(&id), kind.dockerfile()) } else { (Path::new(kind.name()).join(&id), "Dockerfile") };
        let path = folder.join(name);
        let Some(text) = read(generated, &path)? else { continue };
        let describe = || format!("failed to parse {} for extension {}", kind.dockerfile(), extension.id);
        let config = read(generated, &folder.join(ExtendConfig::FILE))?.unwrap_or_default();
        found.push(Applied {
            extension: extension.id.clone(),
            dockerfile: Dockerfile::parse(&text).context(describe)?,
            arguments: ExtendConfig::parse(&config).context(describe)?.arguments(kind).to_vec(),
            context: if api >= Api::new(0, 13) { context(kind, &generated.join(&folder), app) } else { app.to_path_buf() },
            path: generated.join(path),
        });
    }
    Ok(found)
}

/// EXT-06.
fn context(kind: Kind, folder: &Path, app: &Path) -> PathBuf {
    let own = [format!("context.{}", kind.name()), "context".into()].map(|name| folder.join(name));
    own.into_iter().find(|folder| is_folder(folder)).unwrap_or_else(|| app.to_path_buf())
}

/// Whether this is a folder itself, not a link to one.
pub(in crate::lifecycle) fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// The text of a file below a folder, if it is there; nothing is reached through a link.
pub(in crate::lifecycle) fn read(folder: &Path, path: &Path) -> Result<Option<String>> {
    let describe = || format!("cannot read `{}`", folder.join(path).display());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = match rustix::fs::open(folder, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other.context(describe)?,
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match rustix::fs::openat2(&root, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(Errno::LOOP) => return Err(Error::new("it is a symbolic link, which is not followed")).context(describe),
        other => File::from(other.context(describe)?),
    };
    let mut text = String::new();
    file.take(LARGEST + 1).read_to_string(&mut text).context(describe)?;
    if text.len() as u64 > LARGEST {
        return Err(Error::new(format!("it has more than {LARGEST} bytes"))).context(describe);
    }
    Ok(Some(text))
}
