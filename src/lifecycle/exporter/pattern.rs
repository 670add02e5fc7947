//! The patterns of slices: Go's `filepath.Match`, byte for byte, as the CNB specification says.

use crate::error::{Error, Result};

/// Whether `name` matches the whole of `pattern`: `*` and `?` stop at a slash, `[a-z]` and `[^a-z]` are classes, `\` takes the next
/// character as it is.
pub fn matches(pattern: &str, name: &[u8]) -> Result<bool> {
    let tokens = parse(pattern)?;
    // A name that is not UTF-8 is matched with each broken byte as one character that no pattern can name.
    let name: Vec<char> = String::from_utf8_lossy(name).chars().collect();
    Ok(matches_tokens(&tokens, &name))
}

/// Checks a pattern without matching anything.
pub fn check(pattern: &str) -> Result<()> {
    parse(pattern).map(|_| ())
}

enum Token {
    Any,
    AnyOne,
    One(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

fn matches_tokens(tokens: &[Token], name: &[char]) -> bool {
    // Where the last `*` stood, and how many characters it has taken: each retry lets it take one more.
    let mut retry: Option<(usize, usize)> = None;
    let (mut token, mut place) = (0, 0);
    loop {
        match tokens.get(token) {
            Some(Token::Any) => {
                retry = Some((token, place));
                token += 1;
                continue;
            }
            Some(one) if name.get(place).is_some_and(|character| matches_one(one, *character)) => {
                token += 1;
                place += 1;
                continue;
            }
            None if place == name.len() => return true,
            Some(_) | None => {}
        }
        match retry {
            Some((star, taken)) if name.get(taken).is_some_and(|character| *character != '/') => {
                retry = Some((star, taken + 1));
                token = star + 1;
                place = taken + 1;
            }
            Some(_) | None => return false,
        }
    }
}

fn matches_one(token: &Token, character: char) -> bool {
    match token {
        Token::Any => false,
        Token::AnyOne => character != '/',
        Token::One(wanted) => *wanted == character,
        // A class may match a slash, in Go too.
        Token::Class { negated, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *negated,
    }
}

fn parse(pattern: &str) -> Result<Vec<Token>> {
    let bad =
        || Error::new(format!("the pattern `{pattern}` of a slice is malformed")).hint("see Go's filepath.Match for what it may hold");
    let mut characters = pattern.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' => Token::Any,
            '?' => Token::AnyOne,
            '\\' => Token::One(characters.next().ok_or_else(bad)?),
            '[' => class(&mut characters).ok_or_else(bad)?,
            other => Token::One(other),
        });
    }
    Ok(tokens)
}

fn class(characters: &mut std::iter::Peekable<std::str::Chars>) -> Option<Token> {
    let negated = characters.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && characters.next_if_eq(&']').is_some() {
            return Some(Token::Class { negated, ranges });
        }
        let low = class_character(characters)?;
        let high = if characters.next_if_eq(&'-').is_some() { class_character(characters)? } else { low };
        ranges.push((low, high));
    }
}

fn class_character(characters: &mut std::iter::Peekable<std::str::Chars>) -> Option<char> {
    match characters.next()? {
        '-' | ']' => None,
        '\\' => characters.next(),
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SLC-02: what Go's own table of `filepath.Match` says.
    #[test]
    fn patterns_match_as_in_go() {
        let table = [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[\\-x]", "-", true),
            ("[x\\-]", "z", false),
            ("*x", "xxx", true),
            ("", "", true),
            ("**/x", "a/x", true),
            ("**/x", "a/b/x", false),
            ("*.rb", "lib/a.rb", false),
            ("dir/*", "dir/a", true),
            ("dir/*", "dir/a/b", false),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(matches(pattern, name.as_bytes()).expect("a good pattern"), expected, "{pattern} {name}");
        }
    }

    /// SLC-11.
    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in ["[", "[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[^", "[^bc", "a[", "\\", "[a\\"] {
            let error = check(pattern).expect_err(pattern);
            assert!(error.to_string().contains(pattern), "{error}");
        }
    }
}
