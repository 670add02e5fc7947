//! `launch.toml` and `build.toml` (CNB Buildpack Specification).

use super::{Api, Label, Process, Slice};
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
    /// Reads what the buildpack `id` wrote under the Buildpack API `api` (BLD-16 to BLD-18).
    ///
    /// # Errors
    /// When the text is not a `launch.toml` of that API, or names two defaults.
    pub fn parse(text: &str, id: &str, api: Api) -> Result<Self> {
        let table: toml::Table = toml::from_str(text).context(|| "launch.toml is not TOML")?;
        let always_direct = api >= Api::new(0, 9);
        let processes = table.get("processes").and_then(toml::Value::as_array).into_iter().flatten().filter_map(toml::Value::as_table);
        for process in processes {
            match process.get("command") {
                Some(toml::Value::String(_)) if always_direct => return Err(Error::new("the command of a process must be a list")),
                Some(toml::Value::Array(_)) if !always_direct => return Err(Error::new("the command of a process must be a text")),
                Some(_) | None => {}
            }
            if always_direct && process.contains_key("direct") {
                return Err(Error::new("process.direct is not supported on this buildpack version"));
            }
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
        Ok(launch)
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
    let build: BuildToml = toml::from_str(text).context(|| "build.toml is not what it should be")?;
    if build.unmet.iter().any(|unmet| unmet.name.is_empty()) {
        return Err(Error::new("unmet.name is required"));
    }
    Ok(build.unmet.into_iter().map(|unmet| unmet.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Api = Api::new(0, 12);

    /// BLD-15, BLD-16, BLD-17, BLD-18, BLD-19.
    #[test]
    fn processes_follow_the_api() {
        let parse = |text: &str, api| LaunchToml::parse(text, "a/b", api);
        let launch = parse("[[processes]]\ntype = 'a.b_c-1'\ncommand = ['x']\ndefault = true\nworking-dir = '/w'\nexec-env = ['test']\n[[labels]]\nkey = 'k'\nvalue = 'v'\n[[slices]]\npaths = ['p']\n", NEW).unwrap();
        let process = &launch.processes[0];
        assert_eq!((process.direct, process.buildpack_id.as_str(), process.working_dir.as_deref()), (true, "a/b", Some("/w")));
        assert!(!parse("[[processes]]\ntype = 'a'\ncommand = 'x y'\n", Api::new(0, 8)).unwrap().processes[0].direct);
        for bad in [
            "type = 'a'\ncommand = ['x']\ndirect = true",
            "type = 'a'\ncommand = 'x'",
            "type = 'a/b'\ncommand = ['x']",
            "type = ''",
            "type = '..'",
        ] {
            assert!(parse(&format!("[[processes]]\n{bad}\n"), NEW).is_err(), "{bad}");
        }
        let two =
            "[[processes]]\ntype = 'a'\ncommand = ['x']\ndefault = true\n[[processes]]\ntype = 'b'\ncommand = ['x']\ndefault = true\n";
        assert_eq!(parse(two, NEW).unwrap_err().to_string(), "multiple default process types aren't allowed");
    }

    /// BLD-09.
    #[test]
    fn unmet_names_are_read() {
        assert_eq!(unmet("[[unmet]]\nname = 'x'\n").unwrap(), ["x"]);
        assert!(unmet("[[unmet]]\n").is_err() && unmet("").unwrap().is_empty());
    }
}
