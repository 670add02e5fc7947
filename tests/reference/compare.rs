//! Two records against each other.

use super::case::Difference;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Says where our record differs from the reference's; nothing where it does as the case says.
pub fn differences(ours: &Value, theirs: &Value, known: &[Difference]) -> Vec<String> {
    let (mut ours, mut theirs) = (ours.clone(), theirs.clone());
    let mut found = Vec::new();
    for difference in known {
        let (mine, other) = (take(&mut ours, &difference.at), take(&mut theirs, &difference.at));
        if mine == other {
            found.push(format!("{:?} differs no longer ({})", difference.at, difference.because));
        }
        let wanted = difference.ours.as_ref().map(|text| serde_json::from_str::<Value>(text).expect("`ours` is JSON"));
        if mine.as_ref() != wanted.as_ref() {
            found.push(format!("{:?}: `ours` is not {}", difference.at, mine.unwrap_or_default()));
        }
    }
    compare("", &ours, &theirs, &mut found);
    found
}

/// Takes a value out, leaving `null`.
fn take(value: &mut Value, way: &[String]) -> Option<Value> {
    let Some((first, rest)) = way.split_first() else {
        return Some(value.take());
    };
    let inner = match value {
        Value::Array(all) => all.get_mut(first.parse::<usize>().ok()?)?,
        Value::Object(all) if rest.is_empty() => return all.remove(first),
        Value::Object(all) => all.get_mut(first)?,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    };
    take(inner, rest)
}

fn compare(way: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(mine), Value::Object(others)) => {
            let none = Value::Null;
            let keys: std::collections::BTreeSet<&String> = mine.keys().chain(others.keys()).collect();
            for key in keys {
                compare(&format!("{way} > {key}"), get(mine, key, &none), get(others, key, &none), found);
            }
        }
        (Value::Array(mine), Value::Array(others)) if mine.len() == others.len() => {
            for (at, (mine, other)) in mine.iter().zip(others).enumerate() {
                compare(&format!("{way} > {at}"), mine, other, found);
            }
        }
        _ if ours == theirs => {}
        _ => found.push(format!("{way}\n  ours:   {}\n  theirs: {}", shown(ours), shown(theirs))),
    }
}

fn get<'a>(map: &'a Map<String, Value>, key: &str, none: &'a Value) -> &'a Value {
    map.get(key).unwrap_or(none)
}

fn shown(value: &Value) -> String {
    let Value::Array(all) = value else { return value.to_string() };
    all.iter().fold(String::new(), |mut text, value| {
        write!(text, "\n    {value}").unwrap();
        text
    })
}
