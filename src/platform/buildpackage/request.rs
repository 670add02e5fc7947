//! Putting a buildpack into a registry, or taking it back: a request to the people of a registry on GitHub, a commit to any other (REG-08).

use super::index::{Entry, file_of, git, is_id};
use super::read::Labels;
use crate::buildpack::Kind;
use crate::error::{Advice, Context, Error, Result};
use crate::image::Reference;
use crate::platform::images::Images;
use crate::platform::place::Place;
use crate::platform::transfer::Extent;
use std::fmt::Write;
use std::fs;

/// What became of it.
pub enum Requested {
    /// A person must open this address.
    Open(String),
    /// The registry has it.
    Committed,
}

/// The entry of a package in a registry of images; only its documents are read.
///
/// # Errors
/// When it is not there, or no buildpack that a buildpack registry can have.
pub fn entry_of(image: &Reference, images: &Images) -> Result<Entry> {
    let place = Place::Registry(image.clone());
    let one = images.open(&place, Extent::One)?;
    let labels = Labels::read(one.image()?).context(|| format!("cannot register `{image}`"))?;
    if labels.kind == Kind::Extension {
        return Err(Error::new(format!("`{image}` is an extension, and a registry has buildpacks only")));
    }
    let addr = format!("{}/{}@{}", image.registry(), image.repository(), images.open(&place, Extent::All)?.digest());
    entry(&labels.metadata.info.id, &labels.metadata.info.version, addr)
}

/// The entry of a version.
///
/// # Errors
/// When the ID is none that a registry can have.
pub fn entry(id: &str, version: &str, addr: String) -> Result<Entry> {
    let (ns, name) = id
        .split_once('/')
        .filter(|_| is_id(id))
        .context(|| format!("`{id}` cannot be in a buildpack registry"))
        .hint("its ID must be NAMESPACE/NAME, of small letters, digits, `-` and `.`")?;
    Ok(Entry { ns: ns.into(), name: name.into(), version: version.into(), yanked: false, addr })
}

/// Asks for an entry, or for what it says of having been taken back.
///
/// # Errors
/// When the registry cannot be reached, or does not have what is to be taken back.
pub fn request(registry: &str, entry: &Entry, images: &Images) -> Result<Requested> {
    let verb = if entry.addr.is_empty() && entry.yanked { "YANK" } else { "ADD" };
    let (id, version) = (format!("{}/{}", entry.ns, entry.name), &entry.version);
    let title = format!("{verb} {id}@{version}");
    if registry.starts_with("https://github.com/") {
        let addr = if entry.addr.is_empty() { String::new() } else { format!("addr = \"{}\"\n", entry.addr) };
        let body = format!("\nid = \"{id}\"\nversion = \"{version}\"\n{addr}");
        return Ok(Requested::Open(format!("{registry}/issues/new?title={}&body={}", escaped(&title), escaped(&body))));
    }
    let scratch = images.store.scratch()?;
    let folder = scratch.path().join("index");
    git(None, &["clone", "--quiet", "--", registry, &folder.to_string_lossy()])
        .context(|| format!("cannot read the buildpack registry `{registry}`"))?;
    let path = folder.join(file_of(&id));
    let text = change(&fs::read_to_string(&path).unwrap_or_default(), entry)?;
    fs::create_dir_all(path.parent().unwrap_or(&folder)).context(|| "cannot write to the registry")?;
    fs::write(&path, text).context(|| "cannot write to the registry")?;
    git(Some(&folder), &["add", "--all"])?;
    git(Some(&folder), &["commit", "--quiet", "-m", &title])
        .hint("git must know who you are: `git config --global user.name` and `user.email`")?;
    git(Some(&folder), &["push", "--quiet", "origin", "HEAD"])
        .context(|| format!("cannot write to the buildpack registry `{registry}`"))?;
    Ok(Requested::Committed)
}

/// The file of a buildpack with an entry added or marked.
fn change(text: &str, entry: &Entry) -> Result<String> {
    let mut entries: Vec<Entry> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).context(|| "the registry is damaged"))
        .collect::<Result<_>>()?;
    let name = format!("{}/{}@{}", entry.ns, entry.name, entry.version);
    match (entries.iter_mut().find(|known| known.version == entry.version), entry.addr.is_empty()) {
        (Some(known), true) => known.yanked = entry.yanked,
        (Some(_), false) => return Err(Error::new(format!("the registry has `{name}` already"))).hint("give the new one another version"),
        (None, true) => return Err(Error::new(format!("the registry does not have `{name}`"))),
        (None, false) => entries.push(entry.clone()),
    }
    let lines = entries.iter().map(|entry| serde_json::to_string(entry).context(|| "cannot write an entry"));
    Ok(lines.collect::<Result<Vec<_>>>()?.join("\n") + "\n")
}

/// A text as part of an address.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        let written = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => write!(escaped, "{}", char::from(byte)),
            _ => write!(escaped, "%{byte:02X}"),
        };
        debug_assert!(written.is_ok(), "memory takes every letter");
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REG-08.
    #[test]
    fn entries_are_added_once_and_taken_back() {
        let new = entry("acme/node", "1.0.0", "r.test/node@sha256:1".into()).unwrap();
        let text = change("", &new).unwrap();
        assert_eq!(text, "{\"ns\":\"acme\",\"name\":\"node\",\"version\":\"1.0.0\",\"yanked\":false,\"addr\":\"r.test/node@sha256:1\"}\n");
        assert!(change(&text, &new).unwrap_err().to_string().contains("already"));
        let yank = |yanked| Entry { yanked, addr: String::new(), ..new.clone() };
        let yanked = change(&text, &yank(true)).unwrap();
        assert!(yanked.contains("\"yanked\":true") && yanked.contains("sha256:1"));
        assert_eq!(change(&yanked, &yank(false)).unwrap(), text);
        assert!(change("", &yank(true)).is_err() && entry("node", "1", String::new()).is_err());
        assert_eq!(escaped("ADD a/b@1\n"), "ADD%20a%2Fb%401%0A");
    }
}
