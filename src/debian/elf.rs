//! What the dynamic linker needs to know of a program or library: its machine, its name, the libraries and symbols it needs and offers.

use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionTable, Sym};
use object::{Endianness, ReadRef};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Whether it is started by itself: it names a dynamic linker.
    pub program: bool,
}

/// The symbols through which a file is linked to others, as `NAME@VERSION`, or `NAME` where it has no version.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Symbols {
    /// What it offers to others.
    pub defined: BTreeSet<String>,
    /// What others must offer to it, and the library that must, where the symbol has a version; what may be missing is not listed.
    pub needed: BTreeMap<String, String>,
}

type Header = FileHeader64<Endianness>;

/// Reads the dynamic section; nothing where the file is no 64-bit ELF file with one.
pub(super) fn read<'a, R: ReadRef<'a>>(file: R) -> Option<Dynamic> {
    let (header, endian, sections) = open(file)?;
    let table = sections.dynamic_table(endian, file).ok().filter(|table| !table.is_empty())?;
    let mut found = Dynamic {
        machine: header.e_machine(endian),
        shared: header.e_type(endian) == elf::ET_DYN,
        program: header.program_headers(endian, file).ok()?.iter().any(|segment| segment.p_type(endian) == elf::PT_INTERP),
        ..Dynamic::default()
    };
    for entry in table.iter() {
        let text = || table.string(entry).ok().map(|text| String::from_utf8_lossy(text).into_owned());
        match entry.tag {
            elf::DT_NEEDED => found.needed.extend(text()),
            elf::DT_SONAME => found.soname = text()?,
            elf::DT_RPATH | elf::DT_RUNPATH => found.search.extend(text()?.split(':').map(str::to_string)),
            _ => {}
        }
    }
    Some(found)
}

/// Reads the dynamic symbols; none where the file has none that can be read.
pub(super) fn symbols<'a, R: ReadRef<'a>>(file: R) -> Symbols {
    read_symbols(file).unwrap_or_default()
}

fn read_symbols<'a, R: ReadRef<'a>>(file: R) -> Option<Symbols> {
    let (_, endian, sections) = open(file)?;
    let table = sections.symbols(endian, file, elf::SHT_DYNSYM).ok()?;
    let versions = sections.versions(endian, file).ok()?;
    let mut symbols = Symbols::default();
    for (index, symbol) in table.enumerate() {
        let name = String::from_utf8_lossy(symbol.name(endian, table.strings()).ok()?).into_owned();
        if name.is_empty() || symbol.is_local() || [elf::STV_HIDDEN, elf::STV_INTERNAL].contains(&symbol.st_visibility()) {
            continue;
        }
        let version = versions.as_ref().and_then(|versions| versions.version(versions.version_index(endian, index)).ok()?);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        // The names of the versions themselves stand among the symbols too.
        if version.is_some_and(|version| version.name() == name.as_bytes()) {
            continue;
        }
        let full = version.map_or_else(|| name.clone(), |version| format!("{name}@{}", text(version.name())));
        match (symbol.is_undefined(endian), symbol.is_weak()) {
            (true, true) => {}
            (true, false) => drop(symbols.needed.insert(full, version.and_then(|version| version.file()).map(text).unwrap_or_default())),
            (false, _) => drop(symbols.defined.insert(full)),
        }
    }
    Some(symbols)
}

fn open<'a, R: ReadRef<'a>>(file: R) -> Option<(&'a Header, Endianness, SectionTable<'a, Header, R>)> {
    let header = Header::parse(file).ok()?;
    let endian = header.endian().ok()?;
    Some((header, endian, header.sections(endian, file).ok()?))
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
        let cache = object::ReadCache::new(std::fs::File::open(path).unwrap());
        assert_eq!(read(&cache), Some(found));
        let symbols = symbols(&cache);
        assert!(symbols.defined.iter().any(|name| name.starts_with("cos@GLIBC_2.")), "{symbols:?}");
        assert!(symbols.needed.iter().any(|(name, library)| name.contains("@GLIBC_") && library == "libc.so.6"), "{symbols:?}");
        assert!(!symbols.defined.contains("GLIBC_2.29@GLIBC_2.29"));
        for length in (0..bytes.len()).step_by(bytes.len() / 97) {
            assert!(read(&bytes[..length]).is_none_or(|found| found.needed.len() < 4096));
        }
        assert_eq!(read(b"#!/bin/sh".as_slice()), None);
    }
}
