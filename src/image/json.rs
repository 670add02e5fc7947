//! JSON as Go's `encoding/json` writes it, because digests are of bytes: keys in the order of the fields, `<`, `>`, `&` escaped.

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use std::io;

struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut start = 0;
        for (at, letter) in fragment.char_indices() {
            let escaped = match letter {
                '<' => "\\u003c",
                '>' => "\\u003e",
                '&' => "\\u0026",
                '\u{2028}' => "\\u2028",
                '\u{2029}' => "\\u2029",
                _ => continue,
            };
            writer.write_all(&fragment.as_bytes()[start..at])?;
            writer.write_all(escaped.as_bytes())?;
            start = at + letter.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[start..])
    }
}

/// `value` as JSON on one line. `value` must be made of structs, sequences, strings, numbers and maps with string keys.
pub fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut bytes, GoFormatter));
    debug_assert!(written.is_ok(), "documents have string keys, and memory takes every byte");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_go_escapes_them() {
        assert_eq!(to_json(&"a<b>&\u{2028}é\n\"\u{8}"), "\"a\\u003cb\\u003e\\u0026\\u2028é\\n\\\"\\b\"".as_bytes());
    }
}
