//! `cooper buildpack test`: builds small apps with a buildpack, and says what is not as its author expects.

use super::super::{Format, Session};
use crate::error::{Context, Result};
use crate::output::Verbosity;
use crate::platform::buildpack_test::{Outcome, Suite, find, run};
use crate::platform::buildpackage::Kind;
use std::path::PathBuf;

/// Build small apps with one, and compare what is made with what is expected. Ends with 1 where something is not.
///
/// Each test is a folder below `tests` with a `test.toml`, which says what is expected, and the app in `app`. `--update` writes all that was made into
/// `expected.toml`; a test that has one is compared with it too.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of what is tested.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Folder with the tests [default: `tests` in the folder].
    #[arg(long, value_name = "DIR")]
    tests: Option<PathBuf>,
    /// Test to run; repeatable [default: all].
    #[arg(long = "test", short = 't', value_name = "NAME", value_delimiter = ',')]
    names: Vec<String>,
    /// Builder of the tests that name none.
    #[arg(long, short = 'B')]
    builder: Option<String>,
    /// Write what was made into each test's `expected.toml`.
    #[arg(long)]
    update: bool,
    /// How to write the result.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
}

impl Arguments {
    pub(super) fn run(self, kind: Kind, session: &Session) -> Result<u8> {
        let cases = find(&self.tests.clone().unwrap_or_else(|| self.folder.join("tests")), &self.names)?;
        let store = session.store()?;
        let scratch = store.scratch()?;
        let options = ["--no-color", "--store"].map(String::from).into_iter().chain([session.folder.display().to_string()]);
        let suite = Suite {
            folder: self.folder.canonicalize().context(|| format!("there is no folder `{}`", self.folder.display()))?,
            kind,
            builder: self.builder,
            options: options.chain(session.offline.then(|| "--offline".to_string())).collect(),
            store: session.folder.clone(),
            scratch: scratch.path().to_path_buf(),
            update: self.update,
        };
        let mut outcomes = Vec::new();
        for case in &cases {
            let outcome = run(case, &suite)?;
            if session.output.verbosity() == Verbosity::Verbose {
                outcome.output.lines().for_each(|line| session.output.program_line(&case.name, line));
            }
            if matches!(self.output, Format::Text) {
                session.print(&text(&outcome))?;
            }
            outcomes.push(outcome);
        }
        let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
        match self.output {
            Format::Json => session.print_json(&outcomes)?,
            Format::Text => session.print(&format!("{} passed, {failed} failed", outcomes.len() - failed))?,
        }
        Ok(u8::from(failed > 0))
    }
}

fn text(outcome: &Outcome) -> String {
    let verdict = if outcome.passed { "passed" } else { "FAILED" };
    let updated = if outcome.updated { "  (wrote expected.toml)" } else { "" };
    let mut text = format!("{verdict}  {}  {:.1} s{updated}\n", outcome.name, outcome.seconds);
    outcome.findings.iter().for_each(|finding| text.push_str(&format!("        {finding}\n")));
    if !outcome.passed {
        text.push_str("        the last lines of the build:\n");
        let lines: Vec<&str> = outcome.output.lines().collect();
        lines[lines.len().saturating_sub(10)..].iter().for_each(|line| text.push_str(&format!("          {line}\n")));
    }
    text
}
