//! `launch.toml` and `build.toml` (CNB Buildpack Specification).

use super::{Api, Label, Process, Slice, keys};
use crate::error::{Context, Error, Result};
use serde::Deserialize;

/// What a buildpack says about the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct LaunchToml {
    /// Labels.
    #[serde(default)]
    pub labels: Vec<Label>,
    /// Processes.
    #[serde(default)]
    pub processes: Vec<Process>,
    /// Slices of the app.
    #[serde(default)]
    pub slices: Vec<Slice>,
    /// Types of processes whose working directories do not count, because the Buildpack API does not know of them (BLD-17).
    #[serde(skip)]
    pub ignored_working_dirs: Vec<String>,
}

#[derive(Default, Deserialize)]
struct BuildToml {
    #[serde(default)]
    unmet: Vec<Unmet>,
}

#[derive(Deserialize)]
struct Unmet {
    #[serde(default)]
    name: String,
}

impl LaunchToml {
    /// Reads what the buildpack `id` wrote under the Buildpack API `api` (BLD-15 to BLD-19).
    ///
    /// # Errors
    /// When the text is not a `launch.toml` of that API, or names two defaults.
    pub fn parse(text: &str, id: &str, api: Api) -> Result<Self> {
        let table = keys::parse(text).context(|| "launch.toml is not TOML")?;
        let always_direct = api >= Api::new(0, 9);
        let processes = table.get("processes").and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_table);
        for process in processes {
            check_form(process, always_direct)?;
        }
        let mut launch: Self = table.try_into().context(|| "launch.toml is not what it should be")?;
        for process in &mut launch.processes {
            check_type(&process.kind)?;
            process.buildpack_id = id.to_string();
            process.direct |= always_direct;
            if api < Api::new(0, 8) && process.working_dir.take().is_some() {
                launch.ignored_working_dirs.push(process.kind.clone());
            }
        }
        if launch.processes.iter().filter(|process| process.default).count() > 1 {
            return Err(Error::new("multiple default process types aren't allowed"));
        }
        if launch.labels.iter().any(|label| label.key.is_empty()) {
            return Err(Error::new("a label has an empty key").hint("OCI forbids it"));
        }
        Ok(launch)
    }
}

/// A command is a text before Buildpack API 0.9, a list from then on (BLD-16).
fn check_form(process: &toml::Table, always_direct: bool) -> Result<()> {
    if always_direct && process.contains_key("direct") {
        return Err(Error::new("process.direct is not supported on this buildpack version"));
    }
    match process.get("command") {
        Some(command) if always_direct && !command.is_array() => Err(Error::new("the command of a process must be a list")),
        Some(command) if !always_direct && !command.is_str() => Err(Error::new("the command of a process must be a text")),
        Some(_) | None => Ok(()),
    }
}

/// Letters, digits, `.`, `_` and `-`, because the type becomes the name of a link (BLD-19).
fn check_type(kind: &str) -> Result<()> {
    let good = !kind.is_empty()
        && kind != "."
        && kind != ".."
        && kind.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
    if good { Ok(()) } else { Err(Error::new(format!("`{kind}` cannot be the type of a process"))) }
}

/// The names that `build.toml` says are not met (BLD-09).
pub(super) fn unmet(text: &str) -> Result<Vec<String>> {
    let build: BuildToml = keys::parse(text).and_then(toml::Table::try_into).context(|| "build.toml is not what it should be")?;
    if build.unmet.iter().any(|unmet| unmet.name.is_empty()) {
        return Err(Error::new("unmet.name is required"));
    }
    Ok(build.unmet.into_iter().map(|unmet| unmet.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Api = Api::new(0, 12);
    const OLD: Api = Api::new(0, 8);

    fn parse(text: &str, api: Api) -> Result<LaunchToml> {
        LaunchToml::parse(text, "a/b", api)
    }

    fn why(text: &str, api: Api) -> String {
        parse(text, api).map(|launch| format!("{launch:?}")).unwrap_or_else(|error| error.to_string())
    }

    /// BLD-15, BLD-16, BLD-17, BLD-19.
    #[test]
    fn everything_of_a_process_is_read() {
        let text = "junk = 1\n[[processes]]\ntype = 'a.b_c-1'\ncommand = ['x']\nargs = ['y']\ndefault = true\nworking-dir = '/w'\n\
            exec-env = ['test']\n[[labels]]\nkey = 'k'\nvalue = 'v'\n[[slices]]\npaths = ['p']\n";
        let launch = parse(text, NEW).unwrap();
        let process = &launch.processes[0];
        assert_eq!((process.direct, process.default, process.buildpack_id.as_str()), (true, true, "a/b"));
        assert_eq!(
            (process.working_dir.as_deref(), &process.exec_env[..], process.args.as_deref()),
            (Some("/w"), &["test".into()][..], Some(&["y".into()][..]))
        );
        assert_eq!((launch.labels[0].value.as_str(), &launch.slices[0].paths[..]), ("v", &["p".to_string()][..]));
        let old =
            parse("[[processes]]\ntype = 'a'\ncommand = 'x y'\n[[processes]]\ntype = 'b'\ncommand = 'z'\ndirect = true\n", OLD).unwrap();
        assert_eq!(old.processes.iter().map(|process| process.direct).collect::<Vec<_>>(), [false, true]);
        assert_eq!(old.processes[0].command, ["x y"]);
    }

    /// BLD-17.
    #[test]
    fn working_directories_came_with_buildpack_api_0_8() {
        let text = "[[processes]]\ntype = 'a'\ncommand = 'x'\nworking-dir = '/w'\n";
        let launch = parse(text, Api::new(0, 7)).unwrap();
        assert_eq!((launch.processes[0].working_dir.as_deref(), launch.ignored_working_dirs.len()), (None, 1));
        assert!(launch.ignored_working_dirs == ["a"]);
        let launch = parse(text, OLD).unwrap();
        assert_eq!((launch.processes[0].working_dir.as_deref(), launch.ignored_working_dirs.len()), (Some("/w"), 0));
    }

    /// BLD-16, BLD-18, BLD-19.
    #[test]
    fn what_is_wrong_is_named() {
        let two =
            "[[processes]]\ntype = 'a'\ncommand = ['x']\ndefault = true\n[[processes]]\ntype = 'b'\ncommand = ['x']\ndefault = true\n";
        let deep = format!("x = {}{}", "[".repeat(100_000), "]".repeat(100_000));
        for (text, api, expected) in [
            (
                "[[processes]]\ntype = 'a'\ncommand = ['x']\ndirect = true\n",
                NEW,
                "process.direct is not supported on this buildpack version",
            ),
            ("[[processes]]\ntype = 'a'\ncommand = 'x'\n", NEW, "the command of a process must be a list"),
            ("[[processes]]\ntype = 'a'\ncommand = ['x']\n", OLD, "the command of a process must be a text"),
            ("[[processes]]\ntype = 'a/b'\ncommand = ['x']\n", NEW, "`a/b` cannot be the type of a process"),
            ("[[processes]]\ntype = 'a b'\n", NEW, "`a b` cannot be the type of a process"),
            ("[[processes]]\ntype = '..'\n", NEW, "`..` cannot be the type of a process"),
            ("[[processes]]\ntype = ''\n", NEW, "`` cannot be the type of a process"),
            ("[[processes]]\ncommand = ['x']\n", NEW, "launch.toml is not what it should be"),
            ("processes = 1\n", NEW, "launch.toml is not what it should be"),
            ("[[labels]]\nkey = ''\nvalue = 'v'\n", NEW, "a label has an empty key"),
            ("[[slices]]\npaths = 'p'\n", NEW, "launch.toml is not what it should be"),
            ("[[processes]\n", NEW, "launch.toml is not TOML"),
            (&deep, NEW, "launch.toml is not TOML"),
            (two, NEW, "multiple default process types aren't allowed"),
        ] {
            assert_eq!(why(text, api), expected, "{}", &text[..text.len().min(80)]);
        }
    }

    /// BLD-09.
    #[test]
    fn unmet_names_are_read() {
        assert_eq!(unmet("[[unmet]]\nname = 'x'\n").unwrap(), ["x"]);
        assert!(unmet("[[unmet]]\n").is_err() && unmet("").unwrap().is_empty());
    }
}
