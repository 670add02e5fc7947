//! Licences as SPDX expressions. What SPDX's list does not know is a `LicenseRef-…`, with the words that it stands for.

mod names;

use crate::hash;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A longer name is a text.
const LONGEST_NAME: usize = 60;
/// No document holds more of a licence that nobody knows.
const LONGEST_TEXT: usize = 4096;
const OWN: &str = "LicenseRef-";

/// The licences of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Licence {
    expression: String,
    /// What each `LicenseRef-…` of the expression stands for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    texts: BTreeMap<String, String>,
}

impl Licence {
    /// Reads what somebody calls a licence: an SPDX expression, the name of a licence, or any text. Nothing where it says that there is none, or
    /// nothing.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if ["", "unknown", "noassertion", "none", "n/a"].contains(&text.to_ascii_lowercase().as_str()) {
            return None;
        }
        // Most are one of the list.
        if spdx::license_id(text).is_some_and(|id| !id.is_deprecated()) {
            return Some(Self { expression: text.to_string(), texts: BTreeMap::new() });
        }
        if text.len() <= LONGEST_TEXT
            && let Some(expression) = canonical(text).or_else(|| names::known(text).map(str::to_string))
        {
            let texts = own_names(&expression).into_iter().map(|own| (own.clone(), own)).collect();
            return Some(Self { expression, texts });
        }
        Some(Self::own(text))
    }

    /// A licence that SPDX's list does not know.
    pub(crate) fn own(text: &str) -> Self {
        let first = text.lines().next().unwrap_or_default();
        let mut slug: String =
            first.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' }).collect();
        while slug.contains("--") {
            slug = slug.replace("--", "-");
        }
        let mut slug = slug.trim_matches('-').to_string();
        if text.len() > LONGEST_NAME || slug.is_empty() {
            slug.truncate(32);
            slug = format!("{}-{}", slug.trim_matches('-'), hash(text.as_bytes(), 8)).trim_matches('-').to_string();
        }
        let name = format!("{OWN}{slug}");
        Self { expression: name.clone(), texts: BTreeMap::from([(name, shortened(text))]) }
    }

    /// Several that all hold.
    pub fn all(licences: impl IntoIterator<Item = Self>) -> Option<Self> {
        let (mut parts, mut texts) = (BTreeSet::new(), BTreeMap::new());
        for licence in licences {
            // Where nothing else is said, all parts hold.
            if !licence.expression.contains(" OR ") && !licence.expression.contains('(') {
                parts.extend(licence.expression.split(" AND ").map(str::to_string));
            } else {
                parts.insert(format!("({})", licence.expression));
            }
            texts.extend(licence.texts);
        }
        let parts: Vec<String> = parts.into_iter().collect();
        match parts.as_slice() {
            [] => None,
            [only] if only.starts_with('(') => Some(Self { expression: only[1..only.len() - 1].to_string(), texts }),
            parts => Some(Self { expression: parts.join(" AND "), texts }),
        }
    }

    /// Says what the names stand for that a document gave to licences of its own; names that mean nothing elsewhere become others.
    pub(crate) fn with_texts(mut self, known: &BTreeMap<String, String>) -> Self {
        for name in self.texts.keys().cloned().collect::<Vec<_>>() {
            let Some(text) = known.get(&name) else { continue };
            let is_number = name[OWN.len()..].bytes().all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
            let new = if is_number { format!("{name}-{}", hash(text.as_bytes(), 8)) } else { name.clone() };
            self.texts.remove(&name);
            self.texts.insert(new.clone(), shortened(text));
            let renamed = |word: &str| if word.trim_matches(['(', ')']) == name { word.replace(&name, &new) } else { word.to_string() };
            self.expression = self.expression.split(' ').map(renamed).collect::<Vec<_>>().join(" ");
        }
        self
    }

    /// The SPDX expression.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// What each `LicenseRef-…` of the expression stands for.
    pub fn texts(&self) -> &BTreeMap<String, String> {
        &self.texts
    }

    /// The only licence, where it is one that SPDX's list does not know: its own words.
    pub(crate) fn only_text(&self) -> Option<&str> {
        self.texts.get(&self.expression).map(String::as_str)
    }

    /// Whether it can be used without any licence that `accepts` refuses; of alternatives one is enough. A licence with an exception is refused
    /// with the licence.
    pub fn can_be(&self, mut accepts: impl FnMut(&str) -> bool) -> bool {
        self.evaluate(|whole, id| accepts(whole) && accepts(id))
    }

    /// Whether it can be used under licences that `accepts` names; of alternatives one is enough. A licence that is named may have an exception.
    pub fn can_be_some(&self, mut accepts: impl FnMut(&str) -> bool) -> bool {
        self.evaluate(|whole, id| accepts(whole) || accepts(id))
    }

    fn evaluate(&self, mut accepts: impl FnMut(&str, &str) -> bool) -> bool {
        let Ok(expression) = spdx::Expression::parse_mode(&self.expression, MODE) else {
            return accepts(&self.expression, &self.expression);
        };
        expression.evaluate(|requirement| {
            let whole = requirement.to_string();
            accepts(&whole, whole.split(" WITH ").next().unwrap_or_default())
        })
    }
}

const MODE: spdx::ParseMode = spdx::ParseMode {
    allow_slash_as_or_operator: false,
    allow_imprecise_license_names: false,
    allow_postfix_plus_on_gpl: false,
    allow_deprecated: true,
    allow_unknown: false,
};

/// The expression as SPDX writes it, where the text is one. Licences of other documents mean nothing here.
fn canonical(text: &str) -> Option<String> {
    let text: String = text.split_inclusive([' ', '(', ')', '/']).map(cased).collect();
    let written = spdx::Expression::canonicalize(&text).ok()?.unwrap_or(text);
    let is_foreign = |word: &str| word.starts_with("DocumentRef-") || word.starts_with("AdditionRef-");
    let is_own = !written.split([' ', '(', ')']).any(is_foreign);
    (is_own && spdx::Expression::parse_mode(&written, MODE).is_ok()).then_some(written)
}

/// A word of an expression with the letters of SPDX's list, where it is an identifier but for their case.
fn cased(word: &str) -> String {
    let id = word.trim_end_matches([' ', '(', ')', '/', '+']);
    let is_known = ["", "AND", "OR", "WITH"].contains(&id) || spdx::license_id(id).is_some();
    let mut known = spdx::identifiers::LICENSES.iter().map(|licence| licence.name);
    match known.find(|name| !is_known && name.eq_ignore_ascii_case(id)) {
        Some(name) => format!("{name}{}", &word[id.len()..]),
        None => word.to_string(),
    }
}

fn own_names(expression: &str) -> Vec<String> {
    let words = expression.split([' ', '(', ')']).filter(|word| word.starts_with(OWN));
    words.map(str::to_string).collect()
}

fn shortened(text: &str) -> String {
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= LONGEST_TEXT).last().unwrap_or(0);
    if text.len() <= LONGEST_TEXT { text.to_string() } else { format!("{}…", &text[..end]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_expressions() {
        for (text, expression) in [
            ("MIT", "MIT"),
            ("mit or apache-2.0", "MIT OR Apache-2.0"),
            ("Apache 2.0", "Apache-2.0"),
            ("Apache License, Version 2.0", "Apache-2.0"),
            ("MIT License", "MIT"),
            ("BSD 3-Clause License", "BSD-3-Clause"),
            ("GPL-2.0+", "GPL-2.0-or-later"),
            ("GPL-3.0", "GPL-3.0-only"),
            ("GPL-2.0-or-later WITH Autoconf-exception-2.0", "GPL-2.0-or-later WITH Autoconf-exception-2.0"),
            ("Own words", "LicenseRef-Own-words"),
            ("DocumentRef-a:LicenseRef-b", "LicenseRef-DocumentRef-a-LicenseRef-b"),
            ("LicenseRef-x AND MIT", "LicenseRef-x AND MIT"),
            ("***", "LicenseRef-9b8de80e"),
        ] {
            let licence = Licence::read(text).unwrap();
            assert_eq!(licence.expression().replace(&hash(b"***", 8), "9b8de80e"), expression, "{text}");
            assert!(canonical(licence.expression()).is_some(), "{text}");
        }
        for none in ["", " ", "UNKNOWN", "NOASSERTION", "NONE"] {
            assert_eq!(Licence::read(none), None);
        }
    }

    #[test]
    fn several_hold_together() {
        let all = |texts: &[&str]| Licence::all(texts.iter().filter_map(|text| Licence::read(text))).unwrap().expression;
        assert_eq!(all(&["MIT", "Apache-2.0", "MIT"]), "Apache-2.0 AND MIT");
        assert_eq!(all(&["MIT OR ISC", "Zlib"]), "(MIT OR ISC) AND Zlib");
        assert_eq!(all(&["MIT OR ISC"]), "MIT OR ISC");
        assert_eq!(all(&["MIT AND ISC", "ISC"]), "ISC AND MIT");
    }

    #[test]
    fn of_alternatives_one_is_enough() {
        let without = |text: &str, denied: &str| Licence::read(text).unwrap().can_be(|id| id != denied);
        assert!(without("MIT OR GPL-3.0-only", "GPL-3.0-only"));
        assert!(!without("MIT AND GPL-3.0-only", "GPL-3.0-only"));
        assert!(!without("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only"));
        assert!(!without("own", "LicenseRef-own"));
    }

    #[test]
    fn numbers_of_one_document_are_not_those_of_another() {
        let of = |text: &str| {
            let known = BTreeMap::from([("LicenseRef-1".to_string(), text.to_string())]);
            Licence::read("MIT AND (LicenseRef-1 OR ISC)").unwrap().with_texts(&known)
        };
        assert_ne!(of("a").expression(), of("b").expression());
        assert_eq!(of("a").texts().values().collect::<Vec<_>>(), ["a"]);
        assert!(canonical(of("a").expression()).is_some());
    }
}
