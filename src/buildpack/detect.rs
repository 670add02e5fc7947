//! Asks one buildpack or extension whether it can build the app (CNB Buildpack Specification, detection).

use super::run::Program;
use super::{Api, BuildPlan, Descriptor, Kind, Target};
use crate::error::{Context, Error, Result};
use launcher::environment::{Environment, Plain};
use launcher::file::read_document;
use std::ffi::OsString;
use std::path::Path;

const PASSED: i32 = 0;
const FAILED: i32 = 100;
/// What is kept of a program's output.
const MOST_OUTPUT: usize = 8 << 20;

/// What detection needs besides the buildpack.
pub struct DetectInput<'a> {
    /// The app's folder.
    pub app: &'a Path,
    /// The platform's folder.
    pub platform: &'a Path,
    /// The operator's variables.
    pub build_config: &'a Path,
    /// The lifecycle's own environment, filtered.
    pub environment: &'a Environment,
    /// What the run image is.
    pub target: &'a Target,
    /// The execution environment.
    pub exec_env: &'a str,
}

/// What a buildpack answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It can build the app.
    Pass,
    /// It cannot.
    Fail,
    /// It went wrong, with this exit code; -1 where it could not be asked.
    Error(i32),
}

/// What a buildpack answered, and what it printed.
#[derive(Clone, Debug)]
pub struct DetectOutcome {
    /// Its answer.
    pub verdict: Verdict,
    /// What it provides and requires, where it passed.
    pub plan: BuildPlan,
    /// What it printed, standard output and error together.
    pub output: String,
    /// Why it could not be asked, or its plan not used.
    pub problem: Option<String>,
}

/// Runs `bin/detect` (DET-10, DET-15 to DET-17, DET-20 to DET-23).
pub fn detect(descriptor: &Descriptor, input: &DetectInput) -> DetectOutcome {
    let mut output = String::new();
    let answer = ask(descriptor, input, &mut output);
    let (verdict, plan, problem) = match answer {
        Ok((PASSED, text)) => match plan(descriptor, &text) {
            Ok(plan) => (Verdict::Pass, plan, None),
            Err(error) => (Verdict::Error(-1), BuildPlan::default(), Some(error)),
        },
        Ok((FAILED, _)) => (Verdict::Fail, BuildPlan::default(), None),
        Ok((code, _)) => (Verdict::Error(code), BuildPlan::default(), None),
        Err(error) => (Verdict::Error(-1), BuildPlan::default(), Some(error)),
    };
    let problem = problem.map(|error| std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": "));
    DetectOutcome { verdict, plan, output, problem }
}

/// Runs the program; returns its exit code and what it wrote as its plan.
fn ask(descriptor: &Descriptor, input: &DetectInput, output: &mut String) -> Result<(i32, String)> {
    let path = descriptor.root.join("bin/detect");
    if descriptor.kind == Kind::Extension && !path.exists() {
        let ready_made = descriptor.root.join("detect/plan.toml");
        let text = if ready_made.exists() {
            read_document(&ready_made).context(|| format!("cannot read `{}`", ready_made.display()))?
        } else {
            String::new()
        };
        return Ok((PASSED, text));
    }
    let plan = tempfile::Builder::new().prefix("plan.").suffix(".toml").tempfile().context(|| "cannot make a file for the build plan")?;
    let mut environment = seen(descriptor, input.environment, input.platform, input.build_config)?;
    let folder = if descriptor.kind == Kind::Buildpack { "CNB_BUILDPACK_DIR" } else { "CNB_EXTENSION_DIR" };
    environment.set(folder, &descriptor.root);
    if descriptor.api >= Api::new(0, 8) {
        environment.set("CNB_PLATFORM_DIR", input.platform);
        environment.set("CNB_BUILD_PLAN_PATH", plan.path());
    }
    add_target(&mut environment, descriptor.api, input.target, input.exec_env);
    let arguments: Vec<OsString> = vec![input.platform.into(), plan.path().into()];
    let program = Program { path: &path, arguments, environment: pairs(&environment), directory: input.app, user: None };
    let status = program.run(&mut |line| {
        if output.len() < MOST_OUTPUT {
            output.push_str(line);
            output.push('\n');
        }
    })?;
    let text = read_document(plan.path()).context(|| "cannot read the build plan")?;
    Ok((status.code().unwrap_or(-1), text))
}

fn plan(descriptor: &Descriptor, text: &str) -> Result<BuildPlan> {
    let plan = BuildPlan::parse(text)?;
    if descriptor.kind == Kind::Extension && plan.has_requires() {
        return Err(Error::new("an extension must not require anything"));
    }
    Ok(plan)
}

/// What a program of the buildpack sees: the lifecycle's environment, the user's variables unless they are kept from it, the operator's
/// (ENV-13 to ENV-18).
pub(super) fn seen(descriptor: &Descriptor, own: &Environment, platform: &Path, build_config: &Path) -> Result<Environment> {
    let mut environment = if descriptor.clear_env { own.clone() } else { own.with_platform(&platform.join("env"))? };
    environment.add_files(&build_config.join("env"), Plain::Default)?;
    Ok(environment)
}

pub(super) fn add_target(environment: &mut Environment, api: Api, target: &Target, exec_env: &str) {
    if api >= Api::new(0, 10) {
        target.variables().into_iter().for_each(|(name, value)| environment.set(name, value));
    }
    if api >= Api::new(0, 12) {
        environment.set("CNB_EXEC_ENV", exec_env);
    }
}

pub(super) fn pairs(environment: &Environment) -> Vec<(OsString, OsString)> {
    environment.variables().map(|(name, value)| (name.to_os_string(), value.to_os_string())).collect()
}
