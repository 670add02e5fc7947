//! Words as Docker's builder reads them: divided by blanks, with quotes, escapes and variables (Dockerfile reference, "Environment
//! replacement").

use crate::error::{Context, Error, Result};
use std::iter::Peekable;
use std::str::Chars;

/// A Dockerfile can double a variable with every line.
const LONGEST: usize = 1 << 20;
/// Deeper nesting of `${a:-${b:-…}}` is no Dockerfile but an attack.
const DEEPEST: usize = 32;

/// Replaces variables.
pub(super) struct Words<'a> {
    /// What takes the meaning of the next letter away.
    pub escape: char,
    /// The value of a variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Words<'_> {
    /// A text with its variables replaced, and without quotes and escapes.
    ///
    /// # Errors
    /// When a quote or brace is not closed, or a variable must be set and is not.
    pub fn expand(&self, text: &str) -> Result<String> {
        let mut reader = Reader { words: self, rest: text.chars().peekable(), depth: 0 };
        reader.until(None).context(|| format!("cannot understand `{text}`"))
    }

    /// `NAME=VALUE …`, or the old form `NAME VALUE`, expanded.
    ///
    /// # Errors
    /// When there is no value, or as [`Words::expand`].
    pub fn pairs(&self, text: &str) -> Result<Vec<(String, String)>> {
        let words = split(text, self.escape);
        let first = words.first().context(|| "it needs arguments")?;
        if !first.contains('=') {
            let (name, value) = text.trim().split_once(char::is_whitespace).context(|| format!("`{text}` has no value"))?;
            return Ok(vec![(self.expand(name)?, self.expand(value.trim_start())?)]);
        }
        let pair = |word: &String| -> Result<(String, String)> {
            let (name, value) = word.split_once('=').context(|| format!("`{word}` is not of the form NAME=VALUE"))?;
            let name = self.expand(name)?;
            if name.is_empty() {
                return Err(Error::new(format!("`{word}` has no name")));
            }
            Ok((name, self.expand(value)?))
        };
        words.iter().map(pair).collect()
    }
}

/// The words of a text as they are written: blanks in quotes or behind an escape divide nothing.
pub(super) fn split(text: &str, escape: char) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match quote {
            None if letter.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if letter == '"' || letter == '\'' => quote = Some(letter),
            Some(open) if letter == open => quote = None,
            None | Some(_) => {}
        }
        word.push(letter);
        if letter == escape && quote != Some('\'') {
            word.extend(letters.next());
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

struct Reader<'a> {
    words: &'a Words<'a>,
    rest: Peekable<Chars<'a>>,
    depth: usize,
}

impl Reader<'_> {
    fn until(&mut self, end: Option<char>) -> Result<String> {
        let mut text = String::new();
        while let Some(letter) = self.rest.next() {
            match letter {
                _ if Some(letter) == end => return Ok(text),
                '\'' => self.single(&mut text)?,
                '"' => self.double(&mut text)?,
                '$' => text.push_str(&self.variable()?),
                _ if letter == self.words.escape => text.extend(self.rest.next()),
                _ => text.push(letter),
            }
            if text.len() > LONGEST {
                return Err(Error::new(format!("its value has more than {LONGEST} bytes")));
            }
        }
        end.map_or(Ok(text), |end| Err(Error::new(format!("`{end}` is missing"))))
    }

    fn single(&mut self, text: &mut String) -> Result<()> {
        for letter in self.rest.by_ref() {
            if letter == '\'' {
                return Ok(());
            }
            text.push(letter);
        }
        Err(Error::new("a single quote is not closed"))
    }

    fn double(&mut self, text: &mut String) -> Result<()> {
        while let Some(letter) = self.rest.next() {
            match letter {
                '"' => return Ok(()),
                '$' => text.push_str(&self.variable()?),
                _ if letter == self.words.escape => match self.rest.next() {
                    Some(next) if next == '"' || next == '$' || next == letter => text.push(next),
                    other => text.extend(std::iter::once(letter).chain(other)),
                },
                _ => text.push(letter),
            }
        }
        Err(Error::new("a double quote is not closed"))
    }

    /// What stands for a variable, behind its `$`.
    fn variable(&mut self) -> Result<String> {
        if self.rest.next_if_eq(&'{').is_some() {
            return self.braces();
        }
        let name = self.name();
        if name.is_empty() { Ok("$".into()) } else { Ok(self.value(&name).unwrap_or_default()) }
    }

    fn braces(&mut self) -> Result<String> {
        let name = self.name();
        if name.is_empty() {
            return Err(Error::new("`${` is not followed by the name of a variable"));
        }
        let value = self.value(&name);
        let first = self.rest.next().context(|| "`}` is missing")?;
        // With a colon, an empty value is none.
        let (value, operator) = match first {
            '}' => return Ok(value.unwrap_or_default()),
            ':' => (value.filter(|value| !value.is_empty()), self.rest.next().context(|| "`}` is missing")?),
            other => (value, other),
        };
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Error::new(format!("variables are nested more than {DEEPEST} deep")));
        }
        let word = self.until(Some('}'))?;
        self.depth -= 1;
        match (operator, value) {
            ('-', value) => Ok(value.unwrap_or(word)),
            ('+', value) => Ok(value.map(|_| word).unwrap_or_default()),
            ('?', Some(value)) => Ok(value),
            ('?', None) if word.is_empty() => Err(Error::new(format!("`{name}` is not set"))),
            ('?', None) => Err(Error::new(format!("{name}: {word}"))),
            (other, _) => Err(Error::new(format!("`${{{name}{other}…}}` is not offered; `:-`, `:+` and `:?` are"))),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(letter) = self.rest.next_if(|letter| *letter == '_' || letter.is_ascii_alphanumeric()) {
            name.push(letter);
            // `$1` is the first argument of a shell, which there is none of.
            if name.len() == 1 && letter.is_ascii_digit() {
                break;
            }
        }
        name
    }

    fn value(&self, name: &str) -> Option<String> {
        (self.words.variable)(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<T>(escape: char, read: impl Fn(&Words) -> T) -> T {
        let variable = |name: &str| match name {
            "a" => Some("one".into()),
            "b" => Some("two words".into()),
            "e" => Some(String::new()),
            _ => None,
        };
        read(&Words { escape, variable: &variable })
    }

    #[test]
    fn variables_are_replaced_as_dockers_builder_does() {
        for (text, expected) in [
            ("$a", "one"),
            ("x${a}y$a-$ab.", "xoneyone-."),
            ("'$a' \"$a $b\"", "$a one two words"),
            ("\\$a \\\\ \\'", "$a \\ '"),
            ("\"\\$a \\n \\\"\"", "$a \\n \""),
            ("${a:-x}${c:-x}${e:-x}${e-x}|", "onexx|"),
            ("${a:+x}${c:+x}${e:+x}${e+x}|", "xx|"),
            ("${c:-${d:-$b}}", "two words"),
            ("${c:-'}'}", "}"),
            ("${a:?gone}", "one"),
            ("$ $$ a$ $1 $-", "$ $$ a$  $-"),
            ("äö$a", "äöone"),
        ] {
            assert_eq!(words('\\', |words| words.expand(text)).unwrap(), expected, "{text}");
        }
        assert_eq!(words('`', |words| words.expand("`$a \\$a")).unwrap(), "$a \\one");
        for (text, expected) in [
            ("'a", "a single quote is not closed"),
            ("\"a", "a double quote is not closed"),
            ("${a", "`}` is missing"),
            ("${a:-x", "`}` is missing"),
            ("${}", "`${` is not followed by the name of a variable"),
            ("${c:?gone away}", "c: gone away"),
            ("${a#x}", "`${a#…}` is not offered; `:-`, `:+` and `:?` are"),
            (&"${c:-".repeat(100), "variables are nested more than 32 deep"),
        ] {
            assert_eq!(words('\\', |words| words.expand(text)).unwrap_err().causes().last().unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn pairs_come_in_two_forms() {
        let pairs = |text: &str| words('\\', |words| words.pairs(text)).map_err(|error| error.to_string());
        let pair = |name: &str, value: &str| (name.to_string(), value.to_string());
        assert_eq!(
            pairs("x=1 y=\"a b\" z=a\\ b w='=' v="),
            Ok(vec![pair("x", "1"), pair("y", "a b"), pair("z", "a b"), pair("w", "="), pair("v", "")])
        );
        assert_eq!(pairs("x  a=b  $a "), Ok(vec![pair("x", "a=b  one")]));
        assert_eq!(pairs("$a=$b \"l m\"=n"), Ok(vec![pair("one", "two words"), pair("l m", "n")]));
        assert_eq!(pairs("x"), Err("`x` has no value".into()));
        assert_eq!(pairs("x=1 y"), Err("`y` is not of the form NAME=VALUE".into()));
        assert_eq!(pairs("=1"), Err("`=1` has no name".into()));
    }

    #[test]
    fn no_value_grows_without_end() {
        let big = |_: &str| Some("x".repeat(LONGEST));
        assert!(Words { escape: '\\', variable: &big }.expand("$a$a").is_err());
    }
}
