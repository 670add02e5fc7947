//! One member of a layer's tar.

/// One member of a tar. Owners are numbers only, because names mean something else on every machine (TAR-02).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, written as it is: a leading `/` stays (TAR-04).
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, with set-user-ID and the like.
    pub mode: u32,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Seconds since 1970.
    pub mtime: u64,
}

/// What a member of a tar is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file with this many bytes of content.
    File {
        /// Bytes of content.
        size: u64,
    },
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it points, verbatim.
        target: Vec<u8>,
    },
    /// A second name of an earlier member.
    HardLink {
        /// The earlier member's name.
        target: Vec<u8>,
    },
}

impl Entry {
    /// The time that layers carry instead of their files' own: 1980-01-01T00:00:01Z (TAR-01).
    pub const NORMAL_TIME: u64 = 315_532_801;

    /// A folder.
    pub fn directory(path: impl Into<Vec<u8>>, mode: u32, uid: u64, gid: u64, mtime: u64) -> Self {
        Self { path: path.into(), kind: Kind::Directory, mode, uid, gid, mtime }
    }

    /// A file.
    pub fn file(path: impl Into<Vec<u8>>, size: u64, mode: u32, uid: u64, gid: u64, mtime: u64) -> Self {
        Self { path: path.into(), kind: Kind::File { size }, mode, uid, gid, mtime }
    }

    /// A symbolic link.
    pub fn symlink(path: impl Into<Vec<u8>>, target: impl Into<Vec<u8>>, uid: u64, gid: u64, mtime: u64) -> Self {
        Self { path: path.into(), kind: Kind::Symlink { target: target.into() }, mode: 0o777, uid, gid, mtime }
    }
}
