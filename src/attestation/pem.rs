//! Texts of the form PEM (RFC 7468): a label, and bytes in base64 below it.

use crate::error::{Context, Error, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The first block in a text: its label and its bytes.
pub(super) fn read(text: &str) -> Result<(String, Vec<u8>)> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| !line.starts_with(BEGIN));
    let label = lines.next().and_then(|line| line.strip_prefix(BEGIN)?.strip_suffix(DASHES)).context(|| "it is no PEM")?;
    let (mut body, end) = (String::new(), format!("{END}{label}{DASHES}"));
    for line in lines {
        if line == end {
            let bytes = STANDARD.decode(body).context(|| format!("its `{label}` is damaged"))?;
            return Ok((label.to_string(), bytes));
        }
        body.push_str(line);
    }
    Err(Error::new(format!("its `{label}` has no end")))
}

/// A block as text.
pub(super) fn write(label: &str, bytes: &[u8]) -> String {
    let body = STANDARD.encode(bytes);
    let mut text = format!("{BEGIN}{label}{DASHES}\n");
    for start in (0..body.len()).step_by(64) {
        text.push_str(&body[start..body.len().min(start + 64)]);
        text.push('\n');
    }
    text + END + label + DASHES + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_as_it_is_written() {
        for length in [0, 1, 47, 48, 49, 200] {
            let bytes = vec![7; length];
            assert_eq!(read(&format!("junk\r\n{}more\n", write("A KEY", &bytes))).unwrap(), ("A KEY".into(), bytes));
        }
        for bad in ["", "-----BEGIN X-----", "-----BEGIN X-----\nAA\n-----END X-----", "-----BEGIN X\nAAAA\n-----END X-----", "AAAA"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
