//! The folder that `COPY` and `ADD` take files from, without what `.dockerignore` leaves out. Whoever wrote its content may want files from
//! outside, so no link leads out of it.

use super::generated;
use crate::error::{Advice, Context as _, Error, Result};
use crate::lifecycle::layer::tree::{Order, walk};
use globset::{GlobBuilder, GlobMatcher};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const IGNORE_FILE: &str = ".dockerignore";

/// A context, and what it leaves out.
pub(super) struct Context {
    root: PathBuf,
    ignored: Vec<(GlobMatcher, bool)>,
}

impl Context {
    /// Opens the context in a folder.
    pub fn open(root: &Path) -> Result<Self> {
        let root = root.canonicalize().context(|| format!("cannot read the context `{}`", root.display()))?;
        let text = generated::read(&root, Path::new(IGNORE_FILE))?.unwrap_or_default();
        let mut ignored = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (pattern, out) = line.strip_prefix('!').map_or((line, true), |pattern| (pattern.trim(), false));
            ignored.push((glob(&clean(pattern)).context(|| format!("cannot understand `{line}` in {IGNORE_FILE}"))?, out));
        }
        Ok(Self { root, ignored })
    }

    /// Whether a path below the context is left out: the last pattern that has it or a folder above it decides.
    pub fn ignores(&self, path: &Path) -> bool {
        let above: Vec<&Path> = path.ancestors().filter(|path| !path.as_os_str().is_empty()).collect();
        self.ignored.iter().rev().find(|(pattern, _)| above.iter().any(|path| pattern.is_match(path))).is_some_and(|(_, out)| *out)
    }

    /// The paths that a source means, relative to the context: itself, or all that a pattern matches.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, source: &str) -> Result<Vec<PathBuf>> {
        let cleaned = clean(source);
        let none = || Error::new(format!("`{source}` is not in the context `{}`", self.root.display()));
        let found = if cleaned.contains(['*', '?', '[']) {
            self.matching(&cleaned)?
        } else {
            let path = PathBuf::from(&cleaned);
            let exists = self.root.join(&path).symlink_metadata().is_ok() && !self.ignores(&path);
            exists.then_some(path).into_iter().collect()
        };
        if found.is_empty() {
            Err(none()).hint(format!("its path is relative to that folder; {IGNORE_FILE} leaves files out"))
        } else {
            Ok(found)
        }
    }

    fn matching(&self, pattern: &str) -> Result<Vec<PathBuf>> {
        let glob = glob(pattern).context(|| format!("cannot understand the pattern `{pattern}`"))?;
        let mut found = Vec::new();
        walk(&self.root, Order::Folders, &mut |node| {
            let path = Path::new(OsStr::from_bytes(node.path));
            if !node.path.is_empty() && glob.is_match(path) && !self.ignores(path) {
                found.push(path.to_path_buf());
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Where a path of the context is on this machine, links followed.
    ///
    /// # Errors
    /// When it leads out of the context.
    pub fn real(&self, path: &Path) -> Result<PathBuf> {
        let real = self.root.join(path).canonicalize().context(|| format!("cannot read `{}`", path.display()))?;
        if real.starts_with(&self.root) {
            Ok(real)
        } else {
            Err(Error::new(format!("`{}` leads out of the context `{}`", path.display(), self.root.display())))
        }
    }

    /// The path below the context of what is there on this machine.
    pub fn below<'a>(&self, real: &'a Path) -> &'a Path {
        real.strip_prefix(&self.root).unwrap_or(real)
    }
}

/// A relative path without `.`, `..` and slashes that mean nothing; nothing climbs out.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn glob(pattern: &str) -> Result<GlobMatcher> {
    // A brace is a brace.
    let pattern = pattern.replace('{', "[{]").replace('}', "[}]");
    let glob = GlobBuilder::new(&pattern).literal_separator(true).backslash_escape(true).build();
    glob.map(|glob| glob.compile_matcher()).map_err(|error| Error::new(error.to_string()))
}
