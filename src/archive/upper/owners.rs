//! The lists of owners beside a tree whose files do not show them.

use crate::error::{Context, Error, Result};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What a list says of a path; no owner where it was not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mode: u32,
}

/// Reads a list.
pub fn read(path: &Path) -> Result<HashMap<PathBuf, Listed>> {
    let text = std::fs::read(path).context(|| format!("cannot read `{}`", path.display()))?;
    let lines = text.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    lines.map(|line| parse(line).context(|| format!("`{}` is damaged", path.display()))).collect()
}

fn parse(line: &[u8]) -> Result<(PathBuf, Listed)> {
    let mut fields = line.splitn(4, |byte| *byte == b' ');
    let wrong = || format!("`{}` is no entry of a list of owners", line.escape_ascii());
    let mut field = || fields.next().and_then(|field| std::str::from_utf8(field).ok()).context(wrong);
    let owner = |text: &str| match text {
        "-" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Error::new(wrong())),
    };
    let (uid, gid) = (owner(field()?)?, owner(field()?)?);
    let mode = u32::from_str_radix(field()?, 8).context(wrong)?;
    let path = fields.next().context(wrong)?;
    Ok((PathBuf::from(OsStr::from_bytes(path)), Listed { uid, gid, mode }))
}
