//! `test.toml`: what a test builds, and what its author expects.

use super::program::{HttpRequest, Run};
use super::{Suite, check};
use crate::buildpack::Kind;
use crate::error::{Advice, Context, Error, Result};
use launcher::file::read_document;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Exit codes of detection and of buildpacks that end badly (CNB Platform Specification).
const NOBODY_BUILDS: u8 = 20;
const BUILD_FAILED: u8 = 51;

/// A test.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// The name of its folder.
    #[serde(skip)]
    pub name: String,
    /// Its folder.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The app, beside the file.
    #[serde(default = "Case::app")]
    app: PathBuf,
    /// The builder, instead of the command's.
    builder: Option<String>,
    /// The buildpacks in order; `.` is the one that is tested.
    #[serde(default)]
    buildpacks: Vec<String>,
    /// The extensions; `.` is the one that is tested.
    #[serde(default)]
    extensions: Vec<String>,
    /// The execution environment.
    exec_env: Option<String>,
    /// Variables of the build.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// What is expected of the build.
    #[serde(default)]
    pub expect: Expect,
    /// What is expected of a second build, which has the first one's cache.
    pub again: Option<Expect>,
    /// Programs that are run in the image.
    #[serde(default)]
    pub run: Vec<Run>,
    /// Requests that the app answers.
    #[serde(default)]
    pub http: Vec<HttpRequest>,
}

/// What is expected of a build.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// Whether detection passes.
    detect: Verdict,
    /// Whether the build passes.
    build: Verdict,
    /// Regular expressions, each of which some line of the output matches.
    output: Vec<String>,
    /// Regular expressions that no line matches.
    no_output: Vec<String>,
    /// The buildpacks and extensions that take part, as `ID` or `ID@VERSION`.
    pub group: Option<Vec<String>>,
    /// Entries of the plan that buildpacks get: each is one that there is, at least as far as it goes.
    pub plan: Vec<toml::Table>,
    /// Layers, likewise.
    pub layers: Vec<toml::Table>,
    /// Processes, likewise.
    pub processes: Vec<toml::Table>,
    /// Labels, likewise.
    pub labels: Vec<toml::Table>,
    /// Components of SBOM files, likewise.
    pub sbom: Vec<toml::Table>,
    /// Dockerfiles of extensions, by `build` and `run`: regular expressions that lines match.
    pub dockerfiles: BTreeMap<String, Vec<String>>,
    /// Files of the image.
    pub files: Vec<FileOfImage>,
}

/// How something ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    #[default]
    Pass,
    Fail,
}

/// A file of the image.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FileOfImage {
    /// Where it is.
    pub path: PathBuf,
    /// Its whole text.
    pub text: Option<String>,
    /// A regular expression that a line of it matches.
    pub matches: Option<String>,
    /// Its permissions, as `755`.
    pub mode: Option<String>,
    /// Whether it is there.
    pub exists: Option<bool>,
}

/// The tests in a folder, by name; `names` chooses some.
///
/// # Errors
/// When there is none, or one that makes no sense.
pub fn find(folder: &Path, names: &[String]) -> Result<Vec<Case>> {
    let describe = || format!("cannot read the tests in `{}`", folder.display());
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).context(describe).hint("a test is a folder with a `test.toml`; `--tests` names where they are")? {
        let path = entry.context(describe)?.path();
        if path.join("test.toml").is_file() {
            folders.push(path);
        }
    }
    folders.sort();
    let mut cases = folders.iter().map(|folder| Case::read(folder)).collect::<Result<Vec<_>>>()?;
    if let Some(name) = names.iter().find(|name| cases.iter().all(|case| case.name != **name)) {
        let known: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
        return Err(Error::new(format!("there is no test `{name}`"))).hint(format!("there are {}", known.join(", ")));
    }
    cases.retain(|case| names.is_empty() || names.contains(&case.name));
    match cases.is_empty() {
        true => Err(Error::new("there is none")).context(describe).hint("a test is a folder with a `test.toml`"),
        false => Ok(cases),
    }
}

impl Case {
    fn app() -> PathBuf {
        "app".into()
    }

    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("test.toml");
        let describe = || format!("cannot read `{}`", path.display());
        let mut case: Self = toml::from_str(&read_document(&path).context(describe)?).context(describe)?;
        case.expect.check().and_then(|()| case.again.as_ref().map_or(Ok(()), Expect::check)).context(describe)?;
        case.name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        case.folder = folder.to_path_buf();
        Ok(case)
    }

    /// The options of the build.
    pub(super) fn build_arguments(&self, suite: &Suite, scratch: &Path) -> Result<Vec<String>> {
        let app = self.folder.join(&self.app);
        if !app.is_dir() {
            return Err(Error::new(format!("there is no app: `{}` is no folder", app.display()))).hint("`app` in test.toml names it");
        }
        let mut arguments = vec!["--path".into(), app.display().to_string()];
        let mut option = |name: &str, value: &str| arguments.extend([name.to_string(), value.to_string()]);
        if let Some(builder) = self.builder.as_deref().or(suite.builder.as_deref()) {
            option("--builder", builder);
        }
        if let Some(exec_env) = &self.exec_env {
            option("--exec-env", exec_env);
        }
        self.env.iter().for_each(|(name, value)| option("--env", &format!("{name}={value}")));
        let own = |kind| if suite.kind == kind { vec![".".to_string()] } else { Vec::new() };
        for (name, given, own) in
            [("--buildpack", &self.buildpacks, own(Kind::Buildpack)), ("--extension", &self.extensions, own(Kind::Extension))]
        {
            let all = if given.is_empty() { &own } else { given };
            all.iter().for_each(|module| option(name, &located(module, &suite.folder)));
        }
        if suite.kind == Kind::Extension && self.buildpacks.is_empty() {
            let descriptor = scratch.join("project.toml");
            fs::write(&descriptor, NOTHING).context(|| format!("cannot write `{}`", descriptor.display()))?;
            option("--descriptor", &descriptor.display().to_string());
        }
        Ok(arguments)
    }
}

/// An extension without a buildpack cannot be tested: this one does nothing.
const NOTHING: &str = "[_]\nschema-version = \"0.2\"\n[[io.buildpacks.group]]\nid = \"test/nothing\"\n[io.buildpacks.group.script]\napi = \"0.10\"\ninline = \"true\"\n";

/// A path is relative to the folder of what is tested.
fn located(module: &str, folder: &Path) -> String {
    let path = folder.join(module);
    if path.exists() { path.display().to_string() } else { module.to_string() }
}

impl Expect {
    fn check(&self) -> Result<()> {
        let of_files = self.files.iter().filter_map(|file| file.matches.as_ref());
        let mut all = self.output.iter().chain(&self.no_output).chain(self.dockerfiles.values().flatten()).chain(of_files);
        all.try_for_each(|pattern| check::pattern(pattern).map(drop))
    }

    /// How the build is to end.
    pub(super) fn exit_code(&self) -> u8 {
        match (self.detect, self.build) {
            (Verdict::Fail, _) => NOBODY_BUILDS,
            (Verdict::Pass, Verdict::Fail) => BUILD_FAILED,
            (Verdict::Pass, Verdict::Pass) => 0,
        }
    }

    /// What the output lacks, or should not have.
    pub(super) fn check_output(&self, output: &str, found: &mut Vec<String>) -> Result<()> {
        for wanted in &self.output {
            if !check::matches(wanted, output)? {
                found.push(format!("no line of the output matches `{wanted}`"));
            }
        }
        for unwanted in &self.no_output {
            if check::matches(unwanted, output)? {
                found.push(format!("a line of the output matches `{unwanted}`"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_told_with_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let case = folder.path().join("one");
        fs::create_dir(&case).unwrap();
        let find = |text: &str| {
            fs::write(case.join("test.toml"), text).unwrap();
            find(folder.path(), &[]).map(|cases| cases[0].expect.exit_code())
        };
        assert_eq!(find("").unwrap(), 0);
        assert_eq!(find("[expect]\ndetect = 'fail'\n").unwrap(), 20);
        assert_eq!(find("[expect]\nbuild = 'fail'\n").unwrap(), 51);
        for bad in ["x = 1", "[expect]\noutput = ['(']", "[expect]\nbuild = 'maybe'", "[[http]]\npath = 1"] {
            let error = format!("{:?}", find(bad).unwrap_err());
            assert!(error.contains("one/test.toml"), "{bad}: {error}");
        }
        let none = super::find(folder.path(), &["two".into()]);
        assert!(none.is_err());
    }
}
