//! Environment variables that the user gives to a build, by option or by file.

use crate::error::{Context, Error, Result};
use std::path::{Path, PathBuf};

/// One variable of the build's platform environment (CNB Platform API, `<platform>/env`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name: what stands before the first `=`.
    pub name: String,
    /// Its value; may be empty.
    pub value: String,
}

impl Variable {
    /// Reads `files`, then `options`: later ones win. A name without `=` takes its value from `inherited`, and is left out where that has none.
    ///
    /// # Errors
    /// When a file cannot be read or a name cannot be a variable's.
    pub fn collect(files: &[PathBuf], options: &[String], inherited: impl Fn(&str) -> Option<String>) -> Result<Vec<Self>> {
        let mut variables: Vec<Self> = Vec::new();
        let mut add = |found: Option<Self>| {
            if let Some(variable) = found {
                variables.retain(|earlier| earlier.name != variable.name);
                variables.push(variable);
            }
        };
        for file in files {
            for line in lines(file)? {
                add(Self::parse(&line, &inherited).context(|| format!("cannot read the environment file `{}`", file.display()))?);
            }
        }
        for option in options {
            add(Self::parse(option, &inherited).context(|| format!("cannot use `--env {option}`"))?);
        }
        Ok(variables)
    }

    fn parse(text: &str, inherited: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_string())),
            None => (text, inherited(text)),
        };
        // The name becomes a file name in `<platform>/env`.
        if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
            return Err(Error::new(format!("`{name}` cannot be the name of a variable")).hint("write NAME=VALUE"));
        }
        Ok(value.map(|value| Self { name: name.to_string(), value }))
    }
}

fn lines(file: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file).context(|| format!("cannot read the environment file `{}`", file.display()))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-08.
    #[test]
    fn options_win_over_files_and_bare_names_are_inherited() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env");
        std::fs::write(&file, "# comment\n\nA=file\nB=x=y\nHOST\nNONE\n").unwrap();
        let options = ["A=option".to_string(), "EMPTY=".to_string()];
        let variables = Variable::collect(&[file], &options, |name| (name == "HOST").then(|| "h".to_string())).unwrap();
        let found: Vec<_> = variables.iter().map(|variable| (variable.name.as_str(), variable.value.as_str())).collect();
        assert_eq!(found, [("B", "x=y"), ("HOST", "h"), ("A", "option"), ("EMPTY", "")]);
    }

    #[test]
    fn a_name_that_cannot_be_a_file_is_refused() {
        for bad in ["=x", "a/b=x", "..=x"] {
            assert!(Variable::collect(&[], &[bad.to_string()], |_| None).is_err(), "{bad}");
        }
    }
}
