//! What a registry asks for: the header `WWW-Authenticate` (RFC 9110, 11.6.1).

use std::collections::BTreeMap;

/// What must be sent to get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password.
    Basic,
    /// A token from a server of tokens.
    Bearer {
        /// Where that server is.
        realm: String,
        /// What the token is for.
        service: Option<String>,
    },
}

impl Challenge {
    /// The challenge in the values of the header; a token wins over a password.
    pub fn parse(values: &[&str]) -> Option<Self> {
        let all: Vec<Self> = values.iter().flat_map(|value| challenges(value)).collect();
        let bearer = all.iter().find(|challenge| matches!(challenge, Self::Bearer { .. }));
        bearer.or(all.first()).cloned()
    }
}

/// One value may have several challenges, each a scheme and its parameters, all divided by commas.
fn challenges(value: &str) -> Vec<Challenge> {
    let mut found: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    for part in parts(value) {
        let (before, quoted) = part.split_once('=').unwrap_or((part, ""));
        let (scheme, name) = match before.trim().rsplit_once(' ') {
            Some((scheme, name)) => (Some(scheme.trim()), name),
            None if quoted.is_empty() => (Some(before.trim()), ""),
            None => (None, before.trim()),
        };
        found.extend(scheme.map(|scheme| (scheme.to_ascii_lowercase(), BTreeMap::new())));
        if let Some((_, parameters)) = found.last_mut().filter(|_| !name.is_empty()) {
            let value = quoted.trim().trim_matches('"').replace("\\\"", "\"");
            parameters.insert(name.to_ascii_lowercase(), value);
        }
    }
    let challenge = |(scheme, mut parameters): (String, BTreeMap<String, String>)| match scheme.as_str() {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer { realm: parameters.remove("realm")?, service: parameters.remove("service") }),
        _ => None,
    };
    found.into_iter().filter_map(challenge).collect()
}

/// Divides at commas that are in no quotes.
fn parts(value: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, letter) in value.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(value[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(value[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_header_is_too_odd(value in "\\PC{0,40}|(Basic|bearer|realm|[ =,\\\\\"é]){0,12}") {
            let is_bearer = matches!(Challenge::parse(&[&value]), Some(Challenge::Bearer { .. }));
            proptest::prop_assert!(!is_bearer || value.to_lowercase().contains("realm"));
        }
    }

    #[test]
    fn challenges_are_read_in_every_spelling() {
        let bearer =
            |realm: &str, service: Option<&str>| Some(Challenge::Bearer { realm: realm.into(), service: service.map(str::to_string) });
        for (values, expected) in [
            (vec!["Basic realm=\"x\""], Some(Challenge::Basic)),
            (vec!["basic"], Some(Challenge::Basic)),
            (
                vec!["Bearer realm=\"https://t.test/token\",service=\"r.test\",scope=\"repository:a:pull,push\""],
                bearer("https://t.test/token", Some("r.test")),
            ),
            (vec!["bearer   realm=https://t.test/a,b"], bearer("https://t.test/a", None)),
            (vec!["Basic realm=\"a, b\", Bearer realm=\"t\""], bearer("t", None)),
            (vec!["Basic realm=x", "Bearer realm=t"], bearer("t", None)),
            (vec!["Bearer service=\"no realm\""], None),
            (vec!["Negotiate", "Digest realm=\"x\""], None),
            (vec![""], None),
            (vec![], None),
        ] {
            assert_eq!(Challenge::parse(&values), expected, "{values:?}");
        }
    }
}
