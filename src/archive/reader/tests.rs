//! What the reader of tar accepts, and what it refuses.

use super::*;
use crate::archive::{Entry, Kind, TarWriter};
use proptest::prelude::*;

/// A member's header and content as a hostile program would write them.
pub(in crate::archive) fn raw(name: &str, flag: u8, size: &str, body: &[u8]) -> Vec<u8> {
    let mut block = [0; BLOCK];
    block[..name.len()].copy_from_slice(name.as_bytes());
    for (at, field) in [(100, "0000644"), (108, "0000000"), (116, "0000000"), (124, size), (136, "00000000001"), (257, "ustar\x0000")] {
        block[at..at + field.len()].copy_from_slice(field.as_bytes());
    }
    block[156] = flag;
    let mut bytes = summed(block).to_vec();
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn summed(mut block: [u8; BLOCK]) -> [u8; BLOCK] {
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn extended(flag: u8, body: &str) -> Vec<u8> {
    raw("pax", flag, &format!("{:011o}", body.len()), body.as_bytes())
}

fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let line = |key: &str, value: &str| {
        let rest = key.len() + value.len() + 3;
        let length = (rest..).find(|length| length.to_string().len() + rest == *length).unwrap();
        format!("{length} {key}={value}\n")
    };
    extended(b'x', &records.iter().map(|(key, value)| line(key, value)).collect::<String>())
}

fn file(size: u64) -> Vec<u8> {
    raw("f", b'0', &format!("{size:011o}"), &vec![b'x'; size as usize])
}

fn remarked(mut bytes: Vec<u8>, mark: &[u8; 8]) -> Vec<u8> {
    bytes[257..265].copy_from_slice(mark);
    let block = summed(bytes[..BLOCK].try_into().unwrap());
    bytes[..BLOCK].copy_from_slice(&block);
    bytes
}

fn read(bytes: &[u8]) -> Result<Vec<(Member, Vec<u8>)>> {
    let mut tar = TarReader::new(bytes);
    let mut found = Vec::new();
    while let Some(member) = tar.next()? {
        let mut content = Vec::new();
        tar.read_to_end(&mut content)?;
        found.push((member, content));
    }
    Ok(found)
}

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    let smuggled = [raw("inner", b'0', "00000000001", b"x"), vec![0; 1024]].concat();
    for (why, bytes) in [
        ("its header says 0 bytes", [pax(&[("size", "1024")]), raw("f", b'0', "00000000000", &smuggled)].concat()),
        ("its header says 3 bytes", [pax(&[("size", "2")]), file(3)].concat()),
        ("contradict", [pax(&[("path", "a"), ("path", "b")]), file(1)].concat()),
        ("contradict", [extended(b'L', "a\0"), pax(&[("path", "b")]), file(1)].concat()),
        ("malformed", [extended(b'x', "8 path=a\n"), file(1)].concat()),
        ("malformed", [extended(b'x', "99999999999999999999 path=a\n"), file(1)].concat()),
        ("malformed", [extended(b'x', "0 path=a\n"), file(1)].concat()),
        ("malformed", [extended(b'x', "path"), file(1)].concat()),
        ("is not a name", [pax(&[("path", "a\0b")]), file(1)].concat()),
        ("is not a name", [pax(&[("path", "")]), file(1)].concat()),
        ("is not a number", [pax(&[("size", "-1")]), file(1)].concat()),
        ("is not a number", [pax(&[("uid", "99999999999999999999")]), file(1)].concat()),
        ("is no user", [pax(&[("uid", "4294967296")]), file(1)].concat()),
        ("is not a time", [pax(&[("mtime", "1.x")]), file(1)].concat()),
        ("sparse", [pax(&[("GNU.sparse.major", "1")]), file(1)].concat()),
        ("sparse", raw("f", b'S', "00000000000", b"")),
        ("global header sets `path`", [extended(b'g', "9 path=a\n"), file(1)].concat()),
        ("can have no content", raw("d", b'5', "00000000001", b"x")),
        ("can have no content", raw("l", b'1', "00000001000", &smuggled)),
        ("ends in `/`", raw("d/", b'0', "00000000000", b"")),
        ("no place", raw("f", b'X', "00000000000", b"")),
        ("is not a number", raw("f", b'0', "0000000000x", b"")),
        ("is not a number", raw("f", b'0', "-0000000001", b"")),
        ("after an extended header", pax(&[("path", "a")])),
        ("after its end", [vec![0; 512], file(1)].concat()),
        ("truncated", file(3)[..514].to_vec()),
        ("truncated", file(3)[..700].to_vec()),
        ("truncated", file(3)[..100].to_vec()),
        ("no known format", remarked(pax(&[("path", "a")]), b"ustar\x0001")),
        ("no known format", remarked(pax(&[("path", "a")]), &[0; 8])),
        ("checksum", [&file(3)[..1], b"g", &file(3)[2..]].concat()),
    ] {
        let error = read(&bytes).expect_err(why).to_string();
        let all = format!("{error} {:?}", read(&bytes).unwrap_err().causes());
        assert!(all.contains(why), "{why}: {all}");
    }
}

#[test]
fn an_extension_that_claims_gigabytes_is_refused_before_it_is_read() {
    struct Endless;
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'1');
            Ok(buffer.len())
        }
    }
    for flag in *b"xgLK" {
        let header = raw("pax", flag, "77777777777", b"");
        assert!(TarReader::new(header.chain(Endless)).next().is_err());
    }
}

#[test]
fn formats_of_other_programs_are_read() {
    let mut binary = [0; BLOCK];
    binary.copy_from_slice(&raw("big", b'0', "", b""));
    binary[124] = 0x80;
    binary[127..136].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 3]);
    let bytes = [
        extended(b'g', "16 comment=abcd\n"),
        extended(b'L', "long\0"),
        extended(b'K', "target\0"),
        raw("short", b'2', "00000000000", b""),
        pax(&[("mtime", "-1.5"), ("uid", "3000000"), ("SCHILY.xattr.user.x", "a=b\nc\0d")]),
        file(3),
        summed(binary).to_vec(),
        [b"abc".to_vec(), vec![0; 509]].concat(),
        raw("old/", 0, "00000000000", b""),
    ];
    let found = read(&bytes.concat()).unwrap();
    let shown: Vec<_> =
        found.iter().map(|(member, content)| (String::from_utf8_lossy(&member.path).into_owned(), member.kind, content.len())).collect();
    let expected =
        [("long", MemberKind::Symlink, 0), ("f", MemberKind::File, 3), ("big", MemberKind::File, 3), ("old/", MemberKind::Directory, 0)];
    assert_eq!(shown, expected.map(|(name, kind, size)| (name.to_string(), kind, size)));
    assert_eq!(found[0].0.link, b"target");
    assert_eq!((found[1].0.mtime, found[1].0.uid), (-2, 3_000_000));
}

#[test]
fn a_size_that_no_header_holds_is_read_from_the_extension() {
    let bytes = [pax(&[("size", "9000000000")]), raw("f", b'0', "00000000000", b"")].concat();
    assert_eq!(TarReader::new(bytes.as_slice()).next().unwrap().unwrap().size, 9_000_000_000);
}

fn entries(lowest: u8) -> impl Strategy<Value = Vec<(Entry, Vec<u8>)>> {
    let name = move || proptest::collection::vec(lowest..=255, 1..300).prop_filter("a folder", |name| name.last() != Some(&b'/'));
    let content = proptest::collection::vec(any::<u8>(), 0..2000);
    let numbers = (0..0o10000_u32, any::<u32>(), any::<u32>(), 0..1_u64 << 40);
    let entry = (name(), name(), content, 0..4, numbers).prop_map(|(path, target, content, kind, (mode, uid, gid, mtime))| {
        let (kind, content) = match kind {
            0 => (Kind::Directory, vec![]),
            1 => (Kind::Symlink { target }, vec![]),
            2 => (Kind::HardLink { target }, vec![]),
            _ => (Kind::File { size: content.len() as u64 }, content),
        };
        (Entry { path, kind, mode, uid: uid.into(), gid: gid.into(), mtime }, content)
    });
    proptest::collection::vec(entry, 0..5)
}

fn written(entries: &[(Entry, Vec<u8>)]) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new());
    entries.iter().for_each(|(entry, content)| writer.append(entry, content.as_slice()).unwrap());
    writer.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_is_read(entries in entries(1)) {
        let found = read(&written(&entries)).unwrap();
        prop_assert_eq!(found.len(), entries.len());
        for ((member, read), (entry, content)) in found.iter().zip(&entries) {
            prop_assert_eq!((&member.path, read), (&entry.path, content));
            prop_assert_eq!((member.mode, u64::from(member.uid), u64::from(member.gid)), (entry.mode, entry.uid, entry.gid));
            prop_assert_eq!(member.mtime, entry.mtime as i64);
            if let Kind::Symlink { target } | Kind::HardLink { target } = &entry.kind {
                prop_assert_eq!(&member.link, target);
            }
        }
    }

    /// A tar that this reader accepts means the same to the `tar` crate.
    #[test]
    fn damage_is_refused_or_means_the_same_to_others(
        entries in entries(b'\n' + 1),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        // That crate ends a PAX record at the first line feed instead of where its length says.
        let line_feed = |name: &[u8]| name.contains(&b'\n');
        let mut bytes = written(&entries);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let block = at / BLOCK * BLOCK;
            // With a right checksum the damage is seen by more than the first check.
            if bytes[block + 257..].starts_with(b"ustar") {
                let repaired = summed(bytes[block..block + BLOCK].try_into().unwrap());
                bytes[block..block + BLOCK].copy_from_slice(&repaired);
            }
        }
        let Ok(found) = read(&bytes) else { return Ok(()) };
        if found.iter().any(|(member, _)| line_feed(&member.path) || line_feed(&member.link)) {
            return Ok(());
        }
        let mut archive = tar::Archive::new(bytes.as_slice());
        let others: Vec<_> = archive.entries().unwrap().map(|member| member.map(|member| (member.path_bytes().into_owned(), member.size()))).collect();
        let others: Vec<_> = others.into_iter().map_while(std::io::Result::ok).filter(|(path, _)| path != b"pax_global_header").collect();
        for ((member, _), (path, size)) in found.iter().zip(&others) {
            prop_assert_eq!((&member.path, member.size), (path, *size));
        }
    }

    #[test]
    fn nonsense_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
        drop(read(&bytes));
    }
}
