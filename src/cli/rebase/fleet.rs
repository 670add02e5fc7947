//! `cooper rebase --all` and `--list`: many images.

use super::changes::count;
use super::{Arguments, DUE, Format, Session};
use crate::error::{Context, Error, Result};
use crate::image::Reference;
use crate::output::{Colour, Convention, Output, Settings, Verbosity};
use crate::platform::images::Images;
use crate::platform::place::Place;
use crate::platform::rebase::fleet::{Fleet, Row, State, names, rebase_all};
use crate::platform::rebase::{Request, WENT_WRONG};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;

/// Which images.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Rebase every app image of a registry whose name begins with IMAGE; without IMAGE, of the store.
    #[arg(help_heading = "Many images", long, conflicts_with_all = ["list", "tag", "previous_image", "report_output_dir"])]
    all: bool,
    /// Rebase the images that a file names, one on each line; `-` is standard input.
    #[arg(help_heading = "Many images", long, value_name = "FILE", conflicts_with_all = ["image", "tag", "previous_image", "report_output_dir"])]
    list: Option<PathBuf>,
    /// Only images with a label of this value; repeatable.
    #[arg(help_heading = "Many images", long, value_name = "LABEL=VALUE")]
    selector: Vec<String>,
    /// Stop after this many that are rebased (with `--check`: that are due).
    #[arg(help_heading = "Many images", long, value_name = "NUMBER")]
    first: Option<usize>,
    /// How many at once.
    #[arg(help_heading = "Many images", long, value_name = "NUMBER", default_value_t = 8)]
    at_once: usize,
    /// How many in a second at most.
    #[arg(help_heading = "Many images", long, value_name = "NUMBER")]
    rate: Option<u32>,
}

impl Options {
    pub(super) fn is_wanted(&self) -> bool {
        self.all || self.list.is_some()
    }
}

impl Arguments {
    pub(super) fn run_fleet(&self, request: &Request, images: &Images, session: &Session) -> Result<u8> {
        let options = &self.fleet;
        let selector = |text: &String| match text.split_once('=') {
            Some((label, value)) => Ok((label.to_string(), value.to_string())),
            None => Err(Error::new(format!("`{text}` is no selector")).hint("write `--selector LABEL=VALUE`")),
        };
        let fleet = Fleet {
            request: request.clone(),
            selectors: options.selector.iter().map(selector).collect::<Result<_>>()?,
            only_apps: options.all,
            at_once: options.at_once,
            rate: options.rate,
            first: options.first,
        };
        // What many images at once say would be mixed up: each has its line.
        let settings = Settings { verbosity: Verbosity::Quiet, colour: Colour::Never, timestamps: false, convention: Convention::Command };
        let quiet = Output::new(settings);
        let output = if session.output.verbosity() == Verbosity::Verbose { session.output } else { &quiet };
        let images = Images { output, ..*images };
        let report = |row: &Row| self.report(row, session);
        let counts = match &options.list {
            Some(file) => rebase_all(&fleet, self.listed(file)?, &images, report)?,
            None => {
                let within = self.image.as_deref().map(Reference::parse).transpose()?;
                rebase_all(&fleet, names(within.as_ref(), &images)?, &images, report)?
            }
        };
        let of = |state: State| counts.iter().find(|(of, _)| *of == state).map_or(0, |(_, count)| *count);
        let all = counts.iter().map(|(_, count)| count).sum();
        let parts: Vec<String> = counts.iter().map(|(state, count)| format!("{count} {}", word(*state))).collect();
        session.output.line(&format!("{}: {}", count(all, "image"), parts.join(", ")));
        Ok(match (of(State::Failed) + of(State::Refused), of(State::Due)) {
            (1.., _) => WENT_WRONG,
            (_, 1..) => DUE,
            _ => 0,
        })
    }

    /// The names in a file, read as they are wanted.
    fn listed(&self, file: &PathBuf) -> Result<impl Iterator<Item = Result<Place>> + Send> {
        let describe = || format!("cannot read the list `{}`", file.display());
        let input: Box<dyn Read + Send> =
            if file.as_os_str() == "-" { Box::new(std::io::stdin()) } else { Box::new(File::open(file).context(describe)?) };
        let name = move |line: std::io::Result<String>| match line.context(describe) {
            Ok(line) if line.trim().is_empty() || line.starts_with('#') => None,
            Ok(line) => Some(self.new_place(line.trim())),
            Err(error) => Some(Err(error)),
        };
        Ok(BufReader::new(input).lines().filter_map(name))
    }

    fn report(&self, row: &Row, session: &Session) {
        if let Format::Json = self.output {
            // Nobody reads on; the images are rebased nonetheless.
            drop(serde_json::to_string(row).map(|line| session.print(&line)));
            return;
        }
        let packages = if row.packages > 0 { format!(", {}", count(row.packages, "package")) } else { String::new() };
        let cves = if row.cves.is_empty() { String::new() } else { format!(", {}", count(row.cves.len(), "CVE number")) };
        let line = format!("{} {}{packages}{cves}", word(row.state), row.image);
        match &row.error {
            Some(error) => session.output.warn(&format!("{line}: {error}")),
            None if [State::Current, State::Skipped].contains(&row.state) => session.output.detail(&line),
            None => session.output.line(&line),
        }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Rebased => "rebased",
        State::Current => "up to date",
        State::Due => "due",
        State::Skipped => "skipped",
        State::Refused => "refused",
        State::Failed => "failed",
    }
}
