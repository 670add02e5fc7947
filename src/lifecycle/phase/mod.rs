//! The phases as programs: each reads flags, environment and files, calls its function, and writes files. This program is a phase when it
//! is started under the phase's name, or as `lifecycle` with a verb. Start with [`run`].

mod analyzer;
mod builder;
mod caches;
mod creator;
mod detector;
mod exporter;
mod extender;
mod flags;
mod images;
mod inputs;
mod privileges;
mod rebaser;
mod registries;
mod restorer;
mod run_image;
mod sboms;

use super::log::{Level, timed};
use crate::error::{Advice, Context, Error, Result};
use crate::output::{Colour, Convention, Output, Settings, Verbosity};
use inputs::Inputs;
use launcher::api::{Api, PLATFORM};
use launcher::file::read_document;
use std::ffi::OsString;
use std::path::Path;

/// Exit codes that all phases share (EXIT-01).
const BAD_ARGUMENT: u8 = 3;
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

/// A phase as a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Analyzer,
    Detector,
    Restorer,
    Extender,
    Builder,
    Exporter,
    Creator,
    Rebaser,
}

/// Each program, its name, and what it does in one word, which is also its verb behind `lifecycle` (API-15, API-16).
const PROGRAMS: [(Program, &str, &str); 8] = [
    (Program::Analyzer, "analyzer", "analyze"),
    (Program::Detector, "detector", "detect"),
    (Program::Restorer, "restorer", "restore"),
    (Program::Extender, "extender", "extend"),
    (Program::Builder, "builder", "build"),
    (Program::Exporter, "exporter", "export"),
    (Program::Creator, "creator", "create"),
    (Program::Rebaser, "rebaser", "rebase"),
];

impl Program {
    fn name(self) -> &'static str {
        PROGRAMS.iter().find(|(program, _, _)| *program == self).map_or("", |(_, name, _)| name)
    }

    fn verb(self) -> &'static str {
        PROGRAMS.iter().find(|(program, _, _)| *program == self).map_or("", |(_, _, verb)| verb)
    }
}

/// Runs the phase that this program was started as and returns its exit code; nothing where the name is no phase's.
pub fn run(start: &Start) -> Option<u8> {
    let name = Path::new(&start.program).file_stem()?.to_str()?;
    let own = PROGRAMS.iter().find(|(_, known, _)| *known == name).map(|(program, _, _)| *program);
    if own.is_none() && name != "lifecycle" {
        return None;
    }
    let plain = Output::new(Settings { convention: Convention::Phase, ..Settings::default() });
    let result = platform_api(start).and_then(|api| match own {
        Some(program) => run_program(program, name, api, start, &start.arguments),
        None => run_verb(api, start),
    });
    Some(result.unwrap_or_else(|error| {
        plain.error(&error);
        error.exit_code()
    }))
}

/// API-16.
fn run_verb(api: Api, start: &Start) -> Result<u8> {
    let verb = start.arguments.first().and_then(|verb| verb.to_str()).unwrap_or_default();
    if ["-version", "--version"].contains(&verb) {
        return print(&version());
    }
    match PROGRAMS.iter().find(|(_, _, known)| *known == verb) {
        Some((program, _, _)) => run_program(*program, verb, api, start, &start.arguments[1..]),
        None if verb.is_empty() => Err(Error::new("failed to parse arguments")).code(BAD_ARGUMENT),
        None => Err(Error::new(format!("failed to recognize phase: {verb}"))
            .code(BAD_ARGUMENT)
            .hint(format!("one of {}", PROGRAMS.map(|(_, _, verb)| verb).join(", ")))),
    }
}

/// Runs a program that is `called` by its own name or by its verb.
fn run_program(program: Program, called: &str, api: Api, start: &Start, arguments: &[OsString]) -> Result<u8> {
    let inputs = Inputs::read(program, api, arguments, &start.environment)?;
    if inputs.wants_help() {
        return print(&flags::usage(program, api));
    }
    if inputs.is_on("version") {
        return print(&version());
    }
    let settings = Settings {
        verbosity: verbosity(&inputs)?,
        colour: if inputs.is_on("no-color") { Colour::Never } else { Colour::Always },
        timestamps: false,
        convention: Convention::Phase,
    };
    let output = Output::new(settings);
    let phase = Phase { output: &output, environment: &start.environment };
    output.detail(&format!("Starting {called}...\nParsing inputs..."));
    let function: fn(&Inputs, &Phase) -> Result<()> = match program {
        Program::Analyzer => analyzer::run,
        Program::Detector => detector::run,
        Program::Restorer => restorer::run,
        Program::Builder => builder::run,
        Program::Exporter => exporter::run,
        Program::Creator => creator::run,
        Program::Rebaser => rebaser::run,
        Program::Extender => extender::run,
    };
    let Err(error) = function(&inputs, &phase) else { return Ok(0) };
    let code = error.exit_code();
    output.error(&failed_to(program.verb(), error));
    Ok(code)
}

fn print(text: &str) -> Result<u8> {
    let output = Output::new(Settings { convention: Convention::Phase, ..Settings::default() });
    output.data(text).context(|| "cannot write to standard output")?;
    Ok(0)
}

/// API-17.
fn version() -> String {
    concat!(env!("CARGO_PKG_VERSION"), "+cooperage").to_string()
}

/// IN-36.
fn verbosity(inputs: &Inputs) -> Result<Verbosity> {
    match inputs.text("log-level").map(|level| level.to_ascii_lowercase()).as_deref() {
        None | Some("info") => Ok(Verbosity::Normal),
        Some("debug") => Ok(Verbosity::Verbose),
        Some("warn" | "warning") => Ok(Verbosity::Warnings),
        Some("error" | "fatal") => Ok(Verbosity::Quiet),
        Some(other) => Err(Error::new(format!("failed to parse log level: not a valid level: \"{other}\""))),
    }
}

/// What every phase works with.
struct Phase<'a> {
    output: &'a Output,
    environment: &'a [(OsString, OsString)],
}

impl Phase<'_> {
    fn log(&self, level: Level, line: &str) {
        match level {
            Level::Debug => self.output.detail(line),
            Level::Info => self.output.line(line),
            Level::Warning => self.output.warn(line),
        }
    }

    /// Makes sure that the phase runs as whom it should, before it does its work (EXIT-15).
    fn ensure_privileges(&self, ensure: impl FnOnce() -> Result<()>) -> Result<()> {
        self.output.detail("Ensuring privileges...");
        ensure()?;
        self.output.detail("Executing command...");
        Ok(())
    }

    /// Does a piece of work and tells how long it took (EXIT-15).
    fn timed<T>(&self, name: &str, work: impl FnOnce() -> T) -> T {
        timed(name, self.output, work)
    }

    /// Refuses a feature that the platform must have asked for (API-11, API-12, API-14).
    fn allow_experimental(&self, inputs: &Inputs, feature: &str) -> Result<()> {
        match inputs.environment_text("CNB_EXPERIMENTAL_MODE").as_deref() {
            None | Some("error") => {
                self.output.error(&Error::new(format!("Platform requested experimental feature '{feature}'")));
                Err(Error::new("experimental features are disabled by CNB_EXPERIMENTAL_MODE=error")
                    .hint(format!("set CNB_EXPERIMENTAL_MODE=warn to use `{feature}`")))
            }
            Some("quiet" | "silent") => Ok(()),
            Some(_) => {
                self.output.warn(&format!("Platform requested experimental feature '{feature}'"));
                Ok(())
            }
        }
    }
}

/// API-05, API-06.
fn platform_api(start: &Start) -> Result<Api> {
    let value = start.environment.iter().find(|(name, value)| name == "CNB_PLATFORM_API" && !value.is_empty());
    let Some(text) = value.map(|(_, value)| value.to_string_lossy().trim().to_string()).filter(|text| !text.is_empty()) else {
        return Err(Error::new(
            "failed to get platform API version; please set 'CNB_PLATFORM_API' to specify the desired platform API version",
        ))
        .code(INCOMPATIBLE_PLATFORM);
    };
    let api = Api::parse(&text).context(|| format!("failed to parse platform API '{text}'")).code(INCOMPATIBLE_PLATFORM)?;
    if PLATFORM.contains(&api) {
        Ok(api)
    } else {
        Err(Error::new(format!("failed to set platform API: platform API version '{text}' is incompatible with the lifecycle")))
            .code(INCOMPATIBLE_PLATFORM)
    }
}

/// EXIT-12: an error says first what was tried; one that says so already stays as it is.
fn failed_to(verb: &str, error: Error) -> Error {
    if error.to_string().starts_with("failed to ") {
        return error;
    }
    let code = error.exit_code();
    Error::from_cause(format!("failed to {verb}"), error).code(code)
}

fn read(path: &Path, what: &str) -> Result<String> {
    read_document(path).context(|| format!("cannot read `{}`", path.display())).context(|| format!("failed to read {what} file"))
}

/// A folder to work in: where temporary ones are, or, in an image that has no place for them, beside the layers.
fn scratch(inputs: &Inputs) -> Result<tempfile::TempDir> {
    let usual = tempfile::tempdir().context(|| "cannot make a folder to work in");
    usual.or_else(|error| tempfile::tempdir_in(inputs.path("layers")).or(Err(error)))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let describe = || format!("cannot write `{}`", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).context(describe)?;
    }
    std::fs::write(path, text).context(describe)
}
