//! The first thing that differs between two tars.

use crate::archive::{Member, TarReader};
use crate::error::Result;
use serde::Serialize;
use std::fmt;
use std::io::Read;

/// Where two tars part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Parting {
    /// The file, from `/`.
    pub file: String,
    /// What of it differs, as `mode`, or `content`.
    pub field: &'static str,
    /// For content, how many bytes before are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What the first has; nothing where it ends before.
    pub from: Option<String>,
    /// What the second has; nothing where it ends before.
    pub to: Option<String>,
}

/// Compares two tars member by member, and reads no further than to the first difference; nothing where all that a reader sees is the same.
///
/// # Errors
/// When one cannot be read.
pub fn parting(from: impl Read, to: impl Read) -> Result<Option<Parting>> {
    let (mut from, mut to) = (TarReader::new(from), TarReader::new(to));
    loop {
        let (a, b) = match (from.next()?, to.next()?) {
            (None, None) => return Ok(None),
            (Some(a), Some(b)) if a.path == b.path => (a, b),
            (a, b) => {
                let file = a.as_ref().or(b.as_ref()).map(|member| shown(&member.path)).unwrap_or_default();
                let name = |member: Option<Member>| member.map(|member| shown(&member.path));
                return Ok(Some(Parting { file, field: "member", offset: None, from: name(a), to: name(b) }));
            }
        };
        if let Some((field, from, to)) = fields(&a, &b) {
            return Ok(Some(Parting { file: shown(&a.path), field, offset: None, from: Some(from), to: Some(to) }));
        }
        if let Some((offset, [from, to])) = bytes(&mut from, &mut to)? {
            let byte = |byte: Option<u8>| byte.map(|byte| format!("0x{byte:02x}"));
            return Ok(Some(Parting { file: shown(&a.path), field: "content", offset: Some(offset), from: byte(from), to: byte(to) }));
        }
    }
}

/// The first field that differs; sizes are told by the content.
fn fields(a: &Member, b: &Member) -> Option<(&'static str, String, String)> {
    let octal = |mode: u32| format!("{mode:04o}");
    let hex = |member: &Member| member.capability.iter().flatten().map(|byte| format!("{byte:02x}")).collect::<String>();
    let all = [
        ("kind", format!("{:?}", a.kind).to_lowercase(), format!("{:?}", b.kind).to_lowercase()),
        ("target", a.link.escape_ascii().to_string(), b.link.escape_ascii().to_string()),
        ("mode", octal(a.mode), octal(b.mode)),
        ("owner", format!("{}:{}", a.uid, a.gid), format!("{}:{}", b.uid, b.gid)),
        ("time", a.mtime.to_string(), b.mtime.to_string()),
        ("capability", hex(a), hex(b)),
    ];
    all.into_iter().find(|(_, a, b)| a != b)
}

/// How many bytes are the same at the start, and the two that come then; nothing where all are.
fn bytes(from: &mut impl Read, to: &mut impl Read) -> Result<Option<(u64, [Option<u8>; 2])>> {
    let mut same = 0;
    let (mut a, mut b) = ([0; 64 * 1024], [0; 64 * 1024]);
    loop {
        let (count, other) = (fill(from, &mut a)?, fill(to, &mut b)?);
        let (a, b) = (&a[..count], &b[..other]);
        if let Some(at) = a.iter().zip(b).position(|(a, b)| a != b).or_else(|| (count != other).then_some(count.min(other))) {
            return Ok(Some((same + at as u64, [a.get(at).copied(), b.get(at).copied()])));
        }
        if count == 0 {
            return Ok(None);
        }
        same += count as u64;
    }
}

/// Reads until the buffer is full or the content ends.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn shown(path: &[u8]) -> String {
    format!("/{}", path.strip_prefix(b"/").unwrap_or(path).escape_ascii())
}

impl fmt::Display for Parting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, field, offset, from, to } = self;
        let (from, to) = (from.as_deref().unwrap_or("the end"), to.as_deref().unwrap_or("the end"));
        match offset {
            Some(offset) => write!(formatter, "{file}: byte {offset}, {from} -> {to}"),
            None => write!(formatter, "{file}: {field} {from} -> {to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::{Entry, TarWriter};
    use std::io::Write;

    fn tar(members: &[(Entry, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut tar = TarWriter::new(&mut bytes);
        for (entry, content) in members {
            tar.append(entry, *content).unwrap();
        }
        tar.finish().unwrap();
        bytes.flush().unwrap();
        bytes
    }

    #[test]
    fn the_first_difference_is_named_to_the_field_and_the_byte() {
        let file =
            |name: &str, content: &'static [u8], mode: u32, time: u64| (Entry::file(name, content.len() as u64, mode, 0, 0, time), content);
        let one = tar(&[file("a", b"same", 0o644, 1), file("b", b"print(1)\n", 0o644, 1), file("c", b"", 0o644, 1)]);
        for (other, expected) in [
            (
                tar(&[file("a", b"same", 0o644, 1), file("b", b"print(2)\n", 0o644, 1), file("c", b"", 0o644, 1)]),
                "/b: byte 6, 0x31 -> 0x32",
            ),
            (tar(&[file("a", b"same", 0o644, 1), file("b", b"print(", 0o644, 1), file("c", b"", 0o644, 1)]), "/b: byte 6, 0x31 -> the end"),
            (tar(&[file("a", b"same", 0o755, 1), file("b", b"other", 0o644, 1)]), "/a: mode 0644 -> 0755"),
            (tar(&[file("a", b"same", 0o644, 1), file("b", b"print(1)\n", 0o644, 2)]), "/b: time 1 -> 2"),
            (tar(&[file("a", b"same", 0o644, 1), file("c", b"", 0o644, 1)]), "/b: member /b -> /c"),
            (tar(&[file("a", b"same", 0o644, 1), file("b", b"print(1)\n", 0o644, 1)]), "/c: member /c -> the end"),
        ] {
            assert_eq!(parting(&one[..], &other[..]).unwrap().map(|parting| parting.to_string()).as_deref(), Some(expected));
        }
        assert_eq!(parting(&one[..], &one[..]).unwrap(), None);
    }
}
