//! An image as the root file system of a sandbox: its layers as folders, its users, and what they may write.

mod lookup;

use crate::error::{Advice, Context, Error, Result};
use crate::image::Image;
use crate::sandbox::User;
use crate::store::{Store, Unpacked};
use launcher::file::read_document;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The unpacked layers of an image.
#[derive(Default)]
pub struct RootFs {
    layers: Vec<Unpacked>,
    owners: lookup::Owners,
}

/// A user of an image, and what its `/etc/passwd` says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The numbers.
    pub user: User,
    /// The home folder; `/` where the image does not know the user.
    pub home: String,
}

impl RootFs {
    /// Unpacks the layers of an image that are not unpacked yet.
    ///
    /// # Errors
    /// When a layer is missing or damaged, or the disk is full.
    pub fn unpack(store: &Store, image: &Image) -> Result<Self> {
        Ok(Self { layers: image.layers.iter().map(|layer| store.unpacked(layer)).collect::<Result<_>>()?, ..Self::default() })
    }

    /// Puts a layer on top.
    pub fn push(&mut self, layer: Unpacked) {
        self.layers.push(layer);
    }

    /// The layers' folders, the lowest first. The kernel takes each only once: what an image has twice shows where it is higher, and hides all that
    /// it shows where it is lower.
    pub fn lowers(&self) -> Vec<PathBuf> {
        let is_again = |at: usize| self.layers[at + 1..].iter().any(|above| above.tree == self.layers[at].tree);
        (0..self.layers.len()).filter(|at| !is_again(*at)).map(|at| self.layers[at].tree.clone()).collect()
    }

    /// The unpacked layers, the lowest first.
    pub fn layers(&self) -> &[Unpacked] {
        &self.layers
    }

    /// The user that an image's configuration names: `USER[:GROUP]`, each by name or number; nothing is root.
    ///
    /// # Errors
    /// When the image does not know a name.
    pub fn account(&self, name: &str) -> Result<Account> {
        find_account(name, &self.text("etc/passwd"), &self.text("etc/group"))
    }

    /// The topmost paths that `user` may write by the image's own owners and modes.
    ///
    /// # Errors
    /// When the list of owners cannot be read.
    pub fn writable(&self, user: User) -> Result<Vec<PathBuf>> {
        let mut found: BTreeMap<PathBuf, bool> = BTreeMap::new();
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let owners = fs::read(&layer.owners).context(|| format!("cannot read `{}`", layer.owners.display()))?;
            for (path, may) in owners.split(|byte| *byte == 0).filter_map(|line| parse_owner(line, user)) {
                let above = &self.layers[index + 1..];
                // A higher layer that has the path, but lists no owner, gives it to root.
                let hidden = || above.iter().any(|layer| layer.tree.join(path).symlink_metadata().is_ok());
                if !found.contains_key(path) {
                    found.insert(path.to_path_buf(), may && !hidden());
                }
            }
        }
        let mut topmost: Vec<PathBuf> = Vec::new();
        for (path, _) in found.into_iter().filter(|(_, may)| *may) {
            if !topmost.last().is_some_and(|last| path.starts_with(last)) {
                topmost.push(path);
            }
        }
        Ok(topmost.iter().map(|path| Path::new("/").join(path)).collect())
    }

    /// The text of a file in the highest layer that has it; nothing where none does.
    fn text(&self, path: &str) -> String {
        let files = self.layers.iter().rev().map(|layer| layer.tree.join(path));
        files
            .filter(|path| path.symlink_metadata().is_ok_and(|found| found.is_file()))
            .find_map(|path| read_document(&path).ok())
            .unwrap_or_default()
    }
}

/// The path of a line `UID GID MODE PATH`, and whether `user` may write it.
fn parse_owner(line: &[u8], user: User) -> Option<(&Path, bool)> {
    let mut fields = line.splitn(4, |byte| *byte == b' ');
    let mut number = |radix| u32::from_str_radix(std::str::from_utf8(fields.next()?).ok()?, radix).ok();
    let (uid, gid, mode) = (number(10)?, number(10)?, number(8)?);
    let path = Path::new(OsStr::from_bytes(fields.next()?));
    let bit = match (uid == user.uid, gid == user.gid) {
        (true, _) => 0o200,
        (false, true) => 0o020,
        (false, false) => 0o002,
    };
    Some((path, user.uid == 0 || mode & bit != 0))
}

fn find_account(name: &str, passwd: &str, groups: &str) -> Result<Account> {
    let (user, group) = match name.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (name, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let entry = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|entry| entry.len() >= 6 && (entry[0] == user || entry[2] == user));
    let unknown = |kind: &str, name: &str| {
        Err(Error::new(format!("the image has no {kind} `{name}`"))).hint("its configuration names one that its files do not know")
    };
    let Some(uid) = entry.as_ref().map_or(user, |entry| entry[2]).parse().ok() else { return unknown("user", user) };
    let named = group.filter(|group| !group.is_empty());
    let gid = match named {
        Some(group) => {
            let line = groups.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|entry| entry.len() >= 3 && entry[0] == group);
            match line.map_or(group, |entry| entry[2]).parse() {
                Ok(gid) => gid,
                Err(_) => return unknown("group", group),
            }
        }
        None => entry.as_ref().and_then(|entry| entry[3].parse().ok()).unwrap_or(0),
    };
    Ok(Account { user: User { uid, gid }, home: entry.map_or("/", |entry| entry[5]).to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_as_engines_do() {
        let (passwd, group) = ("root:x:0:0:root:/root:/bin/sh\ncnb:x:1002:1000::/home/cnb:/bin/sh\n", "root:x:0:\nstaff:x:50:cnb\n");
        let find = |name: &str| find_account(name, passwd, group).map(|found| (found.user.uid, found.user.gid, found.home));
        for (name, expected) in [
            ("", (0, 0, "/root")),
            ("cnb", (1002, 1000, "/home/cnb")),
            ("1002", (1002, 1000, "/home/cnb")),
            ("cnb:staff", (1002, 50, "/home/cnb")),
            ("1002:7", (1002, 7, "/home/cnb")),
            ("77", (77, 0, "/")),
        ] {
            assert_eq!(find(name).unwrap(), (expected.0, expected.1, expected.2.to_string()), "{name}");
        }
        assert_eq!(find("ann").unwrap_err().to_string(), "the image has no user `ann`");
        assert_eq!(find("cnb:nobody").unwrap_err().to_string(), "the image has no group `nobody`");
    }

    #[test]
    fn owners_say_what_may_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let layer = |name: &str, owners: &str, paths: &[&str]| {
            let layer = Unpacked { tree: folder.path().join(name), owners: folder.path().join(format!("{name}.owners")) };
            paths.iter().for_each(|path| fs::create_dir_all(layer.tree.join(path)).unwrap());
            fs::write(&layer.owners, owners.replace('\n', "\0")).unwrap();
            layer
        };
        let below = "1002 1000 755 home/cnb\n1002 1000 644 home/cnb/x\n1002 1000 755 taken\n0 1000 775 group\n0 0 777 all of it\n1001 1000 755 other\n1002 1000 555 fixed\n";
        let root = RootFs {
            layers: vec![
                layer("a", below, &["home/cnb", "taken"]),
                layer("b", "1002 1000 755 more\n1 1 755 group\n", &["taken", "more", "group"]),
            ],
            ..RootFs::default()
        };
        let found = root.writable(User { uid: 1002, gid: 1000 }).unwrap();
        assert_eq!(found, ["/all of it", "/home/cnb", "/more"].map(PathBuf::from));
    }
}
