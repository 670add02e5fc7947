//! What is wrong with a buildpack or an extension, by the rules of the specifications and by what the reference makes of it, each with its place
//! (DESC-03, DESC-04, DESC-06, DESC-18, DESC-19, PKG-20 to PKG-22).

use super::config::Config;
use crate::buildpack::{Kind, ModuleToml};
use crate::error::{Advice, Context, Result};
use launcher::file::read_document;
use serde::Serialize;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use toml::{Table, Value};

/// Something that is wrong, or could be.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, below the module's folder.
    pub file: String,
    /// The line in it, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The rule.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It does not work.
    Error,
    /// It works, and not everywhere, or not for long.
    Warning,
}

const SBOM_FORMATS: [&str; 3] = ["application/vnd.cyclonedx+json", "application/spdx+json", "application/vnd.syft+json"];

/// Looks at the module in a folder.
///
/// # Errors
/// When there is no module.
pub fn validate(folder: &Path) -> Result<Vec<Finding>> {
    let found = [Kind::Buildpack, Kind::Extension].into_iter().find(|kind| folder.join(kind.file()).is_file());
    let kind = found
        .context(|| format!("`{}` is neither a buildpack nor an extension", folder.display()))
        .hint("it has no `buildpack.toml` and no `extension.toml`")?;
    let text = read_document(&folder.join(kind.file())).context(|| format!("cannot read `{}`", kind.file()))?;
    let mut check = Check { kind, text: &text, found: Vec::new() };
    match (toml::from_str::<Table>(&text), ModuleToml::parse(&text, kind)) {
        (Err(error), _) => {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            check.add(Severity::Error, line, "TOML", error.message().to_string());
        }
        (Ok(table), Err(error)) => {
            check.keys(&table);
            let why = error.causes().into_iter().next().unwrap_or_else(|| error.to_string());
            check.add(Severity::Error, None, "buildpack.toml", why.lines().next().unwrap_or_default().into());
        }
        (Ok(table), Ok(toml)) => {
            check.keys(&table);
            check.identity(&toml);
            check.content(&toml, &table);
            check.programs(&toml, folder);
        }
    }
    let package = folder.join("package.toml");
    let of_package = if package.is_file() { Config::read(&package, kind).err() } else { None };
    check.found.extend(of_package.map(|error| Finding {
        severity: Severity::Error,
        file: "package.toml".into(),
        line: None,
        rule: "package.toml",
        message: error.causes().join(": "),
    }));
    check.found.sort_by_key(|finding| (finding.severity, finding.file.clone(), finding.line));
    Ok(check.found)
}

/// Whether a text can be an ID.
///
/// # Errors
/// Why it cannot.
pub fn check_id(id: &str) -> Result<(), String> {
    if id.is_empty() {
        return Err("it is empty".into());
    }
    if let Some(letter) = id.chars().find(|letter| !letter.is_ascii_alphanumeric() && !"./-".contains(*letter)) {
        return Err(format!("`{letter}` is no letter, digit, `.`, `/` or `-`"));
    }
    match ["app", "config", "generated", "sbom"].contains(&id) {
        true => Err("the platform uses it itself".into()),
        false => Ok(()),
    }
}

struct Check<'a> {
    kind: Kind,
    text: &'a str,
    found: Vec<Finding>,
}

impl Check<'_> {
    fn add(&mut self, severity: Severity, line: Option<usize>, rule: &'static str, message: String) {
        self.found.push(Finding { severity, file: self.kind.file().into(), line, rule, message });
    }

    /// The line that sets a key, or that starts a table, first.
    fn line(&self, key: &str) -> Option<usize> {
        let starts = |line: &str| {
            line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=')) || line.trim_matches(['[', ']']) == key
        };
        self.text.lines().position(|line| starts(line.trim())).map(|at| at + 1)
    }

    /// Keys that nobody reads (PKG-21).
    fn keys(&mut self, table: &Table) {
        let section = self.kind.name();
        let top = ["api", section, "targets", "stacks", "order", "metadata"];
        let inner = ["id", "name", "version", "homepage", "clear-env", "description", "keywords", "sbom-formats", "licenses", "exec-env"];
        let of_section = table.get(section).and_then(Value::as_table);
        let unknown = |table: &Table, known: &[&str]| -> Vec<String> {
            table.keys().filter(|key| !known.contains(&key.to_ascii_lowercase().as_str())).cloned().collect()
        };
        let all = unknown(table, &top).into_iter().chain(of_section.map(|table| unknown(table, &inner)).unwrap_or_default());
        for key in all.collect::<Vec<_>>() {
            self.add(
                Severity::Warning,
                self.line(&key),
                "keys",
                format!("`{key}` is no key that anybody reads; what is your own goes under `[metadata]`"),
            );
        }
    }

    fn identity(&mut self, toml: &ModuleToml) {
        if let Err(error) = toml.spoken_api() {
            self.add(Severity::Error, self.line("api"), "api", error.to_string());
        }
        if let Err(why) = check_id(&toml.info.id) {
            self.add(Severity::Error, self.line("id"), "id", format!("`{}` cannot be an ID: {why}", toml.info.id));
        }
        let number =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) && (part == "0" || !part.starts_with('0'));
        let version = &toml.info.version;
        if version.is_empty() {
            self.add(Severity::Error, self.line(self.kind.name()), "version", format!("`{}.version` is required", self.kind.name()));
        } else if version.split('.').count() != 3 || !version.split('.').all(number) {
            self.add(
                Severity::Warning,
                self.line("version"),
                "version",
                format!("`{version}` is not of the form X.Y.Z, numbers without leading zeros"),
            );
        }
    }

    fn content(&mut self, toml: &ModuleToml, table: &Table) {
        let composed = !toml.order.is_empty();
        if composed && self.kind == Kind::Extension {
            self.add(Severity::Error, self.line("order"), "order", "an extension cannot have an order".into());
        }
        for (key, is_there) in [("targets", !toml.targets.is_empty()), ("stacks", !toml.stacks.is_empty())] {
            if composed && is_there {
                self.add(
                    Severity::Error,
                    self.line(key),
                    "order",
                    format!("a buildpack with an order has no `{key}`: its buildpacks decide"),
                );
            }
        }
        if !toml.stacks.is_empty() && !composed {
            self.add(Severity::Warning, self.line("stacks"), "stacks", "stacks are deprecated: name `targets`".into());
        }
        for entry in toml.order.iter().flat_map(|group| &group.group).filter(|entry| entry.version.is_empty()) {
            self.add(Severity::Error, self.line("order.group"), "order", format!("`{}` in the order has no version", entry.id));
        }
        for format in toml.sbom_formats.iter().filter(|format| !SBOM_FORMATS.contains(&format.split(';').next().unwrap_or_default().trim()))
        {
            self.add(
                Severity::Error,
                self.line("sbom-formats"),
                "sbom-formats",
                format!("`{format}` is no SBOM format: there are {}", SBOM_FORMATS.join(", ")),
            );
        }
        let exec_env = table.get(self.kind.name()).and_then(|section| section.get("exec-env")).and_then(Value::as_array);
        if exec_env.is_some_and(|all| all.iter().any(Value::is_table)) {
            self.add(
                Severity::Warning,
                self.line("buildpack.exec-env"),
                "exec-env",
                "the reference does not read tables: write `exec-env = [\"…\"]`".into(),
            );
        }
    }

    fn programs(&mut self, toml: &ModuleToml, folder: &Path) {
        let mut add = |severity, file: &str, rule, message: String| {
            self.found.push(Finding { severity, file: file.into(), line: None, rule, message })
        };
        let composed = !toml.order.is_empty();
        let programs: &[&str] = match toml.kind {
            Kind::Buildpack => &["bin/detect", "bin/build"],
            Kind::Extension => &["bin/detect", "bin/generate"],
        };
        for program in programs {
            let path = folder.join(program);
            match (path.metadata(), composed) {
                (Ok(_), true) => add(Severity::Warning, program, "order", "a buildpack with an order runs no program".into()),
                (Err(_), true) => {}
                // An extension may be files only, and then always applies.
                (Err(_), false) if toml.kind == Kind::Extension && folder.join("generate").is_dir() => {}
                (Err(_), false) if toml.kind == Kind::Extension && *program == "bin/detect" => {}
                (Err(_), false) => add(Severity::Error, program, "programs", "it is missing".into()),
                (Ok(found), false) if found.permissions().mode() & 0o111 == 0 => {
                    add(
                        Severity::Warning,
                        program,
                        "programs",
                        "it cannot be started; packages make it so, builds from this folder do not".into(),
                    );
                }
                (Ok(_), false) => {}
            }
        }
    }
}
