//! What a registry says when it refuses (OCI Distribution Specification, "Error Codes").

use crate::error::Error;
use crate::http::{Failure, Response, Url};
use serde::Deserialize;

/// Longer explanations are not read.
const LONGEST: u64 = 64 << 10;
/// Letters of an explanation that are shown.
const SHOWN: usize = 300;

#[derive(Deserialize)]
struct Document {
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// The failure that an answer stands for. Overload and faults of the server pass; a refusal stays (IMG-16).
pub(super) fn fault(response: Response) -> Failure {
    let (status, line, asked, place) = (response.status(), response.status_line(), response.retry_after(), shown(response.url()));
    let explanation = response.bytes(LONGEST).map(|body| explanation(&body)).unwrap_or_default();
    let error = Error::new(format!("{place} answered {line}{explanation}"));
    let error = match status {
        401 | 403 => error.hint("check the credentials: `CNB_REGISTRY_AUTH`, or `docker login` and its `config.json`"),
        429 => error.hint("try again later; many registries let those who log in do more"),
        500..=599 => error.hint("the registry itself has trouble: try again later"),
        _ => error,
    };
    match status {
        408 | 500..=599 => Failure::Passing(error, asked),
        429 if asked.is_some() => Failure::Passing(error, asked),
        _ => Failure::Final(error),
    }
}

fn explanation(body: &[u8]) -> String {
    let Ok(document) = serde_json::from_slice::<Document>(body) else { return String::new() };
    let entries = document.errors.iter().map(|entry| format!("{}: {}", entry.code, entry.message));
    let text = entries.collect::<Vec<_>>().join("; ");
    // A terminal would obey control characters.
    let shown: String = text.chars().filter(|letter| !letter.is_control()).take(SHOWN).collect();
    if shown.is_empty() { shown } else { format!(" ({shown})") }
}

/// An address as messages show it: what comes after `?` may be a credential.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    // Neither fails for an address with a host; one without is not shown.
    match url.set_username("").and_then(|()| url.set_password(None)) {
        Ok(()) => url.to_string(),
        Err(()) => format!("{}:…", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// DIST-16.
    #[test]
    fn what_is_shown_is_harmless() {
        let body = br#"{"errors":[{"code":"DENIED","message":"no \u001b[31mway"},{"code":"X"}]}"#;
        assert_eq!(explanation(body), " (DENIED: no [31mway; X: )");
        assert_eq!(explanation(b"<html>"), "");
        let long = format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(9000));
        assert!(explanation(long.as_bytes()).len() < 400);
        assert_eq!(shown(&Url::parse("https://u:p@r.test/v2/a?token=secret#x").unwrap()), "https://r.test/v2/a");
    }
}
