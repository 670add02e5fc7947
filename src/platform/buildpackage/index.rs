//! The buildpack registry: a git repository whose files say which image has which version of a buildpack (CNB Registry Specification). `git` itself
//! is the client, so that every way works by which people reach their repositories.

use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Reference};
use crate::platform::images::Images;
use crate::platform::pull::Pull;
use semver::Version;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The index that everybody uses (REG-06).
pub const OFFICIAL: &str = "https://github.com/buildpacks/registry-index";

/// One version of a buildpack in an index (REG-03).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The namespace.
    pub ns: String,
    /// The name in it.
    pub name: String,
    /// The version.
    pub version: String,
    /// Whether it was taken back.
    #[serde(default)]
    pub yanked: bool,
    /// The image, pinned by its digest.
    pub addr: String,
}

impl Entry {
    /// The image of the package.
    ///
    /// # Errors
    /// When the index does not pin it.
    pub fn image(&self) -> Result<Reference> {
        let name = Reference::parse(&self.addr)?;
        match name.digest() {
            Some(_) => Ok(name),
            None => Err(Error::new(format!("the registry names the image `{}` without a digest", self.addr))),
        }
    }
}

/// Whether a text is the ID of a buildpack in a registry (REG-01).
pub fn is_id(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let good = |part: &str| (1..=253).contains(&part.len()) && part.bytes().all(letter);
    text.split_once('/').is_some_and(|(namespace, name)| good(namespace) && good(name))
}

/// The file of an index that has all versions of a buildpack (REG-02).
pub fn file_of(id: &str) -> PathBuf {
    let name = id.split_once('/').map_or(id, |(_, name)| name);
    let folder = match name.len() {
        1 | 2 => name.len().to_string(),
        3 => format!("3/{}", &name[..2]),
        _ => format!("{}/{}", &name[..2], &name[2..4]),
    };
    Path::new(&folder).join(id.replace('/', "_"))
}

/// The entry of a buildpack: of the version that is wanted, else of the newest that was not taken back (REG-04, REG-05).
///
/// # Errors
/// When the index cannot be had, or does not have it.
pub fn find(registry: &str, id: &str, version: Option<&str>, images: &Images) -> Result<Entry> {
    let folder = checked_out(registry, images)?;
    let path = folder.join(file_of(id));
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::new(format!("the buildpack registry has no `{id}`")).hint(format!("the registry is {registry}")));
        }
        other => other.context(|| format!("cannot read `{}`", path.display()))?,
    };
    let entry = choose(&text, id, version)?;
    if entry.yanked {
        images.output.warn(&format!("version {} of `{id}` was taken back by its author", entry.version));
    }
    Ok(entry)
}

/// Chooses among the lines of a file.
fn choose(text: &str, id: &str, version: Option<&str>) -> Result<Entry> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let entries: Vec<Entry> = lines
        .map(|line| serde_json::from_str(line).context(|| format!("what the registry says of `{id}` is damaged")))
        .collect::<Result<_>>()?;
    let found = match version {
        // The last line about a version counts.
        Some(version) => entries.iter().rev().find(|entry| entry.version == version),
        None => {
            let versions =
                entries.iter().filter(|entry| !entry.yanked).filter_map(|entry| Some((Version::parse(&entry.version).ok()?, entry)));
            versions.max_by(|one, other| one.0.cmp(&other.0)).map(|(_, entry)| entry)
        }
    };
    let all = || entries.iter().filter(|entry| !entry.yanked).map(|entry| entry.version.as_str()).collect::<Vec<_>>().join(", ");
    let what = version.map_or_else(|| format!("a version of `{id}`"), |version| format!("`{id}@{version}`"));
    found.cloned().context(|| format!("the buildpack registry does not have {what}")).hint(format!("it has {}", all()))
}

/// The index as a folder, which is brought up to date unless no registry is to be asked.
fn checked_out(registry: &str, images: &Images) -> Result<PathBuf> {
    let folder = images.store.root().join("buildpack-registries").join(&Digest::of(registry.as_bytes()).hex()[..32]);
    let describe = || format!("cannot read the buildpack registry `{registry}`");
    let is_there = folder.join(".git").exists();
    if images.pull == Pull::Never {
        return if is_there { Ok(folder) } else { Err(Error::new("it was never read, and no registry is to be asked")).context(describe) };
    }
    let _alone = images.store.lock("buildpack-registries", images.output)?;
    if is_there {
        let updated = git(Some(&folder), &["fetch", "--quiet", "--depth", "1", "origin", "HEAD"])
            .and_then(|()| git(Some(&folder), &["reset", "--quiet", "--hard", "FETCH_HEAD"]));
        if let Err(error) = updated {
            images.output.warn(&format!("using the buildpack registry as it was read last: {error:?}"));
        }
        return Ok(folder);
    }
    let scratch = images.store.scratch()?;
    let cloned = scratch.path().join("index");
    images.output.step(&format!("reading the buildpack registry {registry}"));
    git(None, &["clone", "--quiet", "--depth", "1", "--", registry, &cloned.to_string_lossy()]).context(describe)?;
    fs::create_dir_all(images.store.root().join("buildpack-registries")).context(describe)?;
    match fs::rename(&cloned, &folder) {
        Err(_) if folder.is_dir() => {}
        other => other.context(describe)?,
    }
    Ok(folder)
}

/// Runs git, which asks nobody for a password.
pub fn git(folder: Option<&Path>, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    command.args(folder.iter().flat_map(|folder| ["-C".as_ref(), folder.as_os_str()])).args(arguments);
    command.env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    let done = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::new("there is no program `git`")).hint("install git; a buildpack registry is a git repository");
        }
        other => other.context(|| "cannot start git")?,
    };
    match done.status.success() {
        true => Ok(()),
        false => Err(Error::new(format!("git {}: {}", arguments[0], String::from_utf8_lossy(&done.stderr).trim()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REG-01.
    #[test]
    fn ids_are_a_namespace_and_a_name() {
        let long = "a".repeat(254);
        for (id, good) in [
            ("acme/node", true),
            ("a/b.c-1", true),
            ("node", false),
            ("/node", false),
            ("acme/", false),
            ("Acme/x", false),
            ("a/b/c", false),
            ("a/b_c", false),
        ] {
            assert_eq!(is_id(id), good, "{id}");
        }
        assert!(!is_id(&format!("a/{long}")) && is_id(&format!("a/{}", &long[1..])));
    }

    /// REG-02.
    #[test]
    fn files_are_spread_by_their_names() {
        for (id, path) in [
            ("acme/a", "1/acme_a"),
            ("acme/ab", "2/acme_ab"),
            ("acme/abc", "3/ab/acme_abc"),
            ("acme/abcd", "ab/cd/acme_abcd"),
            ("acme/node-engine", "no/de/acme_node-engine"),
        ] {
            assert_eq!(file_of(id), Path::new(path), "{id}");
        }
    }

    /// REG-03, REG-04, REG-05.
    #[test]
    fn the_newest_version_that_stands_is_chosen() {
        let line = |version: &str, yanked: bool, addr: &str| {
            format!("{{\"ns\":\"a\",\"name\":\"b\",\"version\":\"{version}\",\"yanked\":{yanked},\"addr\":\"{addr}\"}}\n")
        };
        let pinned = format!("r.test/b@{}", Digest::of(b""));
        let text = [
            line("0.9.0", false, &pinned),
            line("0.10.0", false, &pinned),
            line("0.11.0", true, &pinned),
            line("0.1.0", false, "r.test/b:1"),
        ]
        .concat();
        let found = |version| choose(&text, "a/b", version);
        assert_eq!(found(None).unwrap().version, "0.10.0");
        assert!(found(Some("0.11.0")).unwrap().yanked && found(Some("0.10.0")).unwrap().image().is_ok());
        assert!(found(Some("0.1.0")).unwrap().image().unwrap_err().to_string().contains("without a digest"));
        let error = format!("{:?}", found(Some("7")).unwrap_err());
        assert!(error.contains("does not have `a/b@7`") && error.contains("it has 0.9.0, 0.10.0"), "{error}");
        assert!(choose("{", "a/b", None).is_err());
    }
}
