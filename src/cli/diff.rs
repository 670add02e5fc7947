//! `cooper diff`: what differs between two images.

use super::registries::Reach;
use super::{Format, Session};
use crate::error::Result;
use crate::image::Platform;
use crate::output::human_bytes;
use crate::platform::diff::{Difference, FileChange, FileState, Kind, LayerOfOne, PackageChange, ValueChange, diff};
use crate::platform::place::Place;
use crate::platform::pull::Pull;
use serde_json::Value;
use std::collections::BTreeSet;

/// Exit code where the images differ and somebody asked for it.
const DIFFERENT: u8 = 10;
/// More lines of one kind are only counted.
const MOST_LINES: usize = 50;
/// Longer values are cut.
const MOST_CHARACTERS: usize = 60;

/// Say what differs between two images: layers, packages, settings, labels, files and sizes.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cooper diff my-app:1 my-app:2\n  cooper diff docker://registry.example/team/my-app my-app --output json\n  \
                        cooper diff oci:before oci:after --exit-code"
)]
pub struct Arguments {
    /// The first image: NAME, in the store or else in its registry, `docker://NAME` (a registry), `oci:DIR[:TAG]`, `docker-archive:FILE[:NAME]` or
    /// `docker:NAME` (an engine).
    from: String,
    /// The second one, in the same way.
    to: String,
    /// Of images for several platforms, those for this platform, as `linux/arm64`.
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Write every line, however many there are.
    #[arg(long)]
    full: bool,
    /// End with 10 where the images differ.
    #[arg(long)]
    exit_code: bool,
    /// How to write it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    registries: Reach,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let everywhere = self.registries.everywhere(session)?;
        let platform = self.platform.clone().unwrap_or_else(Platform::here);
        let images = everywhere.images(Pull::Never, &platform);
        let difference = diff(&Place::parse(&self.from)?, &Place::parse(&self.to)?, &images)?;
        match self.output {
            Format::Json => session.print_json(&difference)?,
            Format::Text => session.print(&text(&difference, if self.full { usize::MAX } else { MOST_LINES }))?,
        }
        Ok(if self.exit_code && difference.is_any() { DIFFERENT } else { 0 })
    }
}

fn text(difference: &Difference, most: usize) -> String {
    let Difference { from, to, layers, config, packages, files } = difference;
    if !difference.is_any() {
        return format!("both are {}", from.digest);
    }
    let mut text = format!("- {}  {}\n+ {}  {}\n", from.image, from.digest, to.image, to.digest);
    if from.platform != to.platform {
        text.push_str(&format!("platform  {} -> {}\n", from.platform, to.platform));
    }
    text.push_str(&format!("size      {}\n", sizes(from.size, to.size)));
    let of_layers =
        layers.removed.iter().map(|layer| line_of_layer('-', layer)).chain(layers.added.iter().map(|layer| line_of_layer('+', layer)));
    let shared = format!("layers, {} in both", layers.shared);
    section(&shared, of_layers.collect(), most, &mut text);
    section("packages", packages.iter().map(line_of_package).collect(), most, &mut text);
    section("settings and labels", config.iter().map(line_of_value).collect(), most, &mut text);
    section("files", files.iter().map(line_of_file).collect(), most, &mut text);
    if config.is_empty() && files.is_empty() {
        text.push_str("\nonly how they are packed differs\n");
    }
    text.truncate(text.trim_end().len());
    text
}

fn section(title: &str, lines: Vec<String>, most: usize, text: &mut String) {
    if lines.is_empty() {
        return;
    }
    text.push_str(&format!("\n{title}\n"));
    let more = lines.len().saturating_sub(most);
    lines.iter().take(most).for_each(|line| text.push_str(&format!("  {line}\n")));
    if more > 0 {
        text.push_str(&format!("  … {more} more, which `--full` shows\n"));
    }
}

fn line_of_layer(sign: char, layer: &LayerOfOne) -> String {
    let LayerOfOne { index, diff_id, size, created_by } = layer;
    format!("{sign} {index:>2}  {}  {:>10}  {created_by}", &diff_id.hex()[..12], human_bytes(*size)).trim_end().to_string()
}

fn line_of_package(change: &PackageChange) -> String {
    let PackageChange { name, kind, from, to } = change;
    let versions = |of: &BTreeSet<String>| of.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let kind = if kind.is_empty() { String::new() } else { format!("  ({kind})") };
    match (from.is_empty(), to.is_empty()) {
        (true, _) => format!("+ {name} {}{kind}", versions(to)),
        (_, true) => format!("- {name} {}{kind}", versions(from)),
        (false, false) => format!("~ {name} {} -> {}{kind}", versions(from), versions(to)),
    }
}

fn line_of_value(change: &ValueChange) -> String {
    let ValueChange { path, from, to } = change;
    match (from, to) {
        (None, None) => path.clone(),
        (None, Some(to)) => format!("+ {path}: {}", short(to)),
        (Some(from), None) => format!("- {path}: {}", short(from)),
        (Some(from), Some(to)) => format!("~ {path}: {} -> {}", short(from), short(to)),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MOST_CHARACTERS { text } else { text.chars().take(MOST_CHARACTERS).chain(['…']).collect() }
}

fn line_of_file(change: &FileChange) -> String {
    let path = change.path.clone();
    match (&change.from, &change.to) {
        (None, None) => path,
        (None, Some(to)) => format!("+ {path}{}", of_one(to)),
        (Some(from), None) => format!("- {path}{}", of_one(from)),
        (Some(from), Some(to)) => {
            let field = |field: &&'static str| of_both(field, from, to);
            format!("~ {path}  {}", change.fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
    }
}

fn of_one(file: &FileState) -> String {
    match (file.kind, &file.target) {
        (Kind::File, _) => format!("  {}", human_bytes(file.size)),
        (Kind::Symlink, Some(target)) => format!(" -> {}", target),
        (Kind::Folder, _) => "/".into(),
        (Kind::Symlink, None) | (Kind::Device, _) | (Kind::Fifo, _) => format!("  {:?}", file.kind).to_lowercase(),
    }
}

fn of_both(field: &str, from: &FileState, to: &FileState) -> String {
    let pair = |a: &str, b: &str| format!("{field} {a} -> {b}");
    match field {
        "content" if from.size == to.size => field.into(),
        "content" => sizes(from.size, to.size),
        "kind" => pair(&format!("{:?}", from.kind).to_lowercase(), &format!("{:?}", to.kind).to_lowercase()),
        "mode" => pair(&from.mode, &to.mode),
        "owner" => pair(&from.owner, &to.owner),
        "time" => pair(&from.time.to_string(), &to.time.to_string()),
        "target" => pair(from.target.as_deref().unwrap_or_default(), to.target.as_deref().unwrap_or_default()),
        other => other.into(),
    }
}

fn sizes(from: u64, to: u64) -> String {
    let sign = if to < from { '-' } else { '+' };
    format!("{} -> {} ({sign}{})", human_bytes(from), human_bytes(to), human_bytes(from.abs_diff(to)))
}
