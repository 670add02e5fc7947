//! The tree that a base image's packages make, as far as finishing it needs to know: every path, and the content of what rules read.

use super::elf::Dynamic;
use crate::archive::{Entry, Kind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Folders that are links into `usr` since the merge.
pub(super) const MERGED: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// One path of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub entry: Entry,
    /// The content, where a rule reads or made it.
    pub content: Option<Arc<[u8]>>,
    /// The package that it comes from, or the rule.
    pub owner: Arc<str>,
}

/// All paths, without a leading `/`.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub nodes: BTreeMap<String, Node>,
    /// Dynamic sections of libraries and programs, by path.
    pub dynamics: BTreeMap<String, Dynamic>,
}

/// What finishing rules set on what they make.
#[derive(Clone)]
pub(super) struct Made {
    pub owner: Arc<str>,
    pub mtime: u64,
}

impl Tree {
    pub fn has(&self, path: &str) -> bool {
        self.nodes.contains_key(path)
    }

    pub fn content(&self, path: &str) -> Option<&[u8]> {
        self.nodes.get(path)?.content.as_deref()
    }

    pub fn text(&self, path: &str) -> Option<String> {
        Some(String::from_utf8_lossy(self.content(path)?).into_owned())
    }

    /// Paths that start with `prefix`, in order.
    pub fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a String, &'a Node)> {
        self.nodes.range(prefix.to_string()..).take_while(move |(path, _)| path.starts_with(prefix))
    }

    /// Where a path leads within the tree when links are followed.
    pub fn resolve(&self, path: &str) -> Option<String> {
        self.resolve_within(path, 40)
    }

    fn resolve_within(&self, path: &str, steps: usize) -> Option<String> {
        let mut rest: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").rev().collect();
        let mut current = String::new();
        while let Some(part) = rest.pop() {
            if part == ".." {
                current.truncate(current.rfind('/').unwrap_or(0));
                continue;
            }
            let next = if current.is_empty() { part.to_string() } else { format!("{current}/{part}") };
            if let Kind::Symlink { target } = &self.nodes.get(&next)?.entry.kind {
                let target = String::from_utf8_lossy(target);
                let start = if target.starts_with('/') { String::new() } else { format!("{current}/") };
                let rest = rest.iter().rev().copied().collect::<Vec<_>>().join("/");
                return self.resolve_within(&format!("{start}{target}/{rest}"), steps.checked_sub(1)?);
            }
            current = next;
        }
        Some(current)
    }

    pub fn put_directory(&mut self, path: &str, mode: u32, made: &Made) {
        if !self.has(path) {
            self.put(path, Entry::directory(path, mode, 0, 0, made.mtime), None, made);
        }
    }

    pub fn put_file(&mut self, path: &str, content: impl Into<Vec<u8>>, mode: u32, made: &Made) {
        let content: Vec<u8> = content.into();
        self.put(path, Entry::file(path, content.len() as u64, mode, 0, 0, made.mtime), Some(content.into()), made);
    }

    pub fn put_link(&mut self, path: &str, target: &str, made: &Made) {
        self.put(path, Entry::symlink(path, target, 0, 0, made.mtime), None, made);
    }

    pub fn put(&mut self, path: &str, entry: Entry, content: Option<Arc<[u8]>>, made: &Made) {
        self.nodes.insert(path.to_string(), Node { entry, content, owner: Arc::clone(&made.owner) });
    }
}

/// A package's path in the merged tree: without leading `./` or `/`, below `usr` where the merge put it.
pub(super) fn canonical(path: &str) -> String {
    let path = path.strip_prefix('.').unwrap_or(path).trim_matches('/');
    match path.split_once('/') {
        Some((first, _)) if MERGED.contains(&first) => format!("usr/{path}"),
        _ => path.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_merge_and_links_resolve() {
        assert_eq!(["./bin/sh", "/usr/bin/x/", "./lib64", "."].map(canonical), ["usr/bin/sh", "usr/bin/x", "lib64", ""]);
        let made = Made { owner: "test".into(), mtime: 1 };
        let mut tree = Tree::default();
        tree.put_directory("usr", 0o755, &made);
        tree.put_directory("usr/lib", 0o755, &made);
        tree.put_file("usr/lib/a", "x", 0o644, &made);
        tree.put_link("lib", "usr/lib", &made);
        tree.put_link("usr/up", "../lib/./b", &made);
        tree.put_link("usr/lib/b", "/lib/a", &made);
        tree.put_link("loop", "loop", &made);
        assert_eq!(tree.resolve("/usr/up").as_deref(), Some("usr/lib/a"));
        assert_eq!(tree.resolve("loop"), None);
        assert_eq!(tree.resolve("usr/none"), None);
    }
}
