//! Source code in one file of the form of zip: `.zip`, `.jar`, `.war`.

use crate::error::{Context, Error, Result};
use ::zip::ZipArchive;
use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path};

/// A link's target is no longer than the kernel takes.
const LONGEST_TARGET: u64 = 4096;

/// Whether a file starts as such archives do.
///
/// # Errors
/// When it cannot be read.
pub fn is_zip(path: &Path) -> Result<bool> {
    let mut start = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match read {
        Ok(()) => Ok(matches!(&start, b"PK\x03\x04" | b"PK\x05\x06")),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error).context(|| format!("cannot read `{}`", path.display())),
    }
}

/// Unpacks an archive into a new folder. Files of an archive that knows no modes can be started, as in the reference: their names do not say
/// which of them are programs.
///
/// # Errors
/// When the archive is damaged, or a member's name leads out of the folder.
pub fn unpack(path: &Path, folder: &Path) -> Result<()> {
    fs::create_dir(folder).context(|| format!("cannot make `{}`", folder.display()))?;
    let mut archive = ZipArchive::new(File::open(path)?).context(|| "it is no zip file, or a damaged one")?;
    let mut links = Vec::new();
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).context(|| "it is damaged")?;
        let name = member.name().context(|| "a member has no proper name")?.into_owned();
        let describe = || format!("cannot unpack its member `{name}`");
        let is_inside = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !is_inside {
            return Err(Error::new("its name leads out of the folder")).context(describe);
        }
        let target = folder.join(&name);
        if member.is_dir() {
            fs::create_dir_all(&target).context(describe)?;
            continue;
        }
        fs::create_dir_all(target.parent().unwrap_or(folder)).context(describe)?;
        if member.is_symlink() {
            let mut to = String::new();
            member.by_ref().take(LONGEST_TARGET).read_to_string(&mut to).context(describe)?;
            links.push((to, target));
            continue;
        }
        let mode = member.unix_mode().unwrap_or(0o755);
        let mut file = File::create(&target).context(describe)?;
        std::io::copy(&mut member, &mut file).context(describe)?;
        fs::set_permissions(&target, Permissions::from_mode(0o600 | mode & 0o100)).context(describe)?;
    }
    // Links last, so that nothing is written through one.
    for (to, link) in links {
        symlink(&to, &link).context(|| format!("cannot make the link `{}`", link.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::zip::ZipWriter;
    use ::zip::write::SimpleFileOptions;
    use std::io::Write;

    fn archive(folder: &Path, members: &[(&str, u32)]) -> std::path::PathBuf {
        let path = folder.join("app.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, mode) in members {
            zip.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            zip.write_all(b"text").unwrap();
        }
        zip.add_symlink("link", "bin/run", SimpleFileOptions::default()).unwrap();
        zip.finish().unwrap();
        path
    }

    /// CLI-22.
    #[test]
    fn a_zip_is_a_folder_in_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = archive(folder.path(), &[("bin/run", 0o755), ("data", 0o644)]);
        assert!(is_zip(&path).unwrap());
        let target = folder.path().join("source");
        unpack(&path, &target).unwrap();
        let executable = |name: &str| fs::metadata(target.join(name)).unwrap().permissions().mode() & 0o100 != 0;
        assert!(executable("bin/run") && !executable("data"));
        assert_eq!(fs::read_to_string(target.join("link")).unwrap(), "text");
    }

    #[test]
    fn hostile_and_damaged_archives_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../out", "/out", "a/../../out"] {
            let path = archive(folder.path(), &[(name, 0o644)]);
            let error = unpack(&path, &folder.path().join("source")).unwrap_err();
            assert!(format!("{error:?}").contains("leads out of the folder"), "{name}: {error:?}");
            fs::remove_dir_all(folder.path().join("source")).unwrap();
        }
        assert!(!folder.path().join("out").exists());
        let broken = folder.path().join("broken.zip");
        fs::write(&broken, b"PK\x03\x04 and no more").unwrap();
        assert!(is_zip(&broken).unwrap() && unpack(&broken, &folder.path().join("broken")).is_err());
        fs::write(&broken, b"PK").unwrap();
        assert!(!is_zip(&broken).unwrap());
    }
}
