//! What to run, apart from how.

use super::emulator::Emulator;
use crate::error::{Context, Error, Result};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

/// A program, its root file system, and what it may reach.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The unpacked layers, the lowest first; at most 499.
    #[serde(with = "paths")]
    pub lowers: Vec<PathBuf>,
    /// What becomes of files that the program changes.
    pub upper: Upper,
    /// Folders and files of this machine that the program sees.
    pub mounts: Vec<Mount>,
    /// The program and its arguments. A name without a slash is looked up in the `PATH` of `environment`.
    pub arguments: Vec<OsString>,
    /// The whole environment; nothing is inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// The working directory.
    #[serde(with = "path")]
    pub directory: PathBuf,
    /// Who the program is.
    pub user: User,
    /// What the program may do beyond what its user may.
    pub privileges: Privileges,
    /// What the program can reach by network.
    pub network: Network,
    /// What runs programs for another processor, where this machine does not do that by itself.
    pub emulator: Option<Emulator>,
    /// Paths that the image lets this user write, beside writable mounts and the folders for temporary files. They matter where all files
    /// of the root file system belong to the caller; elsewhere the files' own owners and modes decide.
    #[serde(with = "paths")]
    pub writable: Vec<PathBuf>,
}

/// What becomes of files that the program changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Upper {
    /// They are gone when it ends.
    Discard,
    /// They stay on the file system of `scratch`, and all of them belong to the caller.
    Keep {
        /// The folder of changed files, in overlayfs's form; made if it is missing.
        #[serde(with = "path")]
        tree: PathBuf,
        /// The file of what the tree does not show: true owners and modes. An entry is `UID GID MODE PATH` and a NUL; the mode is octal. A
        /// `-` in place of an owner is whoever owned the path before, or the program's user where there was none.
        #[serde(with = "path")]
        owners: PathBuf,
    },
}

/// What a program may do beyond what its user may. Nothing of it reaches out of the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Privileges {
    /// Nothing.
    None,
    /// If its user is root, what root may in a container by default: write every file, give files away, become others. Other users have
    /// none, as in a container. Where the ids of others do not exist, giving files to them and becoming them is answered with success and
    /// does nothing. The same holds for making devices, everywhere.
    Container,
}

impl Spec {
    /// Whether the program has privileges.
    pub(super) fn is_privileged(&self) -> bool {
        self.privileges == Privileges::Container && self.user.uid == 0
    }
}

/// A folder or file of this machine at a path inside. Missing folders above the target are made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// The folder or file. For root it must already belong to the program's user if that is to write it.
    #[serde(with = "path")]
    pub source: PathBuf,
    /// Where it is seen.
    #[serde(with = "path")]
    pub target: PathBuf,
    /// Whether it may be written.
    pub access: Access,
}

/// Whether a mount may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// It may not.
    ReadOnly,
    /// It may.
    ReadWrite,
}

/// A user by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The user's only group.
    pub gid: u32,
}

/// What the program can reach by network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Itself.
    None,
    /// All that this machine reaches, this machine's own services included.
    Host,
    /// The outside; the published ports lead to it. See [`super::publish`] for what that means exactly.
    Published(Vec<Publish>),
}

/// A TCP port inside that a port of this machine leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publish {
    /// The address of this machine; any where there is none.
    pub address: Option<IpAddr>,
    /// The port of this machine.
    pub host: u16,
    /// The port that the program listens on.
    pub container: u16,
}

impl std::str::FromStr for Publish {
    type Err = Error;

    /// Reads `[IP:]HOST:CONTAINER[/tcp]`, an IPv6 address in brackets.
    fn from_str(text: &str) -> Result<Self> {
        parse_publish(text)
            .context(|| format!("`{text}` does not say which port to publish"))
            .map_err(|error| error.hint("write `HOST:CONTAINER` or `ADDRESS:HOST:CONTAINER`, as `8080:8080` or `127.0.0.1:8080:8080`"))
    }
}

fn parse_publish(text: &str) -> Result<Publish> {
    let ports = match text.split_once('/') {
        Some((ports, "tcp")) => ports,
        Some((_, protocol)) => return Err(Error::new(format!("only TCP ports can be published, not `{protocol}`"))),
        None => text,
    };
    let (rest, container) = ports.rsplit_once(':').context(|| "there is no `:`")?;
    let (address, host) = match rest.rsplit_once(':') {
        Some((address, host)) => (Some(address), host),
        None => (None, rest),
    };
    let address = address.filter(|address| !address.is_empty()).map(|address| {
        let bare = address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address);
        bare.parse::<IpAddr>().context(|| format!("`{address}` is not an IP address"))
    });
    Ok(Publish { address: address.transpose()?, host: port(host)?, container: port(container)? })
}

fn port(text: &str) -> Result<u16> {
    match text.parse::<u16>() {
        Ok(0) | Err(_) => Err(Error::new(format!("`{text}` is not a port from 1 to 65535"))),
        Ok(port) => Ok(port),
    }
}

/// Which of its two streams a program wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit status, or 128 and the number of the signal that ended it.
    pub code: u8,
    /// Whether this process was asked to stop meanwhile, as by Ctrl-C.
    pub interrupted: bool,
}

/// Paths as bytes: serde's own form of a path is text.
mod path {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::ffi::{OsStr, OsString};
    use std::path::{Path, PathBuf};

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        OsStr::serialize(path.as_os_str(), serializer)
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<PathBuf, D::Error> {
        OsString::deserialize(deserializer).map(PathBuf::from)
    }
}

mod paths {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::ffi::OsString;
    use std::path::PathBuf;

    pub fn serialize<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(paths.iter().map(|path| path.as_os_str()))
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
        Vec::<OsString>::deserialize(deserializer).map(|paths| paths.into_iter().map(PathBuf::from).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_ports_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Publish>().map(|port| (port.address.map(|ip| ip.to_string()), port.host, port.container));
        assert_eq!(read("8080:80").unwrap(), (None, 8080, 80));
        assert_eq!(read("127.0.0.1:1:2/tcp").unwrap(), (Some("127.0.0.1".into()), 1, 2));
        assert_eq!(read("[::1]:1:2").unwrap(), (Some("::1".into()), 1, 2));
        for bad in ["", "80", ":80", "80:", "0:80", "80:65536", "a:1:2", "1:2/udp", "1:2:3:4"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
