//! `CNB_REGISTRY_AUTH` (Platform spec, "Registry Authentication").

use super::Credential;
use crate::error::{Context, Error, Result};
use std::collections::BTreeMap;

/// Reads a JSON object from registries to values of `Authorization` (IMG-08 to IMG-10). The keys may have a scheme and a path.
///
/// # Errors
/// When it is none, or a value is of no known kind. No error shows a value.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Credential>> {
    let wrong = || Error::new("`CNB_REGISTRY_AUTH` is no JSON object from registries to authorizations");
    // What serde says of a wrong document quotes it.
    let values: BTreeMap<String, String> = serde_json::from_str(text).map_err(|_| wrong())?;
    let entry = |(key, value): (String, String)| {
        let credential = authorization(&value).context(|| format!("parsing auth header of `{}`", host(&key)))?;
        Ok((host(&key).to_string(), credential))
    };
    values.into_iter().map(entry).collect()
}

fn host(key: &str) -> &str {
    let key = key.strip_prefix("http://").or_else(|| key.strip_prefix("https://")).unwrap_or(key);
    key.split('/').next().unwrap_or(key)
}

fn authorization(value: &str) -> Result<Credential> {
    let unknown = || Error::new("unknown auth type from header").hint("write `Basic`, `Bearer` or `X-Identity` and a space before it");
    let (kind, value) = value.split_once(' ').ok_or_else(unknown)?;
    let value = value.to_string();
    match kind.to_ascii_lowercase().as_str() {
        "basic" => Ok(Credential::Basic(value)),
        "bearer" => Ok(Credential::Bearer(value)),
        "x-identity" => Ok(Credential::Identity(value)),
        _ => Err(unknown()),
    }
}
