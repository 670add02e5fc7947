//! Copies a layer's tar, with one time for all of its members.

use super::reader::{MemberKind, TarReader};
use super::{Entry, Kind, TarWriter};
use crate::error::{Context, Result};
use std::io::{Read, Write};

/// Copies the tar `layer` to the end of `tar`, and ends that. Owners, names and the capabilities of programs stay. Pipes and devices are left out (EXP-04).
///
/// # Errors
/// When the tar is damaged, or cannot be written.
pub fn copy_with_time(layer: impl Read, tar: &mut TarWriter<impl Write>) -> Result<()> {
    append_with_time(layer, tar, &mut |_| true)?;
    tar.end().context(|| "cannot write the layer")
}

/// Copies those members of the tar `layer` to `tar` whose path `wanted` wants, as [`copy_with_time`] does; more may follow.
///
/// # Errors
/// When the tar is damaged, or cannot be written.
pub fn append_with_time(layer: impl Read, tar: &mut TarWriter<impl Write>, wanted: &mut dyn FnMut(&[u8]) -> bool) -> Result<()> {
    let mut members = TarReader::new(layer);
    while let Some(member) = members.next().context(|| "cannot read the layer's tar")? {
        if !wanted(&member.path) {
            continue;
        }
        let kind = match member.kind {
            MemberKind::File => Kind::File { size: member.size },
            MemberKind::Directory => Kind::Directory,
            MemberKind::Symlink => Kind::Symlink { target: member.link.clone() },
            MemberKind::HardLink => Kind::HardLink { target: member.link.clone() },
            MemberKind::Device | MemberKind::Fifo => continue,
        };
        let entry =
            Entry { path: member.path, kind, mode: member.mode, uid: member.uid.into(), gid: member.gid.into(), mtime: Entry::NORMAL_TIME };
        let describe = || format!("cannot pack `{}`", String::from_utf8_lossy(&entry.path));
        tar.append_capable(&entry, member.capability.as_deref(), &mut members).context(describe)?;
    }
    Ok(())
}
