//! Reads tar from people who may want to harm us. Where two readers could understand an archive differently, this one refuses it: a file
//! that a scanner did not see must not appear here. No header can make it keep more than [`MOST_EXTENSION`] bytes.

use super::extension::{Extensions, MOST_EXTENSION};
use crate::error::{Error, Result};
use std::io::{self, Read};

const BLOCK: usize = 512;
/// More members than this are no layer but an attack.
const MOST_MEMBERS: u64 = 1_000_000;
/// What stands in headers of POSIX.
const POSIX: &[u8] = b"ustar\x0000";
/// What stands in headers of GNU.
const GNU: &[u8] = b"ustar  \0";
/// The largest size that the header itself can hold in octal digits.
const MOST_OCTAL: u64 = 0o77_777_777_777;

/// Yields the members of a tar one after the other; reading it yields the content of the member that came last.
pub struct TarReader<R> {
    input: R,
    content: u64,
    padding: u64,
    members: u64,
}

/// What a tar says of one member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name, as it is written.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: MemberKind,
    /// Where a link points; empty for others.
    pub link: Vec<u8>,
    /// Bytes of content.
    pub size: u64,
    /// Permission bits, with set-user-ID and the like.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// The capabilities of a program, as in `security.capability`.
    pub capability: Option<Vec<u8>>,
}

/// What a member of a tar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    File,
    HardLink,
    Symlink,
    Device,
    Directory,
    Fifo,
}

impl<R: Read> TarReader<R> {
    /// A reader of the tar in `input`.
    pub fn new(input: R) -> Self {
        Self { input, content: 0, padding: 0, members: 0 }
    }

    /// The next member; nothing at the end.
    ///
    /// # Errors
    /// When the tar is damaged, truncated or ambiguous.
    pub fn next(&mut self) -> Result<Option<Member>> {
        self.skip()?;
        let mut extensions = Extensions::default();
        loop {
            let Some(header) = self.header()? else {
                return if extensions.is_empty() { Ok(None) } else { Err(Error::new("the tar ends after an extended header")) };
            };
            let size = number(&header[124..136])?;
            match header[156] {
                b'x' => extensions.add_records(&self.extension(size)?)?,
                b'g' => Extensions::check_global(&self.extension(size)?)?,
                b'L' => extensions.add_path(&self.extension(size)?)?,
                b'K' => extensions.add_link(&self.extension(size)?)?,
                _ => return self.member(&header, size, extensions).map(Some),
            }
        }
    }

    fn member(&mut self, header: &[u8; BLOCK], size: u64, extensions: Extensions) -> Result<Member> {
        self.members += 1;
        if self.members > MOST_MEMBERS {
            return Err(Error::new(format!("the tar has more than {MOST_MEMBERS} members")));
        }
        let path = extensions.path.map_or_else(|| name(header), Ok)?;
        let kind = kind(header[156], &path)?;
        let size = true_size(size, extensions.size)?;
        if kind != MemberKind::File && size != 0 {
            return Err(Error::new("a member that can have no content has some"));
        }
        let is_link = matches!(kind, MemberKind::HardLink | MemberKind::Symlink);
        let link = if is_link { extensions.link.unwrap_or_else(|| text(&header[157..257]).to_vec()) } else { Vec::new() };
        let owner = |field: &[u8], extended: Option<u64>| -> Result<u32> {
            let id = extended.map_or_else(|| number(field), Ok)?;
            u32::try_from(id).map_err(|_| Error::new(format!("{id} is no user or group")))
        };
        let member = Member {
            kind,
            link,
            size,
            mode: (number(&header[100..108])? & 0o7777) as u32,
            uid: owner(&header[108..116], extensions.uid)?,
            gid: owner(&header[116..124], extensions.gid)?,
            mtime: match extensions.mtime {
                Some(mtime) => mtime,
                None => i64::try_from(number(&header[136..148])?).map_err(|_| Error::new("the time is too far away"))?,
            },
            capability: extensions.capability,
            path,
        };
        self.content = size;
        self.padding = padding(size);
        Ok(member)
    }

    /// The next header block with a right checksum; nothing where the tar ends.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let Some(block) = self.block()? else { return Ok(None) };
        if block == [0; BLOCK] {
            return match self.block()? {
                None | Some([0, ..]) => Ok(None),
                Some(_) => Err(Error::new("the tar goes on after its end")),
            };
        }
        let bytes = || block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { b' ' } else { *byte });
        let unsigned: u64 = bytes().map(u64::from).sum();
        // Some old programs summed signed bytes.
        let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
        let written = number(&block[148..156])?;
        if written != unsigned && i64::try_from(written) != Ok(signed) {
            return Err(Error::new("a header has a wrong checksum"));
        }
        // Some readers look at the version, and only some see extended headers without the mark of POSIX or GNU.
        let marked = [POSIX, GNU].contains(&&block[257..265]);
        if !marked && (block[257..].starts_with(b"ustar") || b"xgLK".contains(&block[156])) {
            return Err(Error::new("a header is in no known format"));
        }
        Ok(Some(block))
    }

    fn block(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.input.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(Error::new("the tar is truncated")),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(block))
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > MOST_EXTENSION {
            return Err(Error::new(format!("an extended header has {size} bytes")));
        }
        (self.content, self.padding) = (size, padding(size));
        let mut body = Vec::new();
        self.read_to_end(&mut body)?;
        self.skip()?;
        Ok(body)
    }

    fn skip(&mut self) -> Result<()> {
        let left = std::mem::take(&mut self.content) + std::mem::take(&mut self.padding);
        let skipped = io::copy(&mut self.input.by_ref().take(left), &mut io::sink())?;
        if skipped == left { Ok(()) } else { Err(Error::new("the tar is truncated")) }
    }
}

impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.content).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let count = self.input.read(&mut buffer[..most])?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the tar is truncated"));
        }
        self.content -= count as u64;
        Ok(count)
    }
}

fn kind(flag: u8, path: &[u8]) -> Result<MemberKind> {
    let is_folder = path.ends_with(b"/");
    match flag {
        // Programs before POSIX had no other way to say that a member is a folder.
        0 if is_folder => Ok(MemberKind::Directory),
        b'0' | b'7' if is_folder => Err(Error::new("a file's name ends in `/`")),
        0 | b'0' | b'7' => Ok(MemberKind::File),
        b'1' => Ok(MemberKind::HardLink),
        b'2' => Ok(MemberKind::Symlink),
        b'3' | b'4' => Ok(MemberKind::Device),
        b'5' => Ok(MemberKind::Directory),
        b'6' => Ok(MemberKind::Fifo),
        b'S' => Err(Error::new("a sparse file has no place in a layer")),
        other => Err(Error::new(format!("a member of type `{}` has no place in a layer", other.escape_ascii()))),
    }
}

/// The size, where header and extended header may both tell one. Readers that heed only one of them must see the same members.
fn true_size(header: u64, extended: Option<u64>) -> Result<u64> {
    match extended {
        None => Ok(header),
        Some(size) if size == header => Ok(size),
        Some(size) if size > MOST_OCTAL && (header == 0 || header == MOST_OCTAL) => Ok(size),
        Some(size) => Err(Error::new(format!("its header says {header} bytes and its extended header {size}"))),
    }
}

/// Prefix and name of a header.
fn name(header: &[u8; BLOCK]) -> Result<Vec<u8>> {
    let (name, prefix) = (text(&header[..100]), text(&header[345..500]));
    if &header[257..265] != POSIX || prefix.is_empty() {
        return Ok(name.to_vec());
    }
    if &header[508..] == b"tar\0" {
        return Err(Error::new("a header is in the format of `star`, which others read differently"));
    }
    Ok([prefix, b"/", name].concat())
}

/// The bytes before the first NUL.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number in octal digits, or in base 256 where the first bit says so.
fn number(field: &[u8]) -> Result<u64> {
    let wrong = || Error::new(format!("`{}` is not a number", field.escape_ascii()));
    if field[0] & 0x80 != 0 {
        let mut bytes = field.iter().enumerate().map(|(at, byte)| if at == 0 { byte & 0x7f } else { *byte });
        return bytes.try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add(byte.into())).ok_or_else(wrong);
    }
    let digits = text(field).trim_ascii();
    if digits.iter().any(|digit| !(b'0'..=b'7').contains(digit)) {
        return Err(wrong());
    }
    Ok(digits.iter().fold(0, |sum, digit| sum * 8 + u64::from(digit - b'0')))
}

fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

#[cfg(test)]
pub(super) mod tests;
