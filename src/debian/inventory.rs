//! What the layers of a run image bring, as far as it matters when another one takes its place: packages, libraries with their symbols, roots
//! of trust, and what changelogs say. Reads each layer once, as a stream.

use super::changelog;
use super::elf::{self, Dynamic, Symbols};
use super::installed::{self, Installed};
use super::tree::canonical;
use crate::archive::{MemberKind, TarReader, decompressed};
use crate::error::{Context, Result};
use object::ReadCache;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

/// A library larger than this is looked at on disk.
const MOST_IN_MEMORY: usize = 8 << 20;
/// dpkg's database is never larger.
const MOST_STATUS: u64 = 64 << 20;
/// The header of a program alone is larger.
const SMALLEST_PROGRAM: u64 = 64;
const STATUS: &str = "var/lib/dpkg/status";
const STATUS_FOLDER: &str = "var/lib/dpkg/status.d/";
const ROOTS: &str = "usr/share/ca-certificates/";

/// What layers bring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// Debian packages, by name.
    pub packages: BTreeMap<String, Installed>,
    /// Libraries and programs that offer symbols, by path.
    pub libraries: BTreeMap<String, Library>,
    /// Files that need others' libraries and symbols, by path.
    pub users: BTreeMap<String, User>,
    /// Roots of trust, as `mozilla/NAME`.
    pub roots: BTreeSet<String>,
    /// What changelogs in the layers say, by the source package.
    pub changelogs: BTreeMap<String, Vec<changelog::Entry>>,
}

/// A library.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// Its name for the dynamic linker; empty for a program, which offers symbols to its extensions.
    pub name: String,
    /// The symbols that it offers, as `NAME@VERSION` or `NAME`.
    pub symbols: BTreeSet<String>,
}

/// A file that is linked to libraries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Names of the libraries that it needs.
    pub libraries: BTreeSet<String>,
    /// The symbols that it needs, as `NAME@VERSION` or `NAME`, and of the former the library that must offer them.
    pub symbols: BTreeMap<String, String>,
}

/// What to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// What a run image offers.
    Offered,
    /// What an app needs.
    Needed,
}

/// What one file says.
enum Fact {
    /// Paragraphs of dpkg's database.
    Installed(BTreeMap<String, Installed>),
    Root,
    Changelog(Vec<changelog::Entry>),
    Library(Library),
    User(User),
}

/// What files say, by their paths.
type Facts = BTreeMap<String, Fact>;

impl Inventory {
    /// Reads layers, the lowest first, whatever they are compressed with.
    ///
    /// # Errors
    /// When a layer is damaged, or the disk is full.
    pub fn read<R: Read + Send>(layers: impl IntoIterator<Item = Result<R>>, look: Look) -> Result<Self> {
        let mut below = Facts::new();
        for layer in layers {
            let mut own = Facts::new();
            let mut tar = TarReader::new(decompressed(layer?).context(|| "cannot read a layer")?);
            while let Some(member) = tar.next().context(|| "cannot read a layer's tar")? {
                let path = canonical(&String::from_utf8_lossy(&member.path));
                hide(&mut below, &path, member.kind == MemberKind::Directory);
                if member.kind == MemberKind::File
                    && let Some(fact) = fact(&path, member.size, &mut tar, look).context(|| format!("cannot read `{path}` of a layer"))?
                {
                    own.insert(path, fact);
                }
            }
            below.append(&mut own);
        }
        Ok(Self::of(below))
    }

    fn of(facts: Facts) -> Self {
        let (mut found, mut changelogs) = (Self::default(), BTreeMap::new());
        for (path, fact) in facts {
            match fact {
                Fact::Installed(packages) => found.packages.extend(packages),
                Fact::Root => drop(found.roots.insert(path[ROOTS.len()..].trim_end_matches(".crt").to_string())),
                Fact::Changelog(entries) => drop(changelogs.insert(path, entries)),
                Fact::Library(library) => drop(found.libraries.insert(path, library)),
                Fact::User(user) => drop(found.users.insert(path, user)),
            }
        }
        for (path, entries) in changelogs.into_iter().filter(|(_, entries)| !entries.is_empty()) {
            if let Some(package) = package_of_changelog(&path).and_then(|package| found.packages.get(package)) {
                found.changelogs.insert(package.source.clone(), entries);
            }
        }
        found
    }
}

/// What stands at `path` in a layer takes the place of what is below; a whiteout, the place of what it names.
fn hide(below: &mut Facts, path: &str, is_folder: bool) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name.strip_prefix(".wh.") {
        Some(".wh..opq") => remove_below(below, folder),
        Some(hidden) => {
            let hidden = if folder.is_empty() { hidden.to_string() } else { format!("{folder}/{hidden}") };
            below.remove(&hidden);
            remove_below(below, &hidden);
        }
        None if is_folder => drop(below.remove(path)),
        None => {
            below.remove(path);
            remove_below(below, path);
        }
    }
}

fn remove_below(facts: &mut Facts, folder: &str) {
    let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let hidden = facts.range(start.clone()..).take_while(|(path, _)| path.starts_with(&start));
    let hidden: Vec<String> = hidden.map(|(path, _)| path.clone()).collect();
    hidden.iter().for_each(|path| drop(facts.remove(path)));
}

fn fact(path: &str, size: u64, content: &mut (impl Read + Send), look: Look) -> Result<Option<Fact>> {
    if look == Look::Offered {
        if path == STATUS || path.starts_with(STATUS_FOLDER) {
            let mut text = Vec::new();
            content.take(MOST_STATUS).read_to_end(&mut text)?;
            return Ok(Some(Fact::Installed(installed::read(&String::from_utf8_lossy(&text)))));
        }
        if path.starts_with(ROOTS) {
            return Ok(Some(Fact::Root));
        }
        if package_of_changelog(path).is_some() {
            return Ok(Some(Fact::Changelog(changelog::read(decompressed(content)?))));
        }
    }
    let linked = if size > SMALLEST_PROGRAM { linked(content)? } else { None };
    Ok(linked.and_then(|(dynamic, symbols)| match look {
        Look::Needed => Some(Fact::User(User { libraries: dynamic.needed.into_iter().collect(), symbols: symbols.needed })),
        // What has no name for the linker and is no program is loaded by its path, by who knows it.
        Look::Offered if dynamic.soname.is_empty() && (!dynamic.program || symbols.defined.is_empty()) => None,
        Look::Offered => Some(Fact::Library(Library { name: dynamic.soname, symbols: symbols.defined })),
    }))
}

/// What a program or library says of itself; nothing where the file is none.
fn linked(content: &mut impl Read) -> Result<Option<(Dynamic, Symbols)>> {
    let mut bytes = Vec::new();
    content.take(4).read_to_end(&mut bytes)?;
    if bytes != b"\x7fELF" {
        return Ok(None);
    }
    content.take(MOST_IN_MEMORY as u64).read_to_end(&mut bytes)?;
    if bytes.len() < MOST_IN_MEMORY {
        return Ok(elf::read(bytes.as_slice()).map(|dynamic| (dynamic, elf::symbols(bytes.as_slice()))));
    }
    let mut disk = tempfile::tempfile().context(|| "cannot make a file to look at a library")?;
    disk.write_all(&bytes)?;
    std::io::copy(content, &mut disk)?;
    let cache = ReadCache::new(disk);
    Ok(elf::read(&cache).map(|dynamic| (dynamic, elf::symbols(&cache))))
}

/// The package whose changelog of Debian's this is.
pub(super) fn package_of_changelog(path: &str) -> Option<&str> {
    let (package, file) = path.strip_prefix("usr/share/doc/")?.split_once('/')?;
    // A package of Debian's own has only one changelog.
    ["changelog.Debian.gz", "changelog.gz", "changelog.Debian"].contains(&file).then_some(package)
}
