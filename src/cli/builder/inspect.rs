//! `cooper builder inspect`: what a builder is made of.

use super::super::Session;
use super::super::making::Getting;
use super::super::registries::configuration;
use super::super::written::Format;
use crate::error::Result;
use crate::platform::builder::inspect::{Entry, Info, Inspection, inspect};
use crate::platform::builder::{self};

/// Say what a builder is made of: on this machine, and in its registry.
#[derive(clap::Args)]
pub struct Arguments {
    /// The builder: a built-in one, or the place of its image.
    #[arg(default_value = builder::default_name())]
    name: String,
    /// How many levels of composed buildpacks to show in the order [default: all].
    #[arg(long, short, allow_negative_numbers = true, value_name = "LEVELS")]
    depth: Option<i64>,
    /// How to write it.
    #[arg(long, short, value_enum, default_value_t)]
    output: Format,
    /// Platform of a built-in builder's images, as `linux/arm64` [default: this machine's].
    #[arg(long = "platform", value_name = "PLATFORM")]
    for_platform: Option<String>,
    #[command(flatten)]
    getting: Getting,
    #[command(flatten)]
    mirrors: super::Mirrors,
}

impl Arguments {
    pub(super) fn run(self, session: &Session) -> Result<u8> {
        if builder::is_built_in(&self.name) {
            let description = builder::describe(
                &self.name,
                &super::platform(self.for_platform.clone())?,
                &self.mirrors.read()?,
                &session.store()?,
                session.output,
            )?;
            self.output.print(&description, || super::text(&description), session)?;
            return Ok(0);
        }
        let depth = self.depth.and_then(|depth| usize::try_from(depth).ok());
        let found = self.getting.with(session, |sources| inspect(&self.name, depth, sources.images, &configuration()?))?;
        self.output.print(&found, || text(&found), session)?;
        Ok(0)
    }
}

fn text(found: &Inspection) -> String {
    let mut text = format!("builder  {}\n", found.builder_name);
    for (title, info) in [("in the registry", &found.remote_info), ("on this machine", &found.local_info)] {
        match info {
            Some(info) => text.push_str(&format!("\n{title}\n{}", of(info))),
            None => text.push_str(&format!("\n{title}\n  (not present)\n")),
        }
    }
    text
}

fn of(info: &Info) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("  {name:15} {value}\n"));
        }
    };
    line("description", &info.description);
    line("made by", format!("{} {}", info.created_by.name, info.created_by.version).trim());
    line("stack", info.stack.as_ref().map_or("", |stack| &stack.id));
    line("lifecycle", &info.lifecycle.version);
    for (name, versions) in [("buildpack APIs", &info.lifecycle.buildpack_apis), ("platform APIs", &info.lifecycle.platform_apis)] {
        let deprecated =
            if versions.deprecated.is_empty() { String::new() } else { format!(" (deprecated: {})", versions.deprecated.join(", ")) };
        line(name, &format!("{}{deprecated}", versions.supported.join(", ")));
    }
    for image in &info.run_images {
        line("run image", &format!("{}{}", image.name, if image.user_configured { " (of your configuration)" } else { "" }));
    }
    for (title, modules, order) in
        [("buildpacks", &info.buildpacks, &info.detection_order), ("extensions", &info.extensions, &info.order_extensions)]
    {
        if modules.is_empty() && order.is_empty() {
            continue;
        }
        text.push_str(&format!("\n  {title}\n"));
        let rows: Vec<(String, &str)> = modules.iter().map(|info| (format!("{}@{}", info.id, info.version), info.name.as_str())).collect();
        let longest = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, title) in rows {
            text.push_str(&format!("    {name:longest$}  {title}\n"));
        }
        text.push_str(&format!("\n  order of {title}\n"));
        // Extensions are not grouped.
        if order.iter().any(|entry| !entry.id.is_empty()) {
            entries(order, 4, &mut text);
            continue;
        }
        for (at, group) in order.iter().enumerate() {
            text.push_str(&format!("    group {}\n", at + 1));
            entries(&group.buildpacks, 6, &mut text);
        }
    }
    text
}

/// The buildpacks of a group, and below each the groups that it stands for.
fn entries(all: &[Entry], indent: usize, text: &mut String) {
    for entry in all {
        let version = if entry.version.is_empty() { String::new() } else { format!("@{}", entry.version) };
        let optional = if entry.optional { "  (optional)" } else { "" };
        text.push_str(&format!("{:indent$}{}{version}{optional}\n", "", entry.id));
        for (at, group) in entry.buildpacks.iter().enumerate() {
            text.push_str(&format!("{:indent$}  group {}\n", "", at + 1));
            entries(&group.buildpacks, indent + 4, text);
        }
    }
}
