//! Documents of other people: one entry at a time is looked at, and an entry that makes no sense is left out. What is in a document is not
//! believed to be small, well formed or true.

mod cyclonedx;
mod spdx;
mod syft;

use crate::inventory::Inventory;
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

/// No document is larger.
const LARGEST: usize = 256 << 20;

/// A format of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CycloneDX JSON, 1.2 to 1.6.
    CycloneDx,
    /// SPDX JSON, 2.2 and 2.3.
    Spdx,
    /// Syft's own JSON.
    Syft,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 3] = [Self::CycloneDx, Self::Spdx, Self::Syft];

    /// The ending of names of files (Buildpack specification, "Software-Bill-of-Materials").
    pub fn ending(self) -> &'static str {
        match self {
            Self::CycloneDx => "cdx.json",
            Self::Spdx => "spdx.json",
            Self::Syft => "syft.json",
        }
    }

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::Spdx => "application/spdx+json",
            Self::Syft => "application/vnd.syft+json",
        }
    }

    /// The format of a file, by its name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| name.ends_with(&format!(".{}", format.ending())))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CycloneDx => "CycloneDX",
            Self::Spdx => "SPDX",
            Self::Syft => "Syft",
        })
    }
}

/// Why a document cannot be read.
#[derive(Debug)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// Reads the packages of a document.
///
/// # Errors
/// When it is not JSON of that format, or larger than any document should be.
pub fn read(format: Format, document: &[u8]) -> Result<Inventory, Unreadable> {
    if document.len() > LARGEST {
        return Err(Unreadable(format!("it has {} bytes; more than {LARGEST} make no sense", document.len())));
    }
    match format {
        Format::CycloneDx => cyclonedx::read(document),
        Format::Spdx => spdx::read(document),
        Format::Syft => syft::read(document),
    }
}

/// An entry of a list; nothing where it makes no sense.
fn entry(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).ok()
}

/// A text of an entry; empty where there is none.
fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_string()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Whether a text is a name in the Common Platform Enumeration 2.3 as its specification has it: others are refused by readers of SPDX.
fn is_cpe(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("cpe:2.3:") else { return false };
    let (mut parts, mut escaped) = (vec![String::new()], false);
    for letter in rest.chars() {
        match (letter, escaped) {
            (':', false) => parts.push(String::new()),
            (_, true) if letter.is_ascii_punctuation() => {}
            ('\\', false) => {}
            (letter, false) if letter.is_ascii_alphanumeric() || "-._*?".contains(letter) => {}
            _ => return false,
        }
        escaped = letter == '\\' && !escaped;
        if let Some(part) = parts.last_mut().filter(|_| letter != ':' || escaped) {
            part.push(letter);
        }
    }
    // Wildcards stand alone here: within words few readers take them.
    let is_plain = |part: &String| part == "*" || !part.is_empty() && !part.contains(['*', '?']);
    let is_language = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_alphabetic()) || ["*", "-"].contains(&part);
    !escaped
        && parts.len() == 11
        && ["a", "h", "o", "*", "-"].contains(&parts[0].as_str())
        && parts.iter().all(is_plain)
        && is_language(&parts[6])
}

#[cfg(test)]
mod tests;
