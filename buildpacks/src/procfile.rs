//! The buildpack `cooper/procfile`: each line `NAME: COMMAND` of a Procfile becomes a process.

use libcnb::build::{BuildContext, BuildResult, BuildResultBuilder};
use libcnb::data::launch::{LaunchBuilder, ProcessBuilder, ProcessType};
use libcnb::detect::{DetectContext, DetectResult, DetectResultBuilder};
use libcnb::generic::{GenericMetadata, GenericPlatform};
use libcnb::{Buildpack, Error};
use std::process::exit;

/// The buildpack.
pub struct Procfile;

/// What can go wrong.
#[derive(Debug)]
pub enum Problem {
    /// The file cannot be read.
    Read(std::io::Error),
    /// A line is no process.
    Line(usize, String),
}

impl Buildpack for Procfile {
    type Platform = GenericPlatform;
    type Metadata = GenericMetadata;
    type Error = Problem;

    fn detect(&self, context: DetectContext<Self>) -> libcnb::Result<DetectResult, Problem> {
        if context.app_dir.join("Procfile").is_file() {
            return DetectResultBuilder::pass().build();
        }
        println!("looked for a Procfile");
        DetectResultBuilder::fail().build()
    }

    fn build(&self, context: BuildContext<Self>) -> libcnb::Result<BuildResult, Problem> {
        let text =
            std::fs::read_to_string(context.app_dir.join("Procfile")).map_err(|error| Error::BuildpackError(Problem::Read(error)))?;
        let mut launch = LaunchBuilder::new();
        for (kind, command) in processes(&text).map_err(Error::BuildpackError)? {
            println!("{kind}: {command}");
            let is_default = kind.as_str() == "web";
            launch.process(ProcessBuilder::new(kind, ["bash", "-c"]).arg(command).default(is_default).build());
        }
        BuildResultBuilder::new().launch(launch.build()).build()
    }

    fn on_error(&self, error: Error<Problem>) {
        match error {
            Error::BuildpackError(Problem::Read(error)) => eprintln!("cannot read the Procfile: {error}"),
            Error::BuildpackError(Problem::Line(number, line)) => eprintln!("line {number} of the Procfile is not NAME: COMMAND: {line}"),
            other => eprintln!("{other}"),
        }
        exit(1);
    }
}

fn processes(text: &str) -> Result<Vec<(ProcessType, String)>, Problem> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let parts = line.split_once(':').map(|(kind, command)| (kind.trim().parse::<ProcessType>(), command.trim().to_string()));
        match parts {
            Some((Ok(kind), command)) if !command.is_empty() => found.push((kind, command)),
            _ => return Err(Problem::Line(number + 1, line.to_string())),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_processes() {
        let found = processes("# comment\nweb: gunicorn app:app --bind 0.0.0.0:$PORT\n\nworker : python w.py\n").unwrap();
        let found: Vec<_> = found.iter().map(|(kind, command)| format!("{kind}={command}")).collect();
        assert_eq!(found, ["web=gunicorn app:app --bind 0.0.0.0:$PORT", "worker=python w.py"]);
        for bad in ["web", "web:", "a b: c", ": x"] {
            assert!(matches!(processes(bad), Err(Problem::Line(1, _))), "{bad}");
        }
    }
}
