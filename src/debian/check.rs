//! Looks over a composed tree for what a maintainer script or a left-out package would have put right: libraries that are missing, links
//! that lead nowhere, files of two packages.

use super::tree::Tree;
use crate::archive::Kind;
use std::collections::BTreeSet;
use std::fmt;

/// Where links may lead to what only a running system has.
const ELSEWHERE: [&str; 6] = ["dev", "etc/mtab", "proc", "run", "sys", "var/run"];

/// Something that is odd in a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// A program or library needs a library that is not there.
    MissingLibrary {
        /// Who needs it.
        path: String,
        /// Its name.
        library: String,
    },
    /// A link leads nowhere.
    DanglingLink {
        /// The link.
        path: String,
        /// Where it leads.
        target: String,
    },
    /// Two packages have the same file.
    TwoOwners {
        /// The file.
        path: String,
        /// The packages.
        packages: [String; 2],
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingLibrary { path, library } => write!(formatter, "`/{path}` needs the library `{library}`, which no package brings"),
            Self::DanglingLink { path, target } => write!(formatter, "the link `/{path}` leads to `{target}`, which is not there"),
            Self::TwoOwners { path, packages: [one, other] } => write!(formatter, "the packages `{one}` and `{other}` both have `/{path}`"),
        }
    }
}

/// Libraries that are missing and links that lead nowhere. Links into what `is_left_out` are no findings.
pub(super) fn check(tree: &Tree, is_left_out: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let everywhere: BTreeSet<&str> =
        tree.nodes.keys().filter(|path| is_library_folder(path)).filter_map(|path| path.rsplit('/').next()).collect();
    for (path, dynamic) in &tree.dynamics {
        for library in dynamic.needed.iter().filter(|library| !everywhere.contains(library.as_str())) {
            if !dynamic.search.iter().any(|folder| tree.resolve(&format!("{}/{library}", place(folder, path))).is_some()) {
                findings.push(Finding::MissingLibrary { path: path.clone(), library: library.clone() });
            }
        }
    }
    for (path, node) in &tree.nodes {
        let Kind::Symlink { target } = &node.entry.kind else { continue };
        let target = String::from_utf8_lossy(target).into_owned();
        let full = absolute(path, &target);
        let elsewhere =
            ELSEWHERE.iter().any(|folder| full == *folder || full.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
        if !elsewhere && !is_left_out(&full) && !is_left_out(path) && tree.resolve(path).is_none() {
            findings.push(Finding::DanglingLink { path: path.clone(), target });
        }
    }
    findings
}

/// The dynamic linker's own folders: `/usr/lib`, `/usr/lib64` and those of the architecture.
fn is_library_folder(path: &str) -> bool {
    let mut parts = path.split('/');
    let in_lib = parts.next() == Some("usr") && matches!(parts.next(), Some("lib" | "lib64"));
    let rest: Vec<&str> = parts.collect();
    in_lib && (rest.len() == 1 || rest.len() == 2 && rest[0].contains("-linux-"))
}

/// A search path of a program, with `$ORIGIN` written out.
fn place(folder: &str, program: &str) -> String {
    let own = program.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder.replace("${ORIGIN}", own).replace("$ORIGIN", own)
}

/// Where a link leads, without a leading `/`.
fn absolute(link: &str, target: &str) -> String {
    let folder = if target.starts_with('/') { "" } else { link.rsplit_once('/').map_or("", |(folder, _)| folder) };
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::super::elf::Dynamic;
    use super::super::tree::Made;
    use super::*;

    #[test]
    fn what_is_missing_is_found_and_nothing_else() {
        let made = Made { owner: "test".into(), mtime: 1 };
        let mut tree = Tree::default();
        for folder in ["usr", "usr/lib", "usr/lib/x86_64-linux-gnu", "usr/lib/own", "usr/bin"] {
            tree.put_directory(folder, 0o755, &made);
        }
        for file in ["usr/lib/x86_64-linux-gnu/libc.so.6", "usr/lib/own/libown.so", "usr/bin/tool"] {
            tree.put_file(file, "x", 0o755, &made);
        }
        let needed = ["libc.so.6", "libown.so", "libgone.so.1"].map(str::to_string).to_vec();
        tree.dynamics.insert("usr/bin/tool".into(), Dynamic { needed, search: vec!["$ORIGIN/../lib/own".into()], ..Dynamic::default() });
        for (link, target) in
            [("usr/bin/good", "tool"), ("usr/bin/bad", "../none"), ("usr/bin/page", "/usr/share/man/x"), ("usr/bin/run", "/run/x")]
        {
            tree.put_link(link, target, &made);
        }
        let findings: Vec<String> = check(&tree, |path| path.starts_with("usr/share/man")).iter().map(ToString::to_string).collect();
        assert_eq!(
            findings,
            [
                "`/usr/bin/tool` needs the library `libgone.so.1`, which no package brings",
                "the link `/usr/bin/bad` leads to `../none`, which is not there"
            ]
        );
    }
}
