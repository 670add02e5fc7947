//! Reads a .deb as a stream (deb(5)): `ar`, in it `control.tar` and `data.tar`, compressed with xz, zstd, gzip or not at all.

use crate::error::{Context, Error, Result};
use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};

const MAGIC: &[u8; 8] = b"!<arch>\n";
const HEADER: usize = 60;
/// Control files larger than this are no control files.
const MOST_CONTROL: u64 = 64 << 20;

/// The files of `control.tar`, by name.
pub(super) type Control = BTreeMap<String, Vec<u8>>;

/// Reads a package from its beginning: calls `control` once, then `data` with the tar of its files.
///
/// # Errors
/// When the .deb is damaged or truncated, or a callback fails.
pub(super) fn read(
    deb: impl Read,
    control: impl FnOnce(Control) -> Result<()>,
    data: impl FnOnce(&mut dyn Read) -> Result<()>,
) -> Result<()> {
    let mut deb = BufReader::with_capacity(128 * 1024, deb);
    let mut magic = [0; 8];
    deb.read_exact(&mut magic).context(|| "it is no Debian package")?;
    if &magic != MAGIC {
        return Err(Error::new("it is no Debian package"));
    }
    let (mut control, mut data) = (Some(control), Some(data));
    while let Some((name, size)) = next_member(&mut deb)? {
        let mut member = (&mut deb).take(size);
        if name.starts_with("control.tar") {
            let take = control.take().context(|| "it has two control archives")?;
            take(read_control(&mut *decompressor(&name, &mut member)?)?)?;
        } else if name.starts_with("data.tar") {
            if control.is_some() {
                return Err(Error::new("its data comes before its control archive"));
            }
            let take = data.take().context(|| "it has two data archives")?;
            let mut tar = decompressor(&name, &mut member)?;
            take(&mut *tar)?;
            io::copy(&mut tar, &mut io::sink()).context(|| "its data is damaged")?;
        }
        io::copy(&mut member, &mut io::sink()).context(|| "it is truncated")?;
        if member.limit() != 0 {
            return Err(Error::new("it is truncated"));
        }
        if size % 2 == 1 {
            // The last member's padding may be missing.
            io::copy(&mut (&mut deb).take(1), &mut io::sink())?;
        }
    }
    if data.is_some() { Err(Error::new("it has no data archive")) } else { Ok(()) }
}

fn next_member(deb: &mut impl Read) -> Result<Option<(String, u64)>> {
    let mut header = [0; HEADER];
    let mut filled = 0;
    while filled < HEADER {
        match deb.read(&mut header[filled..]).context(|| "it cannot be read")? {
            0 if filled == 0 => return Ok(None),
            0 => return Err(Error::new("it is truncated")),
            count => filled += count,
        }
    }
    let text = |range: std::ops::Range<usize>| String::from_utf8_lossy(&header[range]).trim().trim_end_matches('/').to_string();
    let size = text(48..58).parse().context(|| "a member's size is no number")?;
    Ok(Some((text(0..16), size)))
}

fn decompressor<'a>(name: &str, member: &'a mut (dyn Read + 'a)) -> Result<Box<dyn Read + 'a>> {
    Ok(match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("xz") => Box::new(liblzma::read::XzDecoder::new_multi_decoder(member)),
        Some("zst") => Box::new(zstd::stream::read::Decoder::new(member).context(|| "its data is damaged")?),
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(member)),
        Some("tar") => Box::new(member),
        _ => return Err(Error::new(format!("`{name}` is compressed in an unknown way"))),
    })
}

fn read_control(tar: &mut dyn Read) -> Result<Control> {
    let mut files = Control::new();
    for member in tar::Archive::new(tar).entries().context(|| "its control archive is damaged")? {
        let mut member = member.context(|| "its control archive is damaged")?;
        if !member.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&member.path_bytes()).trim_start_matches("./").to_string();
        if name.contains('/') || member.size() > MOST_CONTROL {
            return Err(Error::new(format!("`{name}` is no control file")));
        }
        let mut content = Vec::new();
        member.read_to_end(&mut content).context(|| "its control archive is damaged")?;
        files.insert(name, content);
    }
    Ok(files)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::archive::{Entry, TarWriter};

    /// A small .deb, made here.
    pub(in crate::debian) fn deb(control: &[(&str, &str)], files: &[(Entry, &[u8])]) -> Vec<u8> {
        let mut data = TarWriter::new(Vec::new());
        files.iter().for_each(|(entry, content)| data.append(entry, *content).unwrap());
        let mut tar = TarWriter::new(Vec::new());
        for (name, content) in control {
            tar.append(&Entry::file(format!("./{name}"), content.len() as u64, 0o644, 0, 0, 1), content.as_bytes()).unwrap();
        }
        let data = zstd::encode_all(data.finish().unwrap().as_slice(), 1).unwrap();
        let mut deb = MAGIC.to_vec();
        for (name, content) in [("debian-binary", b"2.0\n".to_vec()), ("control.tar", tar.finish().unwrap()), ("data.tar.zst", data)] {
            deb.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, content.len()).bytes());
            deb.extend(&content);
            if content.len() % 2 == 1 {
                deb.push(b'\n');
            }
        }
        deb
    }

    fn names(deb: &[u8]) -> Result<Vec<String>> {
        let names = std::cell::RefCell::new(Vec::new());
        let data = |tar: &mut dyn Read| {
            for entry in tar::Archive::new(tar).entries()? {
                names.borrow_mut().push(entry?.path()?.display().to_string());
            }
            Ok(())
        };
        read(
            deb,
            |control| {
                names.borrow_mut().extend(control.into_keys());
                Ok(())
            },
            data,
        )?;
        Ok(names.into_inner())
    }

    #[test]
    fn control_comes_before_data_and_damage_is_an_error() {
        let whole = deb(&[("control", "Package: a\n")], &[(Entry::file("./usr/a", 3, 0o644, 0, 0, 1), b"abc")]);
        assert_eq!(names(&whole).unwrap(), ["control", "./usr/a"]);
        for length in [0, 4, 30, 100, whole.len() / 2, whole.len() - 20] {
            assert!(names(&whole[..length]).is_err(), "{length}");
        }
        assert!(names(b"no package at all").is_err());
    }
}
