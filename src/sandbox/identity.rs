//! Who the caller is inside the sandbox: which ids of this machine stand for which ids inside.

use super::filter::Ids;
use super::spec::User;
use crate::error::{Advice, Context, Error, Result};
use rustix::process::{Pid, getegid, geteuid};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many ids an image may use.
const IDS: u32 = 65_536;

/// Where the helpers that map subordinate ids are installed. Not `PATH`: they run with privileges.
const HELPER_FOLDERS: [&str; 4] = ["/usr/bin", "/bin", "/usr/local/bin", "/run/wrappers/bin"];

/// Who the caller is inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Root, with every id that it has outside.
    Root,
    /// Root in a place that refuses user namespaces but allows mounts.
    RootOutside,
    /// Root in a place that refuses mounts too.
    RootWithoutMounts,
    /// The program's user; all other ids are subordinate ids of the caller.
    Subordinate(Subordinate),
    /// The program's user; no other id exists.
    Single,
}

/// The ids that a user was given in `/etc/subuid` and `/etc/subgid`, and the programs that map them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subordinate {
    users: (u32, PathBuf),
    groups: (u32, PathBuf),
}

impl Identity {
    /// The ways to be somebody, the best first.
    pub fn candidates() -> Vec<Self> {
        if geteuid().is_root() {
            return vec![Self::Root, Self::RootOutside, Self::RootWithoutMounts];
        }
        subordinate().ok().map(Self::Subordinate).into_iter().chain([Self::Single]).collect()
    }

    /// Whether this needs a user namespace.
    pub fn has_namespace(&self) -> bool {
        !matches!(self, Self::RootOutside | Self::RootWithoutMounts)
    }

    /// Whether this needs mounts, and with them every other namespace.
    pub fn has_mounts(&self) -> bool {
        *self != Self::RootWithoutMounts
    }

    /// Whether the owners of files do not tell what the program may write, because they all belong to the caller.
    pub fn owns_all_files(&self) -> bool {
        matches!(self, Self::Subordinate(_) | Self::Single)
    }

    /// Whether the process inside must still become the program's user.
    pub fn must_switch(&self) -> bool {
        matches!(self, Self::Root | Self::RootOutside | Self::RootWithoutMounts)
    }

    /// Which ids exist inside.
    pub fn ids(&self) -> Ids {
        match self {
            Self::Root | Self::RootOutside | Self::RootWithoutMounts | Self::Subordinate(_) => Ids::All,
            Self::Single => Ids::One,
        }
    }

    /// Whether groups can be given up inside; a kernel refuses that to those who may lose access by a group.
    pub fn may_set_groups(&self) -> bool {
        *self != Self::Single
    }

    /// Writes the maps of the namespace that the process `child` is in.
    pub fn write_maps(&self, child: Pid, user: User) -> Result<()> {
        let own = (geteuid().as_raw(), getegid().as_raw());
        match self {
            Self::RootOutside | Self::RootWithoutMounts => Ok(()),
            Self::Root => {
                for file in ["uid_map", "gid_map"] {
                    let map = std::fs::read_to_string(format!("/proc/self/{file}")).context(|| format!("cannot read the {file}"))?;
                    write_map(&child.as_raw_nonzero().to_string(), file, &same_inside(&map))?;
                }
                Ok(())
            }
            Self::Subordinate(ids) => {
                map_with(&ids.users.1, child, &keep_one(user.uid, own.0, ids.users.0))?;
                map_with(&ids.groups.1, child, &keep_one(user.gid, own.1, ids.groups.0))
            }
            Self::Single => map_single(&child.as_raw_nonzero().to_string(), user, own),
        }
    }
}

/// Maps one user and one group, all that an unprivileged user may: who `own` is outside is `inside` in the namespace of the process, which is a number
/// or `self`.
pub fn map_single(process: &str, inside: User, own: (u32, u32)) -> Result<()> {
    // Required before an unprivileged user may write the groups' map (user_namespaces(7)).
    write_map(process, "setgroups", "deny")?;
    write_map(process, "uid_map", &format!("{} {} 1\n", inside.uid, own.0))?;
    write_map(process, "gid_map", &format!("{} {} 1\n", inside.gid, own.1))
}

fn write_map(process: &str, file: &str, text: &str) -> Result<()> {
    std::fs::write(format!("/proc/{process}/{file}"), text)
        .context(|| format!("cannot write the {file} of a user namespace"))
        .hint("AppArmor may forbid it: see `cooper doctor`")
}

/// The map of the caller's namespace, in which every id stands for itself.
fn same_inside(map: &str) -> String {
    map.lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let (inside, _, count) = (fields.next()?, fields.next()?, fields.next()?);
            Some(format!("{inside} {inside} {count}\n"))
        })
        .collect()
}

/// `id` inside is `own` outside; all other ids are subordinate.
fn keep_one(id: u32, own: u32, first: u32) -> Vec<[u32; 3]> {
    let mut map = vec![[id, own, 1]];
    if id > 0 {
        map.push([0, first, id.min(IDS - 1)]);
    }
    if id < IDS - 1 {
        map.push([id + 1, first + id, IDS - id - 1]);
    }
    map
}

fn map_with(helper: &Path, child: Pid, map: &[[u32; 3]]) -> Result<()> {
    let ran = Command::new(helper)
        .arg(child.as_raw_nonzero().to_string())
        .args(map.iter().flatten().map(u32::to_string))
        .output()
        .context(|| format!("cannot run `{}`", helper.display()))?;
    if ran.status.success() {
        return Ok(());
    }
    Err(Error::new(format!("`{}` refused: {}", helper.display(), String::from_utf8_lossy(&ran.stderr).trim())))
}

/// The caller's subordinate ids, or why there are none.
pub fn subordinate() -> Result<Subordinate> {
    let uid = geteuid().as_raw();
    // Not getpwuid: a static program cannot load the host's modules for it.
    let names = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = user_name(&names, uid).unwrap_or_default().to_string();
    let find = |file: &str, helper: &str| -> Result<(u32, PathBuf)> {
        let ranges = std::fs::read_to_string(file).unwrap_or_default();
        let first = first_subordinate(&ranges, &name, uid)
            .context(|| format!("`{file}` gives user {uid} no {IDS} ids"))
            .hint("as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`")?;
        let helper = HELPER_FOLDERS
            .iter()
            .map(|folder| Path::new(folder).join(helper))
            .find(|path| path.exists())
            .context(|| format!("`{helper}` is not installed"))
            .hint("install the package `uidmap`")?;
        Ok((first, helper))
    };
    Ok(Subordinate { users: find("/etc/subuid", "newuidmap")?, groups: find("/etc/subgid", "newgidmap")? })
}

fn user_name(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// The start of the first range that is long enough (subuid(5)).
fn first_subordinate(ranges: &str, name: &str, uid: u32) -> Option<u32> {
    ranges.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (owner, first, count) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse::<u32>().ok()?);
        let ours = (!name.is_empty() && owner == name) || owner.parse() == Ok(uid);
        (ours && count >= IDS).then_some(first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ids_are_found_by_name_and_by_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1007:1007::/home/ann:/bin/sh\n";
        assert_eq!([0, 1007, 5].map(|uid| user_name(passwd, uid)), [Some("root"), Some("ann"), None]);
        let ranges = "# comment\nbob:100000:65536\nann:165536:10\nann:300000:65536\n1008:500000:65536\n";
        assert_eq!(first_subordinate(ranges, "ann", 1007), Some(300_000));
        assert_eq!(first_subordinate(ranges, "", 1008), Some(500_000));
        assert_eq!(first_subordinate(ranges, "", 7), None);
    }

    #[test]
    fn the_caller_stays_and_every_other_id_is_subordinate() {
        assert_eq!(keep_one(1000, 7, 100_000), [[1000, 7, 1], [0, 100_000, 1000], [1001, 101_000, 64_535]]);
        assert_eq!(keep_one(0, 7, 100_000), [[0, 7, 1], [1, 100_000, 65_535]]);
        assert_eq!(keep_one(65_535, 7, 100_000), [[65_535, 7, 1], [0, 100_000, 65_535]]);
        assert_eq!(same_inside("         0     100000      65536\n"), "0 0 65536\n");
    }
}
