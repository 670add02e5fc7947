//! What the dynamic linker needs to know of a program or library: its machine, its name, the libraries it needs. Reads only those parts.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// A 64-bit ELF file's dynamic section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dynamic {
    /// `e_machine`.
    pub machine: u16,
    /// `DT_SONAME`; empty where there is none.
    pub soname: String,
    /// `DT_NEEDED`.
    pub needed: Vec<String>,
    /// `DT_RUNPATH` and `DT_RPATH`, split at colons.
    pub search: Vec<String>,
    /// Whether it is a shared object, not a program for one address.
    pub shared: bool,
}

/// Something that can be read at a place.
pub(super) trait ReadAt {
    /// Fills `buffer` from `offset`, or says that it cannot.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Option<()>;
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Option<()> {
        let start = usize::try_from(offset).ok()?;
        buffer.copy_from_slice(self.get(start..start.checked_add(buffer.len())?)?);
        Some(())
    }
}

impl ReadAt for File {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Option<()> {
        self.read_exact_at(buffer, offset).ok()
    }
}

/// Reads the dynamic section; nothing where the file is no little-endian 64-bit ELF file with one.
pub(super) fn read(file: &(impl ReadAt + ?Sized)) -> Option<Dynamic> {
    let mut header = [0; 64];
    file.read_at(0, &mut header)?;
    if header[..4] != *b"\x7fELF" || header[4] != 2 || header[5] != 1 {
        return None;
    }
    let (table, size, count) = (u64_at(&header, 32), u16_at(&header, 54), u16_at(&header, 56));
    let (mut segments, mut dynamic) = (Vec::new(), None);
    for at in 0..u64::from(count) {
        let mut segment = [0; 56];
        file.read_at(table.checked_add(at * u64::from(size))?, &mut segment)?;
        let (offset, address, length) = (u64_at(&segment, 8), u64_at(&segment, 16), u64_at(&segment, 32));
        match u32_at(&segment, 0) {
            1 => segments.push((address, offset, length)),
            2 => dynamic = Some((offset, length)),
            _ => {}
        }
    }
    let (offset, length) = dynamic?;
    let (mut soname, mut needed, mut search, mut strings) = (None, Vec::new(), Vec::new(), None);
    for at in 0..(length / 16).min(4096) {
        let mut pair = [0; 16];
        file.read_at(offset.checked_add(at * 16)?, &mut pair)?;
        match (u64_at(&pair, 0), u64_at(&pair, 8)) {
            (0, _) => break,
            (1, value) => needed.push(value),
            (5, value) => strings = Some(value),
            (14, value) => soname = Some(value),
            (15 | 29, value) => search.push(value),
            _ => {}
        }
    }
    let strings = strings?;
    let (address, start, _) =
        *segments.iter().find(|(address, _, length)| (*address..address.saturating_add(*length)).contains(&strings))?;
    let base = strings - address + start;
    let text = |at: u64| text_at(file, base.checked_add(at)?);
    Some(Dynamic {
        machine: u16_at(&header, 18),
        soname: soname.and_then(text).unwrap_or_default(),
        needed: needed.into_iter().filter_map(text).collect(),
        search: search.into_iter().filter_map(text).flat_map(|paths| paths.split(':').map(str::to_string).collect::<Vec<_>>()).collect(),
        shared: u16_at(&header, 16) == 3,
    })
}

fn text_at(file: &(impl ReadAt + ?Sized), mut at: u64) -> Option<String> {
    let mut text = Vec::new();
    while text.len() < 4096 {
        let mut byte = [0];
        file.read_at(at, &mut byte)?;
        if byte[0] == 0 {
            return String::from_utf8(text).ok();
        }
        text.push(byte[0]);
        at += 1;
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_library_is_read_and_damage_is_not_fatal() {
        let path = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6"]
            .into_iter()
            .find(|path| std::path::Path::new(path).exists())
            .unwrap();
        let bytes = std::fs::read(path).unwrap();
        let found = read(bytes.as_slice()).unwrap();
        assert_eq!((found.soname.as_str(), found.needed.contains(&"libc.so.6".to_string()), found.shared), ("libm.so.6", true, true));
        assert_eq!(read(&File::open(path).unwrap()), Some(found));
        for length in (0..bytes.len()).step_by(bytes.len() / 97) {
            assert!(read(&bytes[..length]).is_none_or(|found| found.needed.len() < 4096));
        }
        assert_eq!(read(b"#!/bin/sh".as_slice()), None);
    }
}
