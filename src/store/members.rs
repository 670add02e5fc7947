//! The files in a tar, each to be read on its own: an archive of images names its layers in documents that come after them.

use crate::archive::{MemberKind, TarReader, decompressed};
use crate::error::{Context, Error, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Links to links are followed so far.
const DEEPEST: usize = 8;
/// A longer document is something else.
pub(super) const LONGEST_DOCUMENT: u64 = 8 << 20;

/// The files of a tar.
pub(super) struct Members {
    file: File,
    found: BTreeMap<String, Place>,
}

enum Place {
    /// Content from here, of this size.
    At(u64, u64),
    /// What has that name.
    Link(String),
}

impl Members {
    /// The files of the tar in `file`, which is unpacked in `scratch` where it is compressed.
    pub fn open(mut file: File, scratch: &Path) -> Result<Self> {
        let mut start = [0; 6];
        let count = file.read(&mut start)?;
        file.rewind()?;
        let compressed: [&[u8]; 3] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd], &[0xfd, b'7', b'z', b'X', b'Z', 0]];
        if start[..count].starts_with(compressed[2]) {
            return Err(Error::new("it is compressed with xz").hint("unpack it with `unxz` first"));
        }
        if compressed.iter().any(|magic| start[..count].starts_with(magic)) {
            let mut unpacked = tempfile::tempfile_in(scratch)?;
            io::copy(&mut decompressed(file)?, &mut unpacked).context(|| "cannot unpack it")?;
            unpacked.rewind()?;
            file = unpacked;
        }
        let mut found = BTreeMap::new();
        let mut reader = TarReader::new(&file);
        while let Some(member) = reader.next()? {
            let path = clean(&String::from_utf8_lossy(&member.path), "");
            let place = match member.kind {
                MemberKind::File => Place::At((&file).stream_position()?, member.size),
                MemberKind::HardLink => Place::Link(clean(&String::from_utf8_lossy(&member.link), "")),
                MemberKind::Symlink => Place::Link(clean(&String::from_utf8_lossy(&member.link), &path)),
                MemberKind::Device | MemberKind::Directory | MemberKind::Fifo => continue,
            };
            if found.insert(path.clone(), place).is_some() {
                // Which of the two is meant, readers do not agree on.
                return Err(Error::new(format!("it has two files `{path}`")));
            }
        }
        Ok(Self { file, found })
    }

    /// A file; nothing where there is none of this name.
    pub fn get(&self, name: &str) -> Option<Part<'_>> {
        let mut name = name.to_string();
        for _ in 0..DEEPEST {
            match self.found.get(&clean(&name, ""))? {
                Place::At(start, size) => return Some(Part { file: &self.file, at: *start, left: *size }),
                Place::Link(target) => name.clone_from(target),
            }
        }
        None
    }

    /// A whole document; nothing where there is none of this name.
    pub fn document(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let Some(mut part) = self.get(name) else { return Ok(None) };
        if part.left > LONGEST_DOCUMENT {
            return Err(Error::new(format!("the document `{name}` is too long")));
        }
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes).context(|| format!("cannot read `{name}`"))?;
        Ok(Some(bytes))
    }
}

/// A path without what is understood by itself; that of a link beside `link`.
fn clean(path: &str, link: &str) -> String {
    let start = if path.starts_with('/') { "" } else { link.rsplit_once('/').map_or("", |(folder, _)| folder) };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The content of a file in a tar.
pub(super) struct Part<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read_at(&mut buffer[..most], self.at)?;
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}
