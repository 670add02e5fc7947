//! Brings packages and indexes from mirrors, each verified while it arrives, into the cache where they are named by their SHA-256.

use super::{Lock, Mirrors, Package};
use crate::error::{Context, Error, Result};
use crate::http::{Answer, Client};
use crate::image::Digest;
use crate::output::{Output, Progress};
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// How many packages are fetched at once.
const AT_ONCE: usize = 8;

/// The folder of what came from Debian.
#[derive(Clone, Debug)]
pub struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache in `root`, a folder that exists.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Where the lock with this name is kept.
    pub fn lock(&self, name: &str) -> PathBuf {
        self.root.join("locks").join(format!("{name}.toml"))
    }

    /// Opens a package that was fetched.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(&self, package: &Package) -> Result<File> {
        File::open(self.deb(package)).context(|| format!("the package `{}` {} is not in the cache", package.name, package.version))
    }

    /// Removes a package that turned out to be damaged.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, package: &Package) -> Result<()> {
        std::fs::remove_file(self.deb(package)).context(|| format!("cannot remove the damaged package `{}`", package.name))
    }

    pub(super) fn indexes(&self) -> PathBuf {
        self.root.join("indexes")
    }

    fn deb(&self, package: &Package) -> PathBuf {
        self.root.join("pool").join(format!("{}.deb", package.sha256))
    }
}

/// Fetches what is missing of a lock's packages.
///
/// # Errors
/// When a package can be had from no mirror as the lock describes it.
pub fn fetch(lock: &Lock, mirrors: &Mirrors, cache: &Cache, output: &Output) -> Result<()> {
    let missing: Vec<&Package> = lock.packages.iter().filter(|package| !cache.deb(package).is_file()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let total = missing.iter().map(|package| package.size).sum();
    let progress = output.progress(&format!("fetching {} Debian packages", missing.len()), Some(total));
    let pool = cache.root.join("pool");
    std::fs::create_dir_all(&pool).context(|| format!("cannot make `{}`", pool.display()))?;
    let (client, queue, failure) = (Client::new()?, Mutex::new(missing), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(package) = next(&queue, &failure) {
                    if let Err(error) = fetch_package(&client, package, mirrors, cache, &progress)
                        && let Ok(mut failure) = failure.lock()
                    {
                        failure.get_or_insert(error);
                    }
                }
            });
        }
    });
    failure.into_inner().ok().flatten().map_or(Ok(()), Err)
}

fn next<'a>(queue: &Mutex<Vec<&'a Package>>, failure: &Mutex<Option<Error>>) -> Option<&'a Package> {
    if failure.lock().ok()?.is_some() {
        return None;
    }
    queue.lock().ok()?.pop()
}

fn fetch_package(client: &Client, package: &Package, mirrors: &Mirrors, cache: &Cache, progress: &Progress) -> Result<()> {
    let wanted = Wanted { path: &package.path, sha256: Some((&package.sha256, package.size)), progress: Some(progress) };
    let file = fetch_from_any(client, &mirrors.of(&package.archive)?, &wanted, &cache.root)
        .context(|| format!("cannot fetch the package `{}` {}", package.name, package.version))
        .map_err(|error| {
            let another = format!("name another mirror with `--deb-mirror {}=URL`", package.archive);
            error.hint(format!("{another}; if the archive has a newer version by now, run `cooper builder update`"))
        })?;
    file.persist(cache.deb(package)).context(|| format!("cannot keep the package `{}`", package.name))?;
    Ok(())
}

/// Something that a mirror should have.
pub(super) struct Wanted<'a> {
    /// Its path below the mirror's address.
    pub path: &'a str,
    /// Its SHA-256 in hexadecimal and its size, where they are known before.
    pub sha256: Option<(&'a str, u64)>,
    /// Where to report bytes.
    pub progress: Option<&'a Progress>,
}

/// Fetches something from the first of `mirrors` that has it as it should be.
pub(super) fn fetch_from_any(client: &Client, mirrors: &[String], wanted: &Wanted, folder: &Path) -> Result<tempfile::NamedTempFile> {
    first_of(mirrors, |mirror| fetch_one(client, &format!("{mirror}/{}", wanted.path), wanted, folder))
}

/// What the first of `mirrors` gives; else an error that says of each why it gave nothing, with the first hint of those.
pub(super) fn first_of<T>(mirrors: &[String], mut attempt: impl FnMut(&str) -> Result<Option<T>>) -> Result<T> {
    let (mut failures, mut hint): (Vec<String>, Option<String>) = (Vec::new(), None);
    for mirror in mirrors {
        match attempt(mirror) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => failures.push(format!("{mirror} does not have it")),
            Err(error) if error.is_io(std::io::ErrorKind::StorageFull) => return Err(error),
            Err(error) => {
                hint = hint.or_else(|| error.nearest_hint().map(str::to_string));
                failures.push(std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": "));
            }
        }
    }
    let error = Error::new(failures.join("; "));
    Err(match hint {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

/// Fetches one address; nothing where the server does not have it.
pub(super) fn fetch_one(client: &Client, url: &str, wanted: &Wanted, folder: &Path) -> Result<Option<tempfile::NamedTempFile>> {
    let file = tempfile::NamedTempFile::new_in(folder).context(|| format!("cannot write to `{}`", folder.display()))?;
    let state = RefCell::new((file, Sha256::new(), 0u64));
    let mut start = || {
        let mut state = state.borrow_mut();
        state.0.as_file_mut().set_len(0)?;
        state.0.as_file_mut().rewind()?;
        (state.1, state.2) = (Sha256::new(), 0);
        Ok(())
    };
    let mut receive = |piece: &[u8]| -> Result<()> {
        let mut state = state.borrow_mut();
        state.2 += piece.len() as u64;
        if wanted.sha256.is_some_and(|(_, size)| state.2 > size) {
            return Err(Error::new("the mirror sends more than it should"));
        }
        state.0.write_all(piece).context(|| format!("cannot write to `{}`", folder.display()))?;
        state.1.update(piece);
        if let Some(progress) = wanted.progress {
            progress.add(piece.len() as u64);
        }
        Ok(())
    };
    if client.get(url, &mut start, &mut receive)? == Answer::NotFound {
        return Ok(None);
    }
    let (file, hash, size) = state.into_inner();
    if let Some((sha256, expected)) = wanted.sha256 {
        let found = Digest::from_sha256(hash.finalize().into());
        if size != expected || found.hex() != sha256 {
            return Err(Error::new(format!("GET {url}: expected {expected} bytes with SHA-256 {sha256}, got {size} with {}", found.hex())));
        }
    }
    Ok(Some(file))
}
