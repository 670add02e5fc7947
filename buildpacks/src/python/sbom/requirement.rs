//! What one package needs of others, and under which conditions (PEP 508).

use super::Extras;
use std::cmp::Ordering;

/// A requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The folded name of what is needed.
    pub name: String,
    /// The extras of it that are needed.
    pub extras: Vec<String>,
    marker: String,
}

/// What markers ask about.
#[derive(Clone, Debug)]
pub struct Environment {
    python: String,
}

/// A name as indexes fold it (PEP 503).
pub fn folded(name: &str) -> String {
    let mut folded = String::new();
    for letter in name.trim().to_ascii_lowercase().chars() {
        match letter {
            '-' | '_' | '.' if folded.ends_with('-') => {}
            '-' | '_' | '.' => folded.push('-'),
            letter => folded.push(letter),
        }
    }
    folded
}

impl Requirement {
    /// Reads a requirement; nothing where it names no package.
    pub fn parse(text: &str) -> Option<Self> {
        let (what, marker) = text.split_once(';').unwrap_or((text, ""));
        let end = what.find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter)).unwrap_or(what.len());
        let extras = what[end..].trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or("", |(extras, _)| extras);
        let name = folded(&what[..end]);
        let extras = extras.split(',').map(folded).filter(|extra| !extra.is_empty()).collect();
        (!name.is_empty()).then(|| Self { name, extras, marker: marker.trim().to_string() })
    }

    /// Whether a package named `own` needs it here, with the extras that are asked for.
    pub fn applies(&self, environment: &Environment, own: &str, extras: &Extras) -> bool {
        self.marker.is_empty() || Marker { words: words(&self.marker), at: 0, environment, own, extras }.any().unwrap_or(true)
    }
}

/// Extras in a list of requirements or a `pyproject.toml`, wherever a name is followed by some in brackets.
pub fn extras_in(text: &str) -> Extras {
    let mut found = Extras::new();
    for line in text.lines().map(|line| line.split('#').next().unwrap_or_default()) {
        for (at, _) in line.match_indices('[') {
            let name: String =
                line[..at].chars().rev().take_while(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter)).collect();
            let name: String = name.chars().rev().collect();
            let Some((extras, _)) = line[at + 1..].split_once(']') else { continue };
            let is_plain =
                |extra: &&str| !extra.is_empty() && extra.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
            if !name.is_empty() {
                found.extend(extras.split(',').map(str::trim).filter(is_plain).map(|extra| (folded(&name), folded(extra))));
            }
        }
    }
    found
}

impl Environment {
    /// That of an image with a version of Python.
    pub fn of(python: &str) -> Self {
        Self { python: python.to_string() }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        Some(match name {
            "python_version" | "python_full_version" | "implementation_version" => &self.python,
            "os_name" => "posix",
            "sys_platform" => "linux",
            "platform_system" => "Linux",
            "platform_machine" => std::env::consts::ARCH,
            "platform_python_implementation" => "CPython",
            "implementation_name" => "cpython",
            _ => return None,
        })
    }
}

/// A marker while it is evaluated; nothing comes of one that makes no sense.
struct Marker<'a> {
    words: Vec<String>,
    at: usize,
    environment: &'a Environment,
    own: &'a str,
    extras: &'a Extras,
}

impl Marker<'_> {
    fn next(&mut self) -> Option<String> {
        self.at += 1;
        self.words.get(self.at - 1).cloned()
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Option<bool> {
        let mut holds = self.all()?;
        while self.takes("or") {
            holds |= self.all()?;
        }
        Some(holds)
    }

    fn all(&mut self) -> Option<bool> {
        let mut holds = self.one()?;
        while self.takes("and") {
            holds &= self.one()?;
        }
        Some(holds)
    }

    fn one(&mut self) -> Option<bool> {
        if self.takes("(") {
            // Nobody nests them this deep, and each takes room on the stack.
            let inner = if self.at > 200 { None } else { self.any() };
            return inner.filter(|_| self.takes(")"));
        }
        let (left, operator) = (self.next()?, self.next()?);
        let operator = if operator == "not" && self.takes("in") { "not in".into() } else { operator };
        let right = self.next()?;
        if left == "extra" {
            let asked = self.extras.contains(&(self.own.to_string(), folded(right.trim_matches(['\'', '"']))));
            return Some(asked == (operator == "=="));
        }
        let is_version = [&left, &right].iter().any(|word| word.contains("version"));
        let value = |word: &str| match word.strip_prefix(['\'', '"']) {
            Some(text) => Some(text.trim_end_matches(['\'', '"']).to_string()),
            None => self.environment.variable(word).map(str::to_string),
        };
        compared(&value(&left)?, &operator, &value(&right)?, is_version)
    }
}

fn compared(left: &str, operator: &str, right: &str, is_version: bool) -> Option<bool> {
    let order = || if is_version { versions(left, right.trim_end_matches(".*")) } else { left.cmp(right) };
    Some(match operator {
        "==" | "===" => order() == Ordering::Equal,
        "!=" => order() != Ordering::Equal,
        "<" => order() == Ordering::Less,
        "<=" => order() != Ordering::Greater,
        ">" => order() == Ordering::Greater,
        ">=" | "~=" => order() != Ordering::Less,
        "in" => right.contains(left),
        "not in" => !right.contains(left),
        _ => return None,
    })
}

/// Versions of Python, as far as both say them.
fn versions(one: &str, other: &str) -> Ordering {
    let numbers = |text: &str| text.split('.').map(|number| number.parse::<u32>().unwrap_or(0)).collect::<Vec<_>>();
    let (one, other) = (numbers(one), numbers(other));
    let count = one.len().min(other.len());
    one[..count].cmp(&other[..count])
}

fn words(text: &str) -> Vec<String> {
    let (mut words, mut rest) = (Vec::new(), text.trim_start());
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '(' | ')' => 1,
            '\'' | '"' => rest[1..].find(first).map_or(rest.len(), |at| at + 2),
            '<' | '>' | '=' | '!' | '~' => rest.find(|letter: char| !"<>=!~".contains(letter)).unwrap_or(rest.len()),
            _ => rest.find(|letter: char| letter.is_whitespace() || "()<>=!~'\"".contains(letter)).unwrap_or(rest.len()),
        };
        words.push(rest[..end].to_string());
        rest = rest[end..].trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_evaluated_for_the_image() {
        let environment = Environment::of("3.13");
        let extras = Extras::from([("own".to_string(), "fast".to_string())]);
        for (marker, expected) in [
            ("python_version < '3.11'", false),
            ("python_version >= \"3.9\"", true),
            ("python_full_version < '3.13.5'", false),
            ("sys_platform == 'win32' or os_name == 'posix'", true),
            ("(sys_platform != 'win32' and (sys_platform != 'cygwin')) and extra == 'Fast'", true),
            ("extra == 'slow'", false),
            ("platform_system not in 'Windows,Darwin'", true),
            ("nonsense", true),
            ("(", true),
            ("", true),
        ] {
            let needed = Requirement::parse(&format!("a>=1; {marker}")).unwrap();
            assert_eq!(needed.applies(&environment, "own", &extras), expected, "{marker}");
        }
        assert!(Requirement::parse(&format!("a; {}", "(".repeat(10_000))).unwrap().applies(&environment, "own", &extras));
    }

    #[test]
    fn names_and_extras_are_read() {
        let needed = Requirement::parse("Foo__Bar[a, b] (>=1)").unwrap();
        assert_eq!((needed.name.as_str(), needed.extras), ("foo-bar", vec!["a".to_string(), "b".to_string()]));
        let found = extras_in("uvicorn[standard]==1 # x[y]\n[tool.uv]\ndependencies = [\"a[b,c]\"]\n");
        let told: Vec<_> = found.iter().map(|(name, extra)| format!("{name} {extra}")).collect();
        assert_eq!(told, ["a b", "a c", "uvicorn standard"]);
    }
}
