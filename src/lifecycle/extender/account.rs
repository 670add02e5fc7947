//! Users and groups of an image, by name or number.

use super::root::{Root, resolve};
use crate::error::{Advice, Error, Result};
use std::path::Path;

/// Who a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub uid: u32,
    pub gid: u32,
    pub home: String,
}

/// The account that `USER[:GROUP]` names; nothing is root. A number that the image does not know has the group `unknown_group`.
///
/// # Errors
/// When the image does not know a name.
pub(super) fn account(root: &dyn Root, name: &str, group_of_number: fn(u32) -> u32) -> Result<Account> {
    let (user, group) = name.split_once(':').map_or((name, None), |(user, group)| (user, Some(group).filter(|group| !group.is_empty())));
    let user = if user.is_empty() { "0" } else { user };
    let passwd = file(root, "/etc/passwd")?;
    let known = passwd.lines().map(fields).find(|fields| fields.len() >= 6 && (fields[0] == user || fields[2] == user));
    let unknown = |kind: &str, name: &str| {
        Err(Error::new(format!("the image has no {kind} `{name}`"))).hint("use a number, or add it before with RUN")
    };
    let Ok(uid) = known.as_ref().map_or(user, |fields| fields[2]).parse() else { return unknown("user", user) };
    let gid = match group {
        Some(group) => {
            let groups = file(root, "/etc/group")?;
            let line = groups.lines().map(fields).find(|fields| fields.len() >= 3 && fields[0] == group);
            let Ok(gid) = line.map_or(group, |fields| fields[2]).parse() else { return unknown("group", group) };
            gid
        }
        None => known.as_ref().and_then(|fields| fields[3].parse().ok()).unwrap_or_else(|| group_of_number(uid)),
    };
    Ok(Account { uid, gid, home: known.map_or("/", |fields| fields[5]).to_string() })
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

fn file(root: &dyn Root, path: &str) -> Result<String> {
    let (path, found) = resolve(root, Path::new(path))?;
    if found.is_some() { root.text(&path) } else { Ok(String::new()) }
}
