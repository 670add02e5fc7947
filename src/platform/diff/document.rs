//! Two JSON documents, compared value by value. Texts that are JSON themselves, as the labels of buildpacks' images are, are opened.

use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// A value that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ValueChange {
    /// Where it is, as `config.Labels.version`.
    pub path: String,
    /// What it was; nothing where it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it is; nothing where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// The values that differ between two documents, each as deep inside as it can be told, sorted by where they are.
pub fn changes(from: &Value, to: &Value) -> Vec<ValueChange> {
    let mut found = Vec::new();
    compare("", Some(from), Some(to), &mut found);
    found
}

fn compare(path: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<ValueChange>) {
    if from == to {
        return;
    }
    match (opened(from), opened(to)) {
        // The same document, written in another way.
        (Some(inside), Some(other)) if inside == other => {
            found.push(ValueChange { path: path.into(), from: from.cloned(), to: to.cloned() })
        }
        (Some(Value::Object(from)), Some(Value::Object(to))) => {
            let keys: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
            for key in keys {
                let name = if key.contains(['.', '[', '/']) { format!("[{key}]") } else { key.clone() };
                let below = if path.is_empty() || name.starts_with('[') { format!("{path}{name}") } else { format!("{path}.{name}") };
                compare(&below, from.get(key), to.get(key), found);
            }
        }
        (Some(Value::Array(from)), Some(Value::Array(to))) => {
            for at in 0..from.len().max(to.len()) {
                compare(&format!("{path}[{at}]"), from.get(at), to.get(at), found);
            }
        }
        (Some(_) | None, Some(_) | None) => found.push(ValueChange { path: path.into(), from: from.cloned(), to: to.cloned() }),
    }
}

/// The document in a text, where there is one; else the value as it is.
fn opened(value: Option<&Value>) -> Option<Value> {
    let inside = value.and_then(Value::as_str).filter(|text| text.starts_with(['{', '[']));
    inside.and_then(|text| serde_json::from_str(text).ok()).or_else(|| value.cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_is_named_where_it_is_even_inside_of_a_label() {
        let document = |version: &str, port: &str| {
            json!({
                "config": { "Labels": { "io.buildpacks.lifecycle.metadata": format!("{{\"app\":[{{\"sha\":\"{version}\"}}]}}"), "team": "a" },
                    "ExposedPorts": { port: {} }, "Env": ["A=1", "B=2"] }
            })
        };
        let mut other = document("2", "9090");
        other["config"]["Env"] = json!(["A=1"]);
        let change = |path: &str, from: Option<Value>, to: Option<Value>| ValueChange { path: path.into(), from, to };
        assert_eq!(
            changes(&document("1", "8080"), &other),
            [
                change("config.Env[1]", Some(json!("B=2")), None),
                change("config.ExposedPorts.8080", Some(json!({})), None),
                change("config.ExposedPorts.9090", None, Some(json!({}))),
                change("config.Labels[io.buildpacks.lifecycle.metadata].app[0].sha", Some(json!("1")), Some(json!("2"))),
            ]
        );
        assert_eq!(changes(&other, &other.clone()), []);
    }

    #[test]
    fn what_only_looks_like_a_document_or_is_written_in_another_way_is_told_as_a_text() {
        for (a, b) in [("{a", "[b"), ("[1]", "[ 1 ]")] {
            let change = ValueChange { path: "x".into(), from: Some(json!(a)), to: Some(json!(b)) };
            assert_eq!(changes(&json!({ "x": a }), &json!({ "x": b })), [change]);
        }
    }
}
