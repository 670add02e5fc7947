//! Which files of the app go into which layer (Buildpack spec, `launch.toml`, slices).

use super::pattern;
use crate::error::Result;
use crate::lifecycle::layer::tree::{Order, walk};
use rustix::fs::FileType;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The paths below the app that one layer holds.
pub type Files = BTreeSet<Vec<u8>>;

/// Divides the files of `app` into one set for each slice and one for the rest. `slices` are the patterns of each slice; they are relative
/// to the app, or absolute inside `in_image`.
pub fn divide(app: &Path, in_image: &str, slices: &[Vec<String>]) -> Result<Vec<Files>> {
    let mut tree = Tree::read(app)?;
    let mut layers = Vec::new();
    for patterns in slices {
        let matched = tree.matching(patterns, in_image)?;
        layers.push(tree.take(&matched));
    }
    layers.push(tree.rest());
    Ok(layers)
}

/// The files of the app; the first is the app itself, parents come before their children.
struct Tree {
    nodes: Vec<Node>,
}

struct Node {
    path: Vec<u8>,
    parent: Option<usize>,
    children: Vec<usize>,
    taken: bool,
}

impl Tree {
    fn read(app: &Path) -> Result<Self> {
        let mut nodes: Vec<Node> = Vec::new();
        let mut folders: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        walk(app, Order::Folders, &mut |node| {
            let index = nodes.len();
            let parent = (!node.path.is_empty()).then(|| folders.get(parent_path(node.path)).copied()).flatten();
            if let Some(parent) = parent {
                nodes[parent].children.push(index);
            }
            if node.file_type() == FileType::Directory {
                folders.insert(node.path.to_vec(), index);
            }
            nodes.push(Node { path: node.path.to_vec(), parent, children: Vec::new(), taken: false });
            Ok(())
        })?;
        Ok(Self { nodes })
    }

    fn matching(&self, patterns: &[String], in_image: &str) -> Result<Vec<usize>> {
        let mut matched = Vec::new();
        for given in patterns {
            pattern::check(given)?;
            let clean = clean(given);
            let relative = match clean.strip_prefix(in_image) {
                Some("") => ".",
                Some(inside) if inside.starts_with('/') => &inside[1..],
                Some(_) | None => clean.as_str(),
            };
            for (index, node) in self.nodes.iter().enumerate() {
                let name: &[u8] = if node.path.is_empty() { b"." } else { &node.path };
                if pattern::matches(relative, name)? {
                    matched.push(index);
                }
            }
        }
        Ok(matched)
    }

    /// Takes the matched files with all that is under them, and adds the folders above them.
    fn take(&mut self, matched: &[usize]) -> Files {
        let mut own = BTreeSet::new();
        let mut open = matched.to_vec();
        while let Some(index) = open.pop() {
            if !self.nodes[index].taken {
                self.nodes[index].taken = true;
                own.insert(index);
                open.extend(&self.nodes[index].children);
            }
        }
        let mut parents = BTreeSet::new();
        for index in &own {
            let mut above = self.nodes[*index].parent;
            while let Some(parent) = above.filter(|parent| !own.contains(parent) && parents.insert(*parent)) {
                above = self.nodes[parent].parent;
            }
        }
        // Children come after their parents in the list, so that the deepest are looked at first.
        for parent in parents.iter().rev() {
            let node = &self.nodes[*parent];
            self.nodes[*parent].taken = node.children.iter().all(|child| self.nodes[*child].taken);
        }
        own.into_iter().chain(parents).map(|index| self.nodes[index].path.clone()).collect()
    }

    fn rest(&self) -> Files {
        self.nodes.iter().filter(|node| !node.taken).map(|node| node.path.clone()).collect()
    }
}

fn parent_path(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(b"", |at| &path[..at])
}

/// A path without empty, `.` and `..` parts, as Go's `filepath.Clean` gives it.
fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if absolute => {}
            other => parts.push(other),
        }
    }
    match (absolute, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn app(files: &[&str]) -> tempfile::TempDir {
        let app = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = app.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        app
    }

    fn divided(files: &[&str], slices: &[&[&str]]) -> Vec<Vec<String>> {
        let app = app(files);
        let slices: Vec<Vec<String>> = slices.iter().map(|paths| paths.iter().map(|path| (*path).to_string()).collect()).collect();
        let layers = divide(app.path(), "/workspace", &slices).expect("slices");
        let text = |path: Vec<u8>| String::from_utf8(path).expect("UTF-8");
        layers.into_iter().map(|files| files.into_iter().map(text).collect()).collect()
    }

    /// SLC-01, SLC-04, SLC-05, SLC-06, SLC-07.
    #[test]
    fn each_file_is_in_one_layer_with_the_folders_above_it() {
        let files = ["main.py", "public/a.css", "public/img/b.png", "node_modules/x/index.js", "lib/deep/c.py", "lib/d.py"];
        let slices: [&[&str]; 2] = [&["public/*", "lib/deep"], &["public", "node_modules", "lib/deep/*"]];
        assert_eq!(
            divided(&files, &slices),
            [
                vec!["", "lib", "lib/deep", "lib/deep/c.py", "public", "public/a.css", "public/img", "public/img/b.png"],
                vec!["", "node_modules", "node_modules/x", "node_modules/x/index.js"],
                vec!["", "lib", "lib/d.py", "main.py"],
            ]
        );
    }

    /// SLC-02, SLC-03.
    #[test]
    fn patterns_are_cleaned_and_may_be_absolute() {
        let files = ["a.rb", "lib/b.rb", "lib/x/c.rb"];
        assert_eq!(divided(&files, &[&["./*.rb"]])[0], ["", "a.rb"]);
        assert_eq!(divided(&files, &[&["**/*.rb"]])[0], ["", "lib", "lib/b.rb"]);
        assert_eq!(divided(&files, &[&["/workspace/lib//x/"]])[0], ["", "lib", "lib/x", "lib/x/c.rb"]);
        assert_eq!(divided(&files, &[&["/elsewhere/lib"]])[0], Vec::<String>::new());
    }

    /// SLC-07, SLC-08.
    #[test]
    fn a_slice_may_hold_everything_or_nothing() {
        let all = vec!["", "a", "b", "b/c"];
        assert_eq!(divided(&["a", "b/c"], &[&["."], &["a"]]), [all.clone(), vec![], vec![]]);
        assert_eq!(divided(&["a", "b/c"], &[&["*"]]), [all.clone(), vec![]]);
        assert_eq!(divided(&["a", "b/c"], &[]), [all]);
    }

    #[test]
    fn clean_is_gos() {
        let table = [("", "."), ("a/../..", ".."), ("/..", "/"), ("a//b/./c/..", "a/b"), ("../../a", "../../a"), ("/a/", "/a")];
        for (path, expected) in table {
            assert_eq!(clean(path), expected, "{path}");
        }
    }
}
