//! Relations between packages, as `a (>= 1) | b, c:any` (Debian Policy, "Syntax of relationship fields").

/// One alternative: a package and perhaps versions of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Relation<'a> {
    /// The package, or what others provide.
    pub name: &'a str,
    /// `>=` and the like, and the version; `None` where any will do.
    pub version: Option<(&'a str, &'a str)>,
}

/// The clauses of a field, each a list of alternatives. What cannot be read is left out.
pub(super) fn clauses(field: &str) -> impl Iterator<Item = Vec<Relation<'_>>> {
    field.split(',').map(|clause| clause.split('|').filter_map(relation).collect::<Vec<_>>()).filter(|clause| !clause.is_empty())
}

/// One relation; nothing where it cannot be read.
pub(super) fn relation(text: &str) -> Option<Relation<'_>> {
    let text = text.trim();
    let end = text.find([' ', '(', '[', ':', '\t']).unwrap_or(text.len());
    let name = &text[..end];
    if name.is_empty() {
        return None;
    }
    let version = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')).and_then(|(inner, _)| {
        let inner = inner.trim();
        let at = inner.find(|letter: char| !matches!(letter, '<' | '>' | '='))?;
        Some((&inner[..at], inner[at..].trim()))
    });
    Some(Relation { name, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_and_alternatives_are_read() {
        let found: Vec<_> = clauses("libc6 (>= 2.38), python3:any | python3-minimal (<<4), , a [amd64]").collect();
        let plain = |name| Relation { name, version: None };
        assert_eq!(found[0], [Relation { name: "libc6", version: Some((">=", "2.38")) }]);
        assert_eq!(found[1], [plain("python3"), Relation { name: "python3-minimal", version: Some(("<<", "4")) }]);
        assert_eq!(found[2], [plain("a")]);
        assert_eq!(found.len(), 3);
    }
}
