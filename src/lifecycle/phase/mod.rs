//! The phases as programs: each reads flags, environment and files, calls its function, and writes files. This program is a phase when it
//! is started under the phase's name. Start with [`run`].

mod builder;
mod detector;
mod inputs;

use super::log::Level;
use crate::error::{Advice, Context, Error, Result};
use crate::output::Output;
use inputs::Inputs;
use launcher::api::{Api, PLATFORM};
use std::ffi::OsString;
use std::path::Path;

/// Exit codes that all phases share (EXIT-01).
const INCOMPATIBLE_PLATFORM: u8 = 11;

/// What a phase was started with.
pub struct Start {
    /// The name that it was started under.
    pub program: OsString,
    /// What came after it.
    pub arguments: Vec<OsString>,
    /// Its environment.
    pub environment: Vec<(OsString, OsString)>,
}

/// Runs the phase that this program was started as and returns its exit code; nothing where the name is no phase's (API-15).
pub fn run(start: &Start, output: &Output) -> Option<u8> {
    let name = Path::new(&start.program).file_stem()?.to_str()?.to_string();
    let function: fn(&Inputs, &Phase) -> Result<()> = match name.as_str() {
        "detector" => detector::run,
        "builder" => builder::run,
        "analyzer" | "restorer" | "extender" | "exporter" | "creator" | "rebaser" | "lifecycle" => {
            let error = Error::new(format!("this version does not offer the phase `{name}` as a program of its own"))
                .hint("use `cooper build`, which runs all phases");
            return Some(report(&error, &name, output));
        }
        _ => return None,
    };
    let result = check_platform_api(start).and_then(|()| {
        let inputs = Inputs::read(&start.arguments, &start.environment)?;
        let phase = Phase { output, least: inputs.log_level()?, environment: &start.environment };
        function(&inputs, &phase)
    });
    Some(result.map_or_else(|error| report(&error, &name, output), |()| 0))
}

/// What every phase works with.
struct Phase<'a> {
    output: &'a Output,
    least: Level,
    environment: &'a [(OsString, OsString)],
}

impl Phase<'_> {
    /// Phases log to standard output, as the reference does (EXIT-13, EXIT-14).
    fn log(&self, level: Level, line: &str) {
        if level >= self.least {
            let prefix = if level == Level::Warning { "Warning: " } else { "" };
            // A reader that has gone must not stop a build.
            drop(self.output.data(&format!("{prefix}{line}\n")));
        }
    }
}

/// EXIT-12.
fn report(error: &Error, phase: &str, output: &Output) -> u8 {
    let action = match phase {
        "detector" => "detect",
        "builder" => "build",
        other => other,
    };
    let mut text = format!("ERROR: failed to {action}: {error}");
    error.causes().iter().for_each(|cause| text.push_str(&format!(": {cause}")));
    if let Some(hint) = error.nearest_hint() {
        text.push_str(&format!("\n       hint: {hint}"));
    }
    drop(output.data(&format!("{text}\n")));
    error.exit_code()
}

/// API-05, API-06.
fn check_platform_api(start: &Start) -> Result<()> {
    let value = start.environment.iter().find(|(name, value)| name == "CNB_PLATFORM_API" && !value.is_empty());
    let text = value.and_then(|(_, value)| value.to_str()).context(|| "please set 'CNB_PLATFORM_API'").code(INCOMPATIBLE_PLATFORM)?;
    let known = Api::parse(text).is_some_and(|api| PLATFORM.contains(&api));
    if known {
        Ok(())
    } else {
        Err(Error::new(format!("platform API version '{text}' is incompatible with the lifecycle"))).code(INCOMPATIBLE_PLATFORM)
    }
}

fn read(path: &Path, what: &str) -> Result<String> {
    std::fs::read_to_string(path).context(|| format!("failed to read {what} file `{}`", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let describe = || format!("cannot write `{}`", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).context(describe)?;
    }
    std::fs::write(path, text).context(describe)
}
