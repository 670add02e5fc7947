//! Reads files that somebody else wrote: regular files only, because a pipe or a device may never end, and none beyond a limit.

use std::fs::File;
use std::io::{self, Error, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// No document of a buildpack, platform or builder is larger than this.
pub const LARGEST_DOCUMENT: u64 = 8 << 20;

/// Opens a regular file and tells its size; never waits for the other end of a pipe.
///
/// # Errors
/// When there is no such file, it cannot be read, or it is something else.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let found = file.metadata()?;
    if found.is_file() { Ok((file, found.len())) } else { Err(Error::new(ErrorKind::InvalidInput, "it is not a regular file")) }
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// When it cannot be read, is larger, or is no regular file.
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, size) = open(path)?;
    let too_large = || Error::new(ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes"));
    if size > limit {
        return Err(too_large());
    }
    let mut content = Vec::new();
    // It may grow while it is read.
    file.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit { Err(too_large()) } else { Ok(content) }
}

/// Reads a document: text of at most [`LARGEST_DOCUMENT`] bytes.
///
/// # Errors
/// When it cannot be read, is larger, is no regular file, or is not UTF-8.
pub fn read_document(path: &Path) -> io::Result<String> {
    let content = read(path, LARGEST_DOCUMENT)?;
    String::from_utf8(content).map_err(|_| Error::new(ErrorKind::InvalidData, "it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn only_small_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("good"), "text").unwrap();
        std::fs::write(path("broken"), b"\xff").unwrap();
        File::create(path("large")).unwrap().set_len(1 << 30).unwrap();
        assert!(Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        std::os::unix::fs::symlink("/dev/zero", path("endless")).unwrap();
        std::os::unix::fs::symlink("good", path("link")).unwrap();
        assert_eq!((read_document(&path("good")).unwrap().as_str(), read_document(&path("link")).unwrap().as_str()), ("text", "text"));
        for (name, why) in [
            ("broken", "it is not UTF-8"),
            ("large", "it is larger than 8388608 bytes"),
            ("pipe", "it is not a regular file"),
            ("endless", "it is not a regular file"),
            (".", "it is not a regular file"),
        ] {
            assert_eq!(read_document(&path(name)).unwrap_err().to_string(), why, "{name}");
        }
        assert_eq!(read_document(&path("missing")).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
