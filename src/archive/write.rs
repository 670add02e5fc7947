//! Writes tar with the same bytes as Go's `archive/tar`: USTAR where that can hold a header, else PAX (TAR-07).

use super::extension::CAPABILITY;
use super::{Entry, Kind};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};

const BLOCK: usize = 512;
const NAME: usize = 100;
const PREFIX: usize = 155;

/// Writes members one after the other. [`TarWriter::finish`] must be called at the end.
pub struct TarWriter<W> {
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> TarWriter<W> {
    /// A writer into `out`.
    pub fn new(out: W) -> Self {
        Self { out, buffer: vec![0; 128 * 1024] }
    }

    /// Writes a member without content, or with content that is at hand.
    ///
    /// # Errors
    /// When `out` fails, or `content` is not as long as the entry says.
    pub fn append(&mut self, entry: &Entry, content: impl Read) -> io::Result<()> {
        self.append_capable(entry, None, content)
    }

    /// As [`TarWriter::append`], for a program that has capabilities of its own, in the form of `security.capability`.
    ///
    /// # Errors
    /// As [`TarWriter::append`].
    pub fn append_capable(&mut self, entry: &Entry, capability: Option<&[u8]>, mut content: impl Read) -> io::Result<()> {
        write_headers(&mut self.out, entry, capability)?;
        let Kind::File { size } = entry.kind else { return Ok(()) };
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
            let count = content.read(&mut self.buffer[..most])?;
            if count == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
            }
            self.out.write_all(&self.buffer[..count])?;
            left -= count as u64;
        }
        if content.read(&mut self.buffer[..1])? != 0 {
            return Err(io::Error::other("the file became longer while it was read"));
        }
        let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        self.out.write_all(&[0; BLOCK][..padding as usize])
    }

    /// Ends the archive.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn end(&mut self) -> io::Result<()> {
        self.out.write_all(&[0; 2 * BLOCK])
    }

    /// Ends the archive and returns what it was written into.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.end()?;
        Ok(self.out)
    }
}

fn write_headers(out: &mut impl Write, entry: &Entry, capability: Option<&[u8]>) -> io::Result<()> {
    let link: &[u8] = match &entry.kind {
        Kind::Symlink { target } | Kind::HardLink { target } => target,
        Kind::File { .. } | Kind::Directory => b"",
    };
    let size = if let Kind::File { size } = entry.kind { size } else { 0 };
    let split = split_name(&entry.path);
    let mut records: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    if let Some(capability) = capability {
        records.insert(CAPABILITY, capability.to_vec());
    }
    if split.is_none() {
        records.insert("path", entry.path.clone());
    }
    if !link.is_ascii() || link.len() > NAME {
        records.insert("linkpath", link.to_vec());
    }
    for (key, value, digits) in [("size", size, 11), ("uid", entry.uid, 7), ("gid", entry.gid, 7), ("mtime", entry.mtime, 11)] {
        if !fits(value, digits) {
            records.insert(key, value.to_string().into_bytes());
        }
    }
    if !records.is_empty() {
        write_records(out, &entry.path, &records)?;
    }
    let mut header = Header::default();
    match split {
        Some((prefix, name)) if records.is_empty() => {
            header.text(0, NAME, name);
            header.text(345, PREFIX, prefix);
        }
        _ => header.text(0, NAME, &ascii(&entry.path)),
    }
    header.text(157, NAME, &ascii(link));
    for (at, length, value) in [
        (100, 8, u64::from(entry.mode)),
        (108, 8, entry.uid),
        (116, 8, entry.gid),
        (124, 12, size),
        (136, 12, entry.mtime),
        (329, 8, 0),
        (337, 8, 0),
    ] {
        header.octal(at, length, if fits(value, length - 1) { value } else { 0 });
    }
    header.0[156] = match entry.kind {
        Kind::File { .. } => b'0',
        Kind::HardLink { .. } => b'1',
        Kind::Symlink { .. } => b'2',
        Kind::Directory => b'5',
    };
    out.write_all(&header.finished())
}

/// The PAX header that comes before a header that USTAR cannot hold.
fn write_records(out: &mut impl Write, path: &[u8], records: &BTreeMap<&str, Vec<u8>>) -> io::Result<()> {
    let mut body = Vec::new();
    for (key, value) in records {
        body.extend(record(key, value));
    }
    let at = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    let (folder, file) = path.split_at(at);
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    let mut name = folder.to_vec();
    if at > 0 {
        name.push(b'/');
    }
    name.extend(b"PaxHeaders.0/");
    name.extend(file);
    let mut header = Header::default();
    let mut name = ascii(&name);
    name.truncate(NAME);
    while name.last() == Some(&b'/') {
        name.pop();
    }
    header.text(0, NAME, &name);
    for (at, length, value) in [(100, 8, 0), (108, 8, 0), (116, 8, 0), (124, 12, body.len() as u64), (136, 12, 0)] {
        header.octal(at, length, value);
    }
    header.0[156] = b'x';
    out.write_all(&header.finished())?;
    let padding = (BLOCK - body.len() % BLOCK) % BLOCK;
    body.resize(body.len() + padding, 0);
    out.write_all(&body)
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + rest.to_string().len();
    if length.to_string().len() != rest.to_string().len() {
        length = rest + length.to_string().len();
    }
    let mut line = format!("{length} {key}=").into_bytes();
    line.extend(value);
    line.push(b'\n');
    line
}

/// Prefix and name as USTAR holds them; `None` where it cannot.
fn split_name(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if !path.is_ascii() {
        return None;
    }
    if path.len() <= NAME {
        return Some((b"", path));
    }
    let mut longest = path.len().min(PREFIX + 1);
    if path.last() == Some(&b'/') && longest == path.len() {
        longest -= 1;
    }
    let at = path[..longest].iter().rposition(|byte| *byte == b'/')?;
    let (prefix, name) = (&path[..at], &path[at + 1..]);
    (at > 0 && !name.is_empty() && name.len() <= NAME && prefix.len() <= PREFIX).then_some((prefix, name))
}

fn fits(value: u64, digits: usize) -> bool {
    value < 1 << (3 * digits)
}

fn ascii(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| byte.is_ascii() && *byte != 0).collect()
}

struct Header([u8; BLOCK]);

impl Default for Header {
    fn default() -> Self {
        Self([0; BLOCK])
    }
}

impl Header {
    fn text(&mut self, at: usize, length: usize, text: &[u8]) {
        let count = text.len().min(length);
        self.0[at..at + count].copy_from_slice(&text[..count]);
    }

    fn octal(&mut self, at: usize, length: usize, value: u64) {
        let digits = format!("{value:0width$o}", width = length - 1);
        self.text(at, length, digits.as_bytes());
    }

    fn finished(mut self) -> [u8; BLOCK] {
        self.text(257, 8, b"ustar\x0000");
        self.text(148, 8, b"        ");
        let sum: u64 = self.0.iter().map(|byte| u64::from(*byte)).sum();
        let digits = format!("{sum:06o}\0 ");
        self.text(148, 8, digits.as_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn entries() -> Vec<(Entry, Vec<u8>)> {
        let time = Entry::NORMAL_TIME;
        let long = |count| vec![b'n'; count];
        let deep = [b"/layers/".as_slice(), &long(120), b"/", &long(90)].concat();
        let file = |path: Vec<u8>, content: &[u8]| (Entry::file(path, content.len() as u64, 0o644, 1001, 1000, time), content.to_vec());
        vec![
            (Entry::directory("/layers", 0o755, 1001, 1000, time), vec![]),
            file(b"/layers/a".to_vec(), b"content"),
            file(deep, b"split"),
            file([b"/layers/".as_slice(), &long(200)].concat(), b"pax"),
            file("/layers/ümlaut".as_bytes().to_vec(), b"utf-8"),
            file(b"/layers/\xff".to_vec(), b"bytes"),
            (Entry::symlink("/layers/l", long(101), 1001, 1000, time), vec![]),
            (Entry::file("/big-id", 0, 0o4755, 3_000_000, 0, time), vec![]),
        ]
    }

    /// TAR-01, TAR-02, TAR-04, TAR-07. The sum is of what Go's archive/tar wrote for the same headers.
    #[test]
    fn bytes_are_those_of_go() {
        let mut writer = TarWriter::new(Vec::new());
        for (entry, content) in entries() {
            writer.append(&entry, content.as_slice()).unwrap();
        }
        let sum: [u8; 32] = Sha256::digest(writer.finish().unwrap()).into();
        let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "c95b6803eeee11e8d5c0e1fa04e3c9e6c0ab1e736e256f9ba419049377e1a665");
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_an_error() {
        let entry = Entry::file("a", 3, 0o644, 0, 0, 0);
        assert!(TarWriter::new(Vec::new()).append(&entry, b"12".as_slice()).is_err());
        assert!(TarWriter::new(Vec::new()).append(&entry, b"1234".as_slice()).is_err());
    }
}
