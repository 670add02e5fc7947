//! What `pack` writes in four forms. YAML is written as far as reports need it: what JSON can hold, in the block style that people read.

use super::Session;
use crate::error::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    #[value(alias = "text")]
    HumanReadable,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// TOML.
    Toml,
}

impl Format {
    /// Writes a value to standard output; for people, as `text` says it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn print(self, value: &impl Serialize, text: impl FnOnce() -> String, session: &Session) -> Result<()> {
        let describe = || "cannot write the report";
        match self {
            Self::HumanReadable => session.print(&text()),
            Self::Json => session.print_json(value),
            Self::Yaml => session.print(&yaml(&serde_json::to_value(value).context(describe)?)),
            Self::Toml => session.print(&toml::to_string(value).context(describe)?),
        }
    }
}

/// A value as YAML.
fn yaml(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                text.push_str(&format!("{:indent$}{key}:", ""));
                below(value, indent + 2, text);
            }
        }
        Value::Array(list) => {
            for value in list {
                let mut item = String::new();
                write(value, indent + 2, &mut item);
                let nested =
                    matches!(value, Value::Object(map) if !map.is_empty()) || matches!(value, Value::Array(list) if !list.is_empty());
                match nested {
                    // The first line stands behind the dash.
                    true => text.push_str(&format!("{:indent$}- {}", "", &item[indent + 2..])),
                    false => text.push_str(&format!("{:indent$}- {}\n", "", scalar(value))),
                }
            }
        }
        other => text.push_str(&format!("{}\n", scalar(other))),
    }
}

fn below(value: &Value, indent: usize, text: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            write(value, indent, text);
        }
        Value::Array(list) if !list.is_empty() => {
            text.push('\n');
            write(value, indent - 2, text);
        }
        other => text.push_str(&format!(" {}\n", scalar(other))),
    }
}

/// What fits on the line. JSON's strings are YAML's; those that nothing else could be stand without quotes.
fn scalar(value: &Value) -> String {
    let plain = |text: &str| {
        let start = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./@ ".contains(&byte));
        start
            && letters
            && !text.ends_with(' ')
            && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str())
    };
    match value {
        Value::String(text) if plain(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_written_as_people_write_them() {
        let value = json!({ "a": { "b": [{ "id": "x/y", "version": "1.0" }, "two words", []], "none": [], "yes": true }, "text": "a: b", "word": "no" });
        let expected =
            "a:\n  b:\n  - id: x/y\n    version: \"1.0\"\n  - two words\n  - []\n  none: []\n  yes: true\ntext: \"a: b\"\nword: \"no\"\n";
        assert_eq!(yaml(&value), expected);
    }
}
