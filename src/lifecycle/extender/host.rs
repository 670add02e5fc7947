//! The root file system of this very process, as a root for instructions: for the extender as root in a container of the image that it
//! extends. A layer is what differs between two looks at all files.

use super::layer::{Content, Files, Planned};
use super::root::{Entry, EntryKind, Program, Root};
use crate::archive::{decompressed, unpack_over, whiteouts};
use crate::buildpack;
use crate::error::{Context, Error, Result};
use crate::image::Layer;
use crate::lifecycle::log::{Level, Log};
use crate::store::Store;
use launcher::file::read_document;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What no image has of its own: engines make it for each container.
const NEVER: [&str; 9] = ["/proc", "/sys", "/dev", "/kaniko", "/var/run", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/.dockerenv"];

/// The file system of this process.
pub struct Host<'a> {
    store: &'a Store,
    log: &'a Log<'a>,
    left_out: BTreeSet<PathBuf>,
}

impl<'a> Host<'a> {
    /// All of it but `left_out` and what is mounted (EXT-07).
    ///
    /// # Errors
    /// When the mounts cannot be listed.
    pub fn new(store: &'a Store, left_out: &[PathBuf], log: &'a Log<'a>) -> Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").context(|| "cannot list what is mounted")?;
        let own = store.root().to_path_buf();
        let left_out = NEVER.iter().map(PathBuf::from).chain(left_out.iter().cloned()).chain(mount_points(&mounts)).chain([own]);
        Ok(Self { store, log, left_out: left_out.collect() })
    }

    /// Every file that could be part of a layer.
    fn look(&self) -> Result<BTreeMap<PathBuf, Metadata>> {
        let walk = walkdir::WalkDir::new("/").min_depth(1).into_iter().filter_entry(|entry| !self.left_out.contains(entry.path()));
        let mut found = BTreeMap::new();
        for entry in walk {
            let status = entry.and_then(|entry| Ok((entry.metadata()?, entry.into_path())));
            match status {
                Ok((status, path)) => drop(found.insert(path, status)),
                // Programs that are still running remove their files.
                Err(error) if error.io_error().is_some_and(|error| error.kind() == ErrorKind::NotFound) => {}
                Err(error) => return Err(error).context(|| "cannot look at all files"),
            }
        }
        Ok(found)
    }

    /// What became different between two looks.
    fn changes(&self, before: &BTreeMap<PathBuf, Metadata>, after: &BTreeMap<PathBuf, Metadata>) -> Result<Files> {
        let mut files = Files::default();
        let mut linked: HashMap<(u64, u64), PathBuf> = HashMap::new();
        for (path, status) in after.iter().filter(|(path, status)| before.get(*path).is_none_or(|before| differs(before, status))) {
            let first = (!status.is_dir() && status.nlink() > 1).then(|| linked.get(&(status.dev(), status.ino())).cloned()).flatten();
            let Some(content) = self.content(path, status, first)? else { continue };
            linked.entry((status.dev(), status.ino())).or_insert_with(|| path.clone());
            files.add(self, path, Planned { content, mode: status.mode() & 0o7777, uid: status.uid(), gid: status.gid() })?;
        }
        for path in before.keys().filter(|path| !after.contains_key(*path)) {
            // What was in a folder went with it.
            if path.parent().is_none_or(|above| above == Path::new("/") || after.get(above).is_some_and(Metadata::is_dir)) {
                files.add(self, path, Planned { content: Content::Whiteout, mode: 0, uid: 0, gid: 0 })?;
            }
        }
        Ok(files)
    }

    fn content(&self, path: &Path, status: &Metadata, first: Option<PathBuf>) -> Result<Option<Content>> {
        let kind = status.file_type();
        Ok(Some(if let Some(first) = first {
            Content::HardLink(first.into_os_string().as_bytes().to_vec())
        } else if kind.is_dir() {
            Content::Folder
        } else if kind.is_symlink() {
            Content::Link(fs::read_link(path).context(|| format!("cannot read `{}`", path.display()))?.into_os_string().as_bytes().to_vec())
        } else if kind.is_file() {
            Content::File(path.to_path_buf())
        } else {
            if !kind.is_socket() {
                (self.log)(Level::Warning, &format!("`{}` is a pipe or a device and is left out of the image", path.display()));
            }
            return Ok(None);
        }))
    }
}

impl Root for Host<'_> {
    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        let status = match fs::symlink_metadata(path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            other => other.context(|| format!("cannot read `{}`", path.display()))?,
        };
        let kind = if status.is_dir() {
            EntryKind::Folder
        } else if status.is_symlink() {
            EntryKind::Link(fs::read_link(path).context(|| format!("cannot read `{}`", path.display()))?)
        } else {
            EntryKind::File
        };
        Ok(Some(Entry { kind, mode: status.mode() & 0o7777, uid: status.uid(), gid: status.gid() }))
    }

    fn text(&self, path: &Path) -> Result<String> {
        read_document(path).context(|| format!("cannot read `{}`", path.display()))
    }

    fn add(&mut self, layer: &Layer) -> Result<()> {
        let describe = || format!("cannot put the layer {} into the file system", layer.diff_id);
        let open = || -> Result<_> { Ok(decompressed(self.store.blob(&layer.blob.digest)?)?) };
        let gone: Vec<PathBuf> = whiteouts(open()?).context(describe)?.into_iter().map(|path| Path::new("/").join(path)).collect();
        gone.iter().try_for_each(|path| remove(path)).context(describe)?;
        unpack_over(open()?, Path::new("/")).context(describe)
    }

    fn run(&mut self, program: &Program) -> Result<Option<Layer>> {
        let before = self.look()?;
        let (name, arguments) = program.arguments.split_first().context(|| "there is no program to run")?;
        let path = find(name, program)?;
        let started = buildpack::Program {
            path: &path,
            arguments: arguments.to_vec(),
            environment: program.environment.clone(),
            directory: &program.directory,
            user: Some(program.user),
        };
        let status = started.run(&mut |line| (self.log)(Level::Info, line))?;
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        program.ended(status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)))?;
        let files = self.changes(&before, &self.look()?)?;
        if files.is_empty() { Ok(None) } else { files.write(self.store, &program.created_by).map(Some) }
    }
}

/// A program's file, by its name or through `PATH`.
fn find(name: &OsStr, program: &Program) -> Result<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Ok(program.directory.join(name));
    }
    let path = program.environment.iter().find(|(variable, _)| variable == "PATH").map(|(_, value)| value.clone()).unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.context(|| format!("the image has no program `{}` in its PATH", name.display()))
}

/// Whether a file changed. A folder's times change with what is in it.
fn differs(before: &Metadata, after: &Metadata) -> bool {
    let owner = |status: &Metadata| (status.mode(), status.uid(), status.gid());
    let rest = |status: &Metadata| (status.ino(), status.size(), status.mtime(), status.mtime_nsec(), status.ctime(), status.ctime_nsec());
    owner(before) != owner(after) || (!after.is_dir() && rest(before) != rest(after))
}

/// The places of `/proc/self/mountinfo`, which writes blanks as `\040`.
fn mount_points(mounts: &str) -> impl Iterator<Item = PathBuf> + '_ {
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(4)).filter(|place| *place != "/");
    places.map(|place| {
        let (mut path, mut rest) = (Vec::new(), place.as_bytes());
        while let Some((byte, after)) = rest.split_first() {
            let escaped = (*byte == b'\\' && after.len() >= 3).then(|| std::str::from_utf8(&after[..3]).ok()).flatten();
            match escaped.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
                Some(letter) => {
                    path.push(letter);
                    rest = &after[3..];
                }
                None => {
                    path.push(*byte);
                    rest = after;
                }
            }
        }
        PathBuf::from(OsStr::from_bytes(&path))
    })
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(status) if status.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other.context(|| format!("cannot remove `{}`", path.display())),
    }
}

/// Whether this process is in a container: some engine, or whoever set `container`, says so (EXT-16).
///
/// # Errors
/// When it is not: it would change the files of this machine.
pub fn refuse_outside_container(environment: &[(std::ffi::OsString, std::ffi::OsString)]) -> Result<()> {
    let marks = ["/.dockerenv", "/run/.containerenv", "/kaniko/.container"];
    let told = environment.iter().any(|(name, value)| (name == "container" || name == "KUBERNETES_SERVICE_HOST") && !value.is_empty());
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let grouped = ["docker", "kubepods", "containerd", "libpod", "lxc", "crio"].iter().any(|engine| groups.contains(engine));
    if told || grouped || marks.iter().any(|mark| Path::new(mark).exists()) {
        return Ok(());
    }
    Err(Error::new("the extender should only be run inside of a container").hint("it changes the files of the system that it runs on"))
}
