//! The machine that an image is for (OCI Image Specification, image-index).

use super::{Config, Descriptor, host_architecture};
use crate::error::{Advice, Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt;
use std::str::FromStr;

/// An operating system and a processor, as `linux/arm64` or `linux/arm/v7`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// The operating system.
    pub os: String,
    /// The processor, as images name it.
    pub architecture: String,
    /// The processor's variant; empty for any.
    pub variant: String,
}

impl Platform {
    /// This machine's.
    pub fn here() -> Self {
        Self { os: "linux".into(), architecture: host_architecture().into(), variant: String::new() }
    }

    /// What an image says of itself. One that says nothing is for Linux on x86-64, as images of old are.
    pub fn of(config: &Config) -> Self {
        Self::normal(&config.os, &config.architecture, &config.variant)
    }

    /// What an index says of an image.
    pub fn of_entry(entry: &Descriptor) -> Self {
        let part = |key: &str| entry.platform.as_ref().and_then(|platform| platform[key].as_str()).unwrap_or_default();
        Self::normal(part("os"), part("architecture"), part("variant"))
    }

    /// Whether an image for `other` is what was asked for.
    pub fn accepts(&self, other: &Self) -> bool {
        let variant = self.variant.is_empty() || self.variant == other.variant;
        self.os == other.os && self.architecture == other.architecture && variant
    }

    /// The first entry of an index that is for this platform.
    pub fn choose<'a>(&self, entries: &'a [Descriptor]) -> Option<&'a Descriptor> {
        entries.iter().find(|entry| self.accepts(&Self::of_entry(entry)))
    }

    /// How an index says it, with what else it says of the image.
    pub fn entry(config: &Config) -> Value {
        let fields = [("architecture", &config.architecture), ("os", &config.os), ("os.version", &config.os_version)];
        let fields = fields.into_iter().chain([("variant", &config.variant)]).filter(|(_, value)| !value.is_empty());
        Value::Object(fields.map(|(key, value)| (key.to_string(), value.as_str().into())).collect::<Map<_, _>>())
    }

    /// Names that mean the same are one; the eighth variant of ARM64 is what every ARM64 is.
    fn normal(os: &str, architecture: &str, variant: &str) -> Self {
        let architecture = match architecture {
            "" | "x86_64" | "x86-64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let variant = if architecture == "arm64" && matches!(variant, "8" | "v8") { "" } else { variant };
        Self { os: if os.is_empty() { "linux" } else { os }.into(), architecture: architecture.into(), variant: variant.into() }
    }
}

impl FromStr for Platform {
    type Err = Error;

    /// Reads `OS/ARCHITECTURE[/VARIANT]`.
    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        let (2 | 3, true) = (parts.len(), parts.iter().all(is_word)) else {
            return Err(Error::new(format!("`{text}` is no platform"))).hint("write OS/ARCHITECTURE[/VARIANT], as `linux/arm64`");
        };
        Ok(Self::normal(parts[0], parts[1], parts.get(2).unwrap_or(&"")))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(formatter, "/{}", self.variant) }
    }
}

impl Serialize for Platform {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The platforms of an index, for people.
pub fn platforms(entries: &[Descriptor]) -> String {
    let names: Vec<String> = entries.iter().map(|entry| Platform::of_entry(entry).to_string()).take(20).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Digest, media_type};
    use serde_json::json;

    /// IMG-15, DIST-04, CLI-30.
    #[test]
    fn an_index_is_asked_for_a_platform() {
        let entry = |platform: Value, text: &str| Descriptor {
            platform: (!platform.is_null()).then_some(platform),
            ..Descriptor::of(media_type::MANIFEST, text.as_bytes())
        };
        let entries = [
            entry(json!({"os": "unknown", "architecture": "unknown"}), "attestation"),
            entry(json!({"os": "windows", "architecture": "arm64"}), "windows"),
            entry(json!({"os": "linux", "architecture": "arm", "variant": "v6"}), "six"),
            entry(json!({"os": "linux", "architecture": "arm", "variant": "v7"}), "seven"),
            entry(json!({"os": "linux", "architecture": "arm64", "variant": "v8"}), "arm64"),
            entry(Value::Null, "plain"),
        ];
        let chosen = |wanted: &str| wanted.parse::<Platform>().unwrap().choose(&entries).map(|entry| entry.digest.clone());
        for (wanted, text) in [
            ("linux/arm64", "arm64"),
            ("linux/aarch64/v8", "arm64"),
            ("linux/amd64", "plain"),
            ("linux/x86_64", "plain"),
            ("linux/arm", "six"),
            ("linux/arm/v7", "seven"),
            ("windows/arm64", "windows"),
        ] {
            assert_eq!(chosen(wanted), Some(Digest::of(text.as_bytes())), "{wanted}");
        }
        assert_eq!((chosen("linux/s390x"), chosen("linux/arm/v5")), (None, None));
        let all = "unknown/unknown, windows/arm64, linux/arm/v6, linux/arm/v7, linux/arm64, linux/amd64";
        assert_eq!(platforms(&entries), all);
        for bad in ["", "arm64", "linux/", "/arm64", "linux/a/b/c", "linux/arm 64"] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }
}
