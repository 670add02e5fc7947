//! Which files of the source go into the build: `include` or `exclude` of `project.toml`, and `.cooperignore`, all in the syntax of `.gitignore`
//! (PRJ-07).

use crate::error::{Advice, Context, Error, Result};
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use std::io::ErrorKind;
use std::path::Path;

/// The file of rules beside the source.
const FILE: &str = ".cooperignore";

/// What leaves files out. Nothing where there are no rules.
#[derive(Debug, Default)]
pub struct Rules {
    include: Option<Gitignore>,
    exclude: Vec<Exclude>,
}

#[derive(Debug)]
struct Exclude {
    /// Where the rules stand.
    origin: &'static str,
    patterns: Gitignore,
}

impl Rules {
    /// The rules of a project file, and those of `.cooperignore` in `source` besides.
    ///
    /// # Errors
    /// When the file cannot be read, or a pattern is none.
    pub fn read(source: &Path, include: Option<&[String]>, exclude: Option<&[String]>) -> Result<Self> {
        let path = source.join(FILE);
        let own = match std::fs::read_to_string(&path) {
            Ok(text) => Some(text.lines().map(str::to_string).collect::<Vec<_>>()),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).context(|| format!("cannot read `{}`", path.display())),
        };
        let lists = [("exclude of project.toml", exclude), (FILE, own.as_deref())];
        let lists = lists.into_iter().filter_map(|(origin, lines)| Some((origin, lines?)));
        let exclude = lists.map(|(origin, lines)| Ok(Exclude { origin, patterns: patterns(lines, origin)? })).collect::<Result<_>>()?;
        let include = include.map(|lines| patterns(lines, "include of project.toml")).transpose()?;
        Ok(Self { include, exclude })
    }

    /// The rule that leaves a path of the source out, as people read it.
    pub(super) fn left_out(&self, relative: &Path, is_folder: bool) -> Option<String> {
        for exclude in &self.exclude {
            if let Match::Ignore(glob) = exclude.patterns.matched_path_or_any_parents(relative, is_folder) {
                return Some(format!("{}: {}", exclude.origin, glob.original()));
            }
        }
        let include = self.include.as_ref()?;
        let is_in = include.matched_path_or_any_parents(relative, is_folder).is_ignore();
        (!is_in).then(|| "not in include of project.toml".to_string())
    }

    /// Whether something in a folder that is left out may be let in nevertheless.
    pub(super) fn may_let_in(&self) -> bool {
        self.include.is_some() || self.exclude.iter().any(|exclude| exclude.patterns.num_whitelists() > 0)
    }
}

fn patterns(lines: &[String], origin: &str) -> Result<Gitignore> {
    let mut builder = GitignoreBuilder::new("");
    let wrong = |error: &ignore::Error| Error::new(format!("{origin} makes no sense: {error}"));
    for line in lines {
        builder.add_line(None, line).map_err(|error| wrong(&error)).hint("write patterns as in a .gitignore")?;
    }
    builder.build().map_err(|error| wrong(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(include: Option<&[&str]>, exclude: Option<&[&str]>, own: &str) -> Rules {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), own).unwrap();
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        Rules::read(folder.path(), include.map(owned).as_deref(), exclude.map(owned).as_deref()).unwrap()
    }

    fn kept<'a>(rules: &Rules, paths: &[&'a str]) -> Vec<&'a str> {
        paths.iter().filter(|path| rules.left_out(Path::new(path.trim_end_matches('/')), path.ends_with('/')).is_none()).copied().collect()
    }

    /// PRJ-07, PRJ-08.
    #[test]
    fn patterns_mean_what_they_mean_to_git() {
        let paths = ["main.py", "a/secret.env", "a/b/keep.env", "logs/", "logs/today/x", "build", "a/build"];
        let exclude = rules(None, Some(&["*.env", "!a/b/keep.env", "logs/", "/build", "# note", ""]), "");
        assert_eq!(kept(&exclude, &paths), ["main.py", "a/b/keep.env", "a/build"]);
        assert_eq!(kept(&rules(Some(&["a/b/keep.env", "logs"]), None, ""), &paths), ["a/b/keep.env", "logs/", "logs/today/x"]);
        let both = rules(Some(&["a", "main.py"]), None, "*.env\n");
        assert_eq!(kept(&both, &paths), ["main.py", "a/build"]);
        assert_eq!(both.left_out(Path::new("a/secret.env"), false).unwrap(), ".cooperignore: *.env");
        assert_eq!(both.left_out(Path::new("build"), false).unwrap(), "not in include of project.toml");
        assert_eq!(kept(&Rules::default(), &paths), paths);
    }

    /// A folder that was left out whole is not read.
    #[test]
    fn only_rules_that_let_in_make_folders_worth_a_look() {
        assert!(!rules(None, Some(&["node_modules"]), ".git").may_let_in());
        assert!(rules(None, Some(&["a", "!a/b"]), "").may_let_in() && rules(Some(&["a"]), None, "").may_let_in());
    }
}
