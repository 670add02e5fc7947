//! What stands before a header that cannot hold everything: PAX records (POSIX `pax`, "Extended Header") and GNU's long names.

use crate::error::{Context, Error, Result};

/// The longest extended header that is read, the same as in Go's `archive/tar`.
pub(super) const MOST_EXTENSION: u64 = 1 << 20;

/// The record that holds the capabilities of a program.
pub(super) const CAPABILITY: &str = "SCHILY.xattr.security.capability";

/// What extended headers say of the member that follows.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<i64>,
    pub(super) capability: Option<Vec<u8>>,
    seen: bool,
}

impl Extensions {
    pub(super) fn is_empty(&self) -> bool {
        !self.seen
    }

    /// Takes PAX records.
    pub(super) fn add_records(&mut self, body: &[u8]) -> Result<()> {
        self.seen = true;
        for (key, value) in records(body)? {
            match key {
                b"path" => set(&mut self.path, path(value)?)?,
                b"linkpath" => set(&mut self.link, path(value)?)?,
                b"size" => set(&mut self.size, digits(value)?)?,
                b"uid" => set(&mut self.uid, digits(value)?)?,
                b"gid" => set(&mut self.gid, digits(value)?)?,
                b"mtime" => set(&mut self.mtime, seconds(value)?)?,
                _ if key == CAPABILITY.as_bytes() => set(&mut self.capability, value.to_vec())?,
                _ if key.starts_with(b"GNU.sparse.") => return Err(Error::new("a sparse file has no place in a layer")),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes the body of GNU's `L` header.
    pub(super) fn add_path(&mut self, body: &[u8]) -> Result<()> {
        self.seen = true;
        set(&mut self.path, path(body.strip_suffix(b"\0").unwrap_or(body))?)
    }

    /// Takes the body of GNU's `K` header.
    pub(super) fn add_link(&mut self, body: &[u8]) -> Result<()> {
        self.seen = true;
        set(&mut self.link, path(body.strip_suffix(b"\0").unwrap_or(body))?)
    }

    /// Some readers heed records for all that follows and some do not, so they may say only what changes nothing.
    pub(super) fn check_global(body: &[u8]) -> Result<()> {
        let matters = |key: &[u8]| matches!(key, b"path" | b"linkpath" | b"size" | b"uid" | b"gid") || key.starts_with(b"GNU.sparse.");
        match records(body)?.iter().find(|(key, _)| matters(key)) {
            Some((key, _)) => Err(Error::new(format!("a global header sets `{}`", key.escape_ascii()))),
            None => Ok(()),
        }
    }
}

/// Readers differ in which of two values they heed.
fn set<T: PartialEq>(place: &mut Option<T>, value: T) -> Result<()> {
    match place {
        Some(before) if *before != value => Err(Error::new("extended headers contradict each other")),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

/// The keys and values of `LENGTH KEY=VALUE\n` lines.
fn records(mut body: &[u8]) -> Result<Vec<(&[u8], &[u8])>> {
    let mut found = Vec::new();
    while !body.is_empty() {
        let (record, rest) = record(body).context(|| "a PAX record is malformed")?;
        found.push(record);
        body = rest;
    }
    Ok(found)
}

type Record<'a> = (&'a [u8], &'a [u8]);

fn record(body: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = body.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(digits(&body[..space]).ok()?).ok()?;
    let line = body.get(space + 1..length)?.strip_suffix(b"\n")?;
    let equals = line.iter().position(|byte| *byte == b'=')?;
    (equals > 0).then_some(((&line[..equals], &line[equals + 1..]), &body[length..]))
}

fn digits(value: &[u8]) -> Result<u64> {
    let text = std::str::from_utf8(value).ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).context(|| format!("`{}` is not a number", value.escape_ascii()))
}

/// Whole seconds of a time like `-12.5`, rounded down as a file system does.
fn seconds(value: &[u8]) -> Result<i64> {
    let wrong = || format!("`{}` is not a time", value.escape_ascii());
    let text = std::str::from_utf8(value).context(wrong)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::new(wrong()));
    }
    let whole_seconds: i64 = whole.parse().context(wrong)?;
    let below = whole.starts_with('-') && fraction.bytes().any(|byte| byte != b'0');
    whole_seconds.checked_sub(i64::from(below)).context(wrong)
}

fn path(value: &[u8]) -> Result<Vec<u8>> {
    if value.is_empty() || value.contains(&0) {
        return Err(Error::new(format!("`{}` is not a name", value.escape_ascii())));
    }
    Ok(value.to_vec())
}
