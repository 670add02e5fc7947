//! `cooper buildpack new`, `validate`, `inspect`, `pull`, `register` and `yank`.

use super::super::making::Getting;
use super::super::{Format, Session};
use crate::error::{Advice, Context, Error, Result};
use crate::image::Reference;
use crate::platform::buildpackage::request::{Requested, entry, entry_of, request};
use crate::platform::buildpackage::skeleton::{Language, Skeleton, write};
use crate::platform::buildpackage::validate::{Finding, Severity, validate};
use crate::platform::buildpackage::{Group, Kind, Locator, Package, Sources, Target, place};
use std::path::{Path, PathBuf};

/// Start a new one: a folder that builds at once.
#[derive(clap::Args)]
#[command(disable_version_flag = true)]
pub struct New {
    /// ID, as NAMESPACE/NAME.
    id: String,
    /// Folder to write [default: the name].
    #[arg(long, short, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Buildpack API [default: 0.12; 0.10 in Rust, which is what libcnb.rs speaks].
    #[arg(long, short)]
    api: Option<String>,
    /// Version.
    #[arg(long = "version", short = 'V', default_value = "1.0.0")]
    new_version: String,
    /// What it works on, as `linux/amd64`; repeatable.
    #[arg(long, short, value_name = "TARGET", value_delimiter = ',')]
    targets: Vec<Target>,
    /// What its programs are written in.
    #[arg(long, short, value_enum, default_value_t)]
    language: Language,
}

/// Say what is wrong with one, each with its place and its rule. Ends with 1 where something does not work.
#[derive(clap::Args)]
pub struct Validate {
    /// Folder, or a package in any form.
    #[arg(default_value = ".")]
    what: String,
    /// How to write it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    getting: Getting,
}

/// Say what a package has.
#[derive(clap::Args)]
pub struct Inspect {
    /// Folder, file, image or ID of a registry.
    what: String,
    /// How many levels of composed buildpacks to show in the order [default: all].
    #[arg(long, short, allow_negative_numbers = true, value_name = "LEVELS")]
    depth: Option<i64>,
    /// How to write it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    getting: Getting,
}

/// Bring a package into the store: from a registry of images or of buildpacks, a file, or a URL.
#[derive(clap::Args)]
pub struct Pull {
    /// Where it is.
    uri: String,
    #[command(flatten)]
    getting: Getting,
}

/// Put a package that is in a registry of images into a buildpack registry.
#[derive(clap::Args)]
pub struct Register {
    /// The image.
    image: String,
    #[command(flatten)]
    getting: Getting,
}

/// Take a version in a buildpack registry back: it is not chosen any more.
#[derive(clap::Args)]
pub struct Yank {
    /// ID and version, as NAMESPACE/NAME@VERSION.
    name: String,
    /// Undo that.
    #[arg(long, short)]
    undo: bool,
    #[command(flatten)]
    getting: Getting,
}

impl New {
    pub(super) fn run(self, kind: Kind, session: &Session) -> Result<u8> {
        let name = self.id.rsplit('/').next().unwrap_or_default();
        let folder = self.path.unwrap_or_else(|| PathBuf::from(name));
        let language = self.language;
        let api = self.api.as_deref().unwrap_or(match language {
            Language::Bash => "0.12",
            Language::Rust => "0.10",
        });
        let skeleton = Skeleton { kind, id: &self.id, version: &self.new_version, api, targets: &self.targets, language };
        for file in write(&skeleton, &folder)? {
            session.output.line(&format!("wrote {}", file.display()));
        }
        let (kind, folder) = (kind.name(), folder.display());
        let next = match language {
            Language::Bash => vec![format!("cooper {kind} test {folder}"), format!("cooper build my-app --{kind} {folder}")],
            Language::Rust => vec![
                format!("{folder}/compile"),
                format!("cooper {kind} test {folder}/buildpack --tests {folder}/tests"),
                format!("cooper build my-app --{kind} {folder}/buildpack"),
            ],
        };
        for (at, command) in next.iter().enumerate() {
            session.output.line(&format!("{:5} {command}", if at == 0 { "next" } else { "" }));
        }
        Ok(0)
    }
}

impl Validate {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let found: Vec<Finding> = if Path::new(&self.what).is_dir() {
            validate(Path::new(&self.what))?
        } else {
            self.getting.with(session, |sources| {
                let package = fetch(&self.what, sources)?;
                let mut found = Vec::new();
                for module in package.modules() {
                    let toml = &module.toml;
                    let tree = sources.images.store.unpacked(&module.layer)?.tree;
                    let folder = place(toml.kind, &toml.info.id, &toml.info.version);
                    let of_module = validate(&tree.join(&folder[1..]))?.into_iter();
                    found.extend(of_module.map(|finding| Finding { file: format!("{folder}/{}", finding.file), ..finding }));
                }
                Ok(found)
            })?
        };
        match self.output {
            Format::Json => session.print_json(&found)?,
            Format::Text if found.is_empty() => session.print("nothing is wrong")?,
            Format::Text => session.print(&text(&found))?,
        }
        Ok(u8::from(found.iter().any(|finding| finding.severity == Severity::Error)))
    }
}

fn text(found: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{}{line}: {severity}: {} [{}]\n", finding.file, finding.message, finding.rule)
    };
    found.iter().map(line).collect()
}

fn fetch(what: &str, sources: &Sources) -> Result<Package> {
    sources.fetch(&Locator::parse(what, &sources.known(Path::new(".")))?)
}

impl Inspect {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let package = self.getting.with(session, |sources| fetch(&self.what, sources))?;
        let infos: Vec<_> = package.modules().map(|module| &module.toml.info).collect();
        match self.output {
            Format::Json => session.print_json(&infos)?,
            Format::Text => {
                let mut text = format!("{}  {}\n", package.main.toml.kind.name(), package.main.toml.full_name());
                for module in package.modules() {
                    let toml = &module.toml;
                    text.push_str(&format!("\n{}  {}\n  API     {}\n", toml.full_name(), toml.info.name, toml.api));
                    let targets: Vec<String> = toml.targets.iter().map(crate::platform::deliver::machine).collect();
                    if !targets.is_empty() {
                        text.push_str(&format!("  for     {}\n", targets.join(", ")));
                    }
                }
                if !package.main.toml.order.is_empty() {
                    text.push_str("\norder\n");
                    let depth = self.depth.and_then(|depth| usize::try_from(depth).ok()).unwrap_or(usize::MAX);
                    order(&package, &package.main.toml.order, depth, 2, &mut text);
                }
                session.print(&text)?;
            }
        }
        Ok(0)
    }
}

/// The groups that a composed buildpack stands for, and below each buildpack its own, as far as `depth` goes.
fn order(package: &Package, groups: &[Group], depth: usize, indent: usize, text: &mut String) {
    // A buildpack that is composed of itself ends too.
    const DEEPEST: usize = 32;
    let Some(depth) = depth.min(DEEPEST).checked_sub(1) else { return };
    for (at, group) in groups.iter().enumerate() {
        text.push_str(&format!("{:indent$}group {}\n", "", at + 1));
        for entry in &group.group {
            let optional = if entry.optional { "  (optional)" } else { "" };
            text.push_str(&format!("{:indent$}  {}@{}{optional}\n", "", entry.id, entry.version));
            if let Some(module) = package.modules().find(|module| module.is(Kind::Buildpack, &entry.id, &entry.version)) {
                order(package, &module.toml.order, depth, indent + 4, text);
            }
        }
    }
}

impl Pull {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let package = self.getting.with(session, |sources| fetch(&self.uri, sources))?;
        session.output.line(&format!("the store has the {} {}", package.main.toml.kind.name(), package.main.toml.full_name()));
        Ok(0)
    }
}

impl Register {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let image = Reference::parse(&self.image)?;
        self.getting.with(session, |sources| {
            let entry = entry_of(&image, sources.images)?;
            told(&request(sources.registry, &entry, sources.images)?, sources.registry, session)
        })?;
        Ok(0)
    }
}

impl Yank {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        let named = self.name.split_once('@').context(|| format!("`{}` names no version", self.name));
        let (id, version) = named.hint("write NAMESPACE/NAME@VERSION")?;
        let mut entry = entry(id, version, String::new())?;
        entry.yanked = !self.undo;
        self.getting.with(session, |sources| {
            if self.undo && sources.registry.starts_with("https://github.com/") {
                return Err(Error::new("a registry on GitHub has no request for undoing this")).hint("write to its people");
            }
            told(&request(sources.registry, &entry, sources.images)?, sources.registry, session)
        })?;
        Ok(0)
    }
}

fn told(requested: &Requested, registry: &str, session: &Session) -> Result<()> {
    match requested {
        Requested::Open(url) => {
            session.output.line("open this address to ask for it:");
            session.print(url)
        }
        Requested::Committed => {
            session.output.line(&format!("committed to {registry}"));
            Ok(())
        }
    }
}
