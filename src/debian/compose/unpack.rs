//! Decodes packages on several threads and hands their pieces over in order, with little of any package in memory at a time.

use crate::archive::{Entry, Kind};
use crate::debian::deb::{self, Control};
use crate::debian::elf::{self, Dynamic};
use crate::debian::finish::is_read_by_rules;
use crate::debian::tree::{MERGED, canonical};
use crate::debian::{Cache, Package};
use crate::error::{Context, Error, Result};
use crate::image::Hashing;
use md5::{Digest as _, Md5};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

const PIECE: usize = 128 * 1024;
const PIECES_AT_ONCE: usize = 8;
/// A library larger than this is looked at on disk.
const MOST_IN_MEMORY: usize = 8 << 20;

enum Piece {
    Control(Control),
    Entry(String, Entry),
    Data(Vec<u8>),
    End(Result<()>),
}

/// What is left of a package when its files are unpacked.
pub(in crate::debian) struct Unpacked {
    pub package: Package,
    pub control: Control,
    /// Paths as the package has them, with a leading `/`.
    pub list: Vec<String>,
    /// Configuration files as the package names them, and the MD5 of each.
    pub conffiles: Vec<(String, String)>,
}

/// Decodes `order` on several threads and calls `take` for each package in order.
pub(super) fn in_order(order: &[&Package], cache: &Cache, mut take: impl FnMut(usize, Pieces) -> Result<()>) -> Result<()> {
    let (senders, receivers): (Vec<_>, Vec<_>) = order.iter().map(|_| sync_channel(PIECES_AT_ONCE)).unzip();
    let senders: Vec<std::sync::Mutex<Option<SyncSender<Piece>>>> =
        senders.into_iter().map(|sender| std::sync::Mutex::new(Some(sender))).collect();
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from).clamp(1, 4);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(package) = order.get(at) else { return };
                    let Some(sender) = senders[at].lock().ok().and_then(|mut sender| sender.take()) else { return };
                    let result = decode(package, cache, &sender);
                    if sender.send(Piece::End(result)).is_err() {
                        return;
                    }
                }
            });
        }
        for (at, receiver) in receivers.into_iter().enumerate() {
            take(at, Pieces { receiver })?;
        }
        Ok(())
    })
}

fn decode(package: &Package, cache: &Cache, sender: &SyncSender<Piece>) -> Result<()> {
    let gone = || Error::new("the composing thread ended");
    let mut deb = Hashing::new(cache.open(package)?);
    let control = |control| sender.send(Piece::Control(control)).map_err(|_| gone());
    let data = |tar: &mut dyn Read| {
        for member in tar::Archive::new(tar).entries().context(|| "its data is damaged")? {
            let mut member = member.context(|| "its data is damaged")?;
            let (name, entry) = entry_of(&member)?;
            sender.send(Piece::Entry(name, entry)).map_err(|_| gone())?;
            loop {
                let mut piece = Vec::with_capacity(PIECE.min(usize::try_from(member.size()).unwrap_or(PIECE)));
                (&mut member).take(PIECE as u64).read_to_end(&mut piece).context(|| "its data is damaged")?;
                if piece.is_empty() {
                    break;
                }
                sender.send(Piece::Data(piece)).map_err(|_| gone())?;
            }
        }
        Ok(())
    };
    let read = deb::read(&mut deb, control, data);
    io::copy(&mut deb, &mut io::sink()).context(|| "it cannot be read")?;
    let (found, _) = deb.finish();
    if found.hex() != package.sha256 {
        cache.remove(package)?;
        return Err(Error::new(format!("its file in the cache has the SHA-256 {}, not {}", found.hex(), package.sha256))
            .hint("it was removed from the cache: run the same command again to fetch it anew"));
    }
    read
}

fn entry_of<R: Read>(member: &tar::Entry<'_, R>) -> Result<(String, Entry)> {
    let name = String::from_utf8(member.path_bytes().into_owned()).context(|| "a path is not UTF-8")?;
    if Path::new(&name).components().any(|part| part == Component::ParentDir) {
        return Err(Error::new(format!("the path `{name}` climbs out of the image")));
    }
    let header = member.header();
    let link = || member.link_name_bytes().map(|target| target.into_owned()).context(|| format!("the link `{name}` has no target"));
    let kind = match header.entry_type() {
        tar::EntryType::Directory => Kind::Directory,
        tar::EntryType::Regular | tar::EntryType::Continuous => Kind::File { size: member.size() },
        tar::EntryType::Symlink => Kind::Symlink { target: link()? },
        tar::EntryType::Link => Kind::HardLink { target: canonical(&String::from_utf8_lossy(&link()?)).into_bytes() },
        other => return Err(Error::new(format!("`{name}` is of type {other:?}"))),
    };
    let entry = Entry {
        path: canonical(&name).into_bytes(),
        kind,
        mode: header.mode()? & 0o7777,
        uid: header.uid()?,
        gid: header.gid()?,
        mtime: header.mtime()?,
    };
    Ok((name, entry))
}

/// The pieces of one package.
pub(super) struct Pieces {
    receiver: Receiver<Piece>,
}

impl Unpacked {
    /// Waits for a package's control files.
    pub(super) fn start(package: &Package, pieces: &Pieces) -> Result<Self> {
        match pieces.next()? {
            Piece::Control(control) => {
                let text = |name: &str| control.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
                let conffiles = text("conffiles")
                    .lines()
                    .filter(|line| line.starts_with('/'))
                    .map(|line| (line.trim().to_string(), String::new()))
                    .collect();
                Ok(Self { package: package.clone(), control, list: Vec::new(), conffiles })
            }
            Piece::End(result) => Err(result.err().unwrap_or_else(|| Error::new("it is empty"))),
            Piece::Entry(..) | Piece::Data(_) => Err(Error::new("its data comes before its control archive")),
        }
    }

    /// A control file as text.
    pub fn text(&self, name: &str) -> String {
        self.control.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    }
}

impl Pieces {
    fn next(&self) -> Result<Piece> {
        self.receiver.recv().context(|| "the decoding thread ended")
    }

    /// The next file of the package, the previous one having been read to its end; nothing at the package's end.
    pub(super) fn next_file(&self, unpacked: &mut Unpacked) -> Result<Option<Unpacking<'_>>> {
        loop {
            match self.next()? {
                Piece::Entry(name, entry) => {
                    let listed = name.trim_start_matches('.').trim_end_matches('/');
                    unpacked.list.push(if listed.is_empty() { "/.".into() } else { format!("/{}", listed.trim_start_matches('/')) });
                    let path = String::from_utf8_lossy(&entry.path).into_owned();
                    if !path.is_empty() && !MERGED.contains(&path.as_str()) {
                        return Ok(Some(Unpacking::new(self, path, entry, unpacked)));
                    }
                }
                Piece::End(result) => return result.map(|()| None),
                Piece::Data(_) | Piece::Control(_) => return Err(Error::new("its pieces are out of order")),
            }
        }
    }
}

/// A file that is being unpacked. Reading it hands its content through and keeps what finishing needs.
pub(super) struct Unpacking<'a> {
    pieces: &'a Pieces,
    pub path: String,
    pub entry: Entry,
    left: u64,
    piece: io::Cursor<Vec<u8>>,
    kept: Option<Vec<u8>>,
    elf: Option<Elf>,
    conffile: Option<(usize, Md5)>,
}

/// What was learned of a file while it was unpacked.
pub(super) struct Learned {
    pub content: Option<Arc<[u8]>>,
    pub dynamic: Option<Dynamic>,
}

enum Elf {
    Memory(Vec<u8>),
    Disk(File),
}

impl<'a> Unpacking<'a> {
    fn new(pieces: &'a Pieces, path: String, entry: Entry, unpacked: &Unpacked) -> Self {
        let left = if let Kind::File { size } = entry.kind { size } else { 0 };
        let kept = (is_read_by_rules(&path) || sbom::is_of_system(&path)).then(Vec::new);
        let conffile = unpacked.conffiles.iter().position(|(name, _)| canonical(name) == path).map(|at| (at, Md5::new()));
        let elf = (left > 64 && kept.is_none()).then(|| Elf::Memory(Vec::new()));
        Self { pieces, path, entry, left, piece: io::Cursor::default(), kept, elf, conffile }
    }

    pub(super) fn learned(self, unpacked: &mut Unpacked) -> Learned {
        if let Some((at, sum)) = self.conffile {
            unpacked.conffiles[at].1 = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        }
        let dynamic = match &self.elf {
            Some(Elf::Memory(bytes)) => elf::read(bytes.as_slice()),
            Some(Elf::Disk(file)) => elf::read(&object::ReadCache::new(file)),
            None => None,
        };
        Learned { content: self.kept.map(Arc::from), dynamic }
    }

    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(bytes);
        }
        if let Some((_, sum)) = &mut self.conffile {
            sum.update(bytes);
        }
        match &mut self.elf {
            Some(Elf::Memory(memory)) => {
                if memory.is_empty() && !bytes.starts_with(b"\x7fELF") {
                    self.elf = None;
                } else if memory.len() + bytes.len() > MOST_IN_MEMORY {
                    let mut disk = tempfile::tempfile()?;
                    disk.write_all(memory)?;
                    disk.write_all(bytes)?;
                    self.elf = Some(Elf::Disk(disk));
                } else {
                    memory.extend_from_slice(bytes);
                }
            }
            Some(Elf::Disk(disk)) => disk.write_all(bytes)?,
            None => {}
        }
        Ok(())
    }
}

impl Read for Unpacking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        if self.piece.position() == self.piece.get_ref().len() as u64 {
            match self.pieces.receiver.recv() {
                Ok(Piece::Data(bytes)) => {
                    self.keep(&bytes)?;
                    self.piece = io::Cursor::new(bytes);
                }
                Ok(Piece::End(Err(error))) => return Err(io::Error::other(error)),
                Ok(_) | Err(_) => return Err(io::Error::other("its data is damaged")),
            }
        }
        let count = self.piece.read(buffer)?;
        self.left = self.left.saturating_sub(count as u64);
        Ok(count)
    }
}
