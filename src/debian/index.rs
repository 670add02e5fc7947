//! The signed indexes of a base's archives: which packages there are. They are kept, and fetched again only when newer ones are asked for.

mod load;

use super::relation::{Relation, relation};
use super::{Base, Cache, Mirrors, Release, version};
use crate::error::{Context, Result};
use crate::output::Output;
use load::Loader;
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::fs;

/// Whether indexes that are at hand will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Yes: ask mirrors only for what is missing.
    IfMissing,
    /// No: ask for newer ones.
    Always,
}

/// All packages of a base's archives. Beside the text there are only places in it: of seventy thousand packages every word kept twice shows.
pub struct Index {
    parts: Vec<Part>,
    /// The stanzas, by name.
    stanzas: Vec<Place>,
    /// What packages provide, by name.
    provided: Vec<Provided>,
    /// The Release files that the index stands on.
    pub releases: Vec<Release>,
    /// The architecture, in Debian's words.
    pub architecture: String,
}

struct Part {
    archive: String,
    suite: String,
    text: String,
}

/// A piece of a part's text. Parts are smaller than 4 GiB.
#[derive(Clone, Copy)]
struct Place {
    part: u32,
    start: u32,
    end: u32,
}

/// One relation of a field `Provides`.
#[derive(Clone, Copy)]
struct Provided {
    relation: Place,
    stanza: Place,
}

/// One version of a package in the index.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub archive: &'a str,
    pub suite: &'a str,
    text: &'a str,
}

impl<'a> Candidate<'a> {
    /// A field's value; empty where it has none.
    pub fn field(&self, name: &str) -> &'a str {
        self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or("")
    }
}

impl Index {
    /// Loads the indexes of a base for an architecture, from the cache where that will do.
    ///
    /// # Errors
    /// When no mirror has an index with a good signature, or the newest is older than one seen before.
    pub fn load(base: &Base, architecture: &str, mirrors: &Mirrors, cache: &Cache, refresh: Refresh, output: &Output) -> Result<Self> {
        let folder = cache.indexes();
        fs::create_dir_all(&folder).context(|| format!("cannot make `{}`", folder.display()))?;
        let loader = Loader { architecture, mirrors, folder: &folder, refresh, client: OnceCell::new(), output };
        let (mut parts, mut releases) = (Vec::new(), Vec::new());
        for archive in &base.archive {
            for suite in &archive.suites {
                let describe = || format!("cannot load the index of `{suite}` in the archive `{}`", archive.name);
                let (release, texts) = loader.suite(archive, suite).context(describe)?;
                releases.push(release);
                parts.extend(texts.into_iter().map(|text| Part { archive: archive.name.clone(), suite: suite.clone(), text }));
            }
        }
        Self::of_parts(parts, releases, architecture)
    }

    fn of_parts(parts: Vec<Part>, releases: Vec<Release>, architecture: &str) -> Result<Self> {
        let mut index = Self { parts, stanzas: Vec::new(), provided: Vec::new(), releases, architecture: architecture.into() };
        for (at, part) in (0..).zip(&index.parts) {
            u32::try_from(part.text.len()).context(|| format!("the index of `{}` is larger than 4 GiB", part.suite))?;
            let place = |piece: &str| Place::of(piece, &part.text, at);
            for text in part.text.split("\n\n").filter(|text| text.starts_with("Package: ")) {
                let stanza = place(text);
                index.stanzas.push(stanza);
                let fields = text.lines().filter_map(|line| line.strip_prefix("Provides: "));
                let relations = fields.flat_map(|field| field.split(',')).filter(|text| relation(text).is_some());
                index.provided.extend(relations.map(|text| Provided { relation: place(text), stanza }));
            }
        }
        let parts = &index.parts;
        index.stanzas.sort_by_cached_key(|stanza| name_of(stanza.text(parts)));
        index.provided.sort_by_cached_key(|provided| provided.name(parts));
        index.stanzas.shrink_to_fit();
        index.provided.shrink_to_fit();
        Ok(index)
    }

    /// All versions of a package, the newest first.
    pub(super) fn candidates(&self, name: &str) -> Vec<Candidate<'_>> {
        let stanzas = range(&self.stanzas, |stanza| name_of(stanza.text(&self.parts)).cmp(name));
        let mut found: Vec<Candidate> = stanzas.iter().map(|stanza| self.candidate(*stanza)).collect();
        found.sort_by(|one, other| version::compare(other.field("Version"), one.field("Version")));
        found
    }

    /// Who provides something, beside the package of that name, and in which version.
    pub(super) fn providers(&self, name: &str) -> impl Iterator<Item = (Candidate<'_>, Option<&str>)> {
        let provided = range(&self.provided, |provided| provided.name(&self.parts).cmp(name));
        provided.iter().map(|provided| {
            let version = provided.relation(&self.parts).and_then(|relation| relation.version);
            (self.candidate(provided.stanza), version.map(|(_, version)| version))
        })
    }

    fn candidate(&self, stanza: Place) -> Candidate<'_> {
        let Part { archive, suite, .. } = &self.parts[stanza.part as usize];
        Candidate { archive, suite, text: stanza.text(&self.parts) }
    }
}

impl Place {
    /// The place of `piece`, which is a slice of `text`.
    fn of(piece: &str, text: &str, part: u32) -> Self {
        let start = piece.as_ptr() as usize - text.as_ptr() as usize;
        Self { part, start: start as u32, end: (start + piece.len()) as u32 }
    }

    fn text(self, parts: &[Part]) -> &str {
        &parts[self.part as usize].text[self.start as usize..self.end as usize]
    }
}

impl Provided {
    fn relation(self, parts: &[Part]) -> Option<Relation<'_>> {
        relation(self.relation.text(parts))
    }

    fn name(self, parts: &[Part]) -> &str {
        self.relation(parts).map_or("", |relation| relation.name)
    }
}

/// The name in a stanza, which starts with it.
fn name_of(stanza: &str) -> &str {
    stanza.lines().next().and_then(|line| line.strip_prefix("Package: ")).unwrap_or("")
}

/// What is equal, in a list sorted by that.
fn range<T>(sorted: &[T], order: impl Fn(&T) -> Ordering) -> &[T] {
    let start = sorted.partition_point(|item| order(item).is_lt());
    let count = sorted[start..].partition_point(|item| order(item).is_eq());
    &sorted[start..start + count]
}

#[cfg(test)]
impl Index {
    /// An index of stanzas, for tests.
    pub(super) fn of(text: &str) -> Self {
        let part = Part { archive: "debian".into(), suite: "test".into(), text: text.to_string() };
        Self::of_parts(vec![part], Vec::new(), "amd64").unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_among_their_neighbours() {
        let index = Index::of(concat!(
            "Package: b\nVersion: 9\nProvides: v (= 2), w\n\nPackage: ab\nVersion: 1\n\nPackage: b\nVersion: 10\n\nNo: package\n\n",
            "Package: a\nVersion: 1\nProvides: v\n",
        ));
        let versions = |name| index.candidates(name).iter().map(|found| found.field("Version")).collect::<Vec<_>>();
        assert_eq!((versions("b"), versions("a"), versions("ab")), (vec!["10", "9"], vec!["1"], vec!["1"]));
        assert!(["", "aa", "c", "v"].into_iter().all(|name| versions(name).is_empty()));
        let providers = |name| index.providers(name).map(|(found, version)| (found.field("Package"), version)).collect::<Vec<_>>();
        assert_eq!((providers("v"), providers("w")), (vec![("b", Some("2")), ("a", None)], vec![("b", None)]));
        assert!(["", "a", "u", "x"].into_iter().all(|name| providers(name).is_empty()));
    }
}
