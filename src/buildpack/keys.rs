//! Keys of documents that buildpacks write, in whichever case (FMT-13).

use toml::{Table, Value};

/// Reads a document. The reference takes a key in any case, and buildpacks rely on it: keys are read as if they were written in lower case,
/// where that is not written too. What is under `metadata` is the buildpack's own and stays as it is.
pub(super) fn parse(text: &str) -> Result<Table, toml::de::Error> {
    toml::from_str(text).map(lower)
}

fn lower(table: Table) -> Table {
    let (exact, other): (Vec<_>, Vec<_>) = table.into_iter().partition(|(key, _)| !key.chars().any(|letter| letter.is_ascii_uppercase()));
    let mut lowered: Table = exact.into_iter().map(|(key, value)| pair(key, value)).collect();
    for (key, value) in other {
        let key = key.to_ascii_lowercase();
        if !lowered.contains_key(&key) {
            let (key, value) = pair(key, value);
            lowered.insert(key, value);
        }
    }
    lowered
}

fn pair(key: String, value: Value) -> (String, Value) {
    let value = if key == "metadata" { value } else { inside(value) };
    (key, value)
}

fn inside(value: Value) -> Value {
    match value {
        Value::Table(table) => Value::Table(lower(table)),
        Value::Array(all) => Value::Array(all.into_iter().map(inside).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FMT-13.
    #[test]
    fn keys_are_read_in_any_case_and_metadata_stays() {
        let text = "[[Processes]]\nType = 'Web'\ntype = 'web'\nExec-Env = ['A']\n[Metadata]\nKey = 1\n[Metadata.Deep]\nB = 2\n";
        let expected = "[[processes]]\ntype = 'web'\nexec-env = ['A']\n[metadata]\nKey = 1\n[metadata.Deep]\nB = 2\n";
        assert_eq!(parse(text).unwrap(), toml::from_str::<Table>(expected).unwrap());
    }
}
