//! Tests of a buildpack or an image extension: each builds a small app with it, and what was made is compared with what its author expects. Start
//! with [`run`]. A test is a folder with a `test.toml` ([`Case`]); everything that it does, this very program does as it does for users.

mod case;
mod check;
mod made;
mod program;

pub use case::{Case, find};

use crate::buildpack::Kind;
use crate::error::{Context, Result};
use check::{compare, differences};
use made::Made;
use program::Cooper;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What was made, as it was when its author last looked at it.
const SNAPSHOT: &str = "expected.toml";

/// What is tested, and with what.
pub struct Suite {
    /// The folder of the buildpack or extension.
    pub folder: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// The builder, where a test names none.
    pub builder: Option<String>,
    /// Options of every command.
    pub options: Vec<String>,
    /// The folder of the store.
    pub store: PathBuf,
    /// A folder for what tests leave behind until they end.
    pub scratch: PathBuf,
    /// Whether snapshots are written instead of compared.
    pub update: bool,
}

/// How a test ended.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The test's name: that of its folder.
    pub name: String,
    /// Whether all is as expected.
    pub passed: bool,
    /// What is not.
    pub findings: Vec<String>,
    /// Whether its snapshot was written.
    pub updated: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What the last build said.
    pub output: String,
}

/// Runs a test.
///
/// # Errors
/// When it cannot be run at all. That something is not as expected is in the outcome.
pub fn run(case: &Case, suite: &Suite) -> Result<Outcome> {
    let started = Instant::now();
    let scratch = suite.scratch.join(&case.name);
    fs::create_dir_all(&scratch).context(|| format!("cannot make `{}`", scratch.display()))?;
    let cooper = Cooper { options: &suite.options, image: format!("buildpack-test/{}", image_name(&case.name)), store: &suite.store };
    let mut outcome =
        Outcome { name: case.name.clone(), passed: false, findings: Vec::new(), updated: false, seconds: 0.0, output: String::new() };
    let result = test(case, suite, &cooper, &scratch, &mut outcome);
    cooper.remove_image()?;
    result.context(|| format!("cannot run the test `{}`", case.name))?;
    outcome.passed = outcome.findings.is_empty();
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}

fn test(case: &Case, suite: &Suite, cooper: &Cooper, scratch: &Path, outcome: &mut Outcome) -> Result<()> {
    let documents = scratch.join("documents");
    let built = cooper.build(&case.build_arguments(suite, scratch)?, &documents)?;
    let found = &mut outcome.findings;
    case.expect.check_output(&built.said, found)?;
    let wanted = case.expect.exit_code();
    outcome.output.clone_from(&built.said);
    if built.code != wanted {
        found.push(format!("the build ended with {}, not with {wanted}", built.code));
    }
    if built.code != 0 {
        return Ok(());
    }
    let made = Made::read(&documents)?;
    found.extend(compare(&case.expect, &made));
    snapshot(case, suite, &made, outcome)?;
    if let Some(again) = &case.again {
        let built = cooper.build_again(&case.build_arguments(suite, scratch)?)?;
        let found = &mut outcome.findings;
        again.check_output(&built.said, found)?;
        if built.code != again.exit_code() {
            found.push(format!("the second build ended with {}, not with {}", built.code, again.exit_code()));
        }
        outcome.output = built.said;
    }
    outcome.findings.extend(cooper.files(&case.expect.files)?);
    for run in &case.run {
        outcome.findings.extend(run.check(cooper)?);
    }
    for request in &case.http {
        outcome.findings.extend(request.check(cooper)?);
    }
    Ok(())
}

/// Writes the snapshot, or compares with it where there is one.
fn snapshot(case: &Case, suite: &Suite, made: &Made, outcome: &mut Outcome) -> Result<()> {
    let path = case.folder.join(SNAPSHOT);
    let describe = || format!("cannot use the snapshot `{}`", path.display());
    let now = made.to_toml()?;
    if suite.update {
        outcome.updated = fs::read_to_string(&path).ok().as_ref() != Some(&now);
        return if outcome.updated { fs::write(&path, &now).context(describe) } else { Ok(()) };
    }
    if path.is_file() {
        let before = fs::read_to_string(&path).context(describe)?;
        let different = differences(&before, &now).context(describe)?;
        outcome.findings.extend(different.into_iter().map(|line| format!("{SNAPSHOT}: {line}")));
    }
    Ok(())
}

/// A test's name as part of an image's name.
fn image_name(name: &str) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    format!("{}-{}", name.chars().map(letter).collect::<String>().trim_matches('-'), std::process::id())
}
