//! Package URLs: read to find out whether two name the same package, and written for packages of databases.

use std::collections::BTreeMap;
use std::fmt;

/// Qualifiers that describe a package, and do not tell it from another one.
const DESCRIPTIVE: [&str; 10] =
    ["distro", "upstream", "package-id", "vcs_url", "download_url", "checksum", "checksums", "repository_url", "epoch", "origin"];

/// A package URL, its parts decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purl {
    /// The type, as `deb`.
    pub kind: String,
    /// What names are unique in, as `debian`; may have several parts with `/` between them.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The version; empty where it has none.
    pub version: String,
    /// What else tells packages apart, or describes one.
    pub qualifiers: BTreeMap<String, String>,
    /// A folder within the package.
    pub subpath: String,
}

impl Purl {
    /// Reads a package URL; nothing where the text is none.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("pkg:")?.trim_start_matches('/');
        let (rest, subpath) = rest.split_once('#').unwrap_or((rest, ""));
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.split_once('/')?;
        let rest = rest.trim_matches('/');
        // A scope of npm's is an `@` that begins a namespace.
        let (path, version) = match rest.rsplit_once('@') {
            Some((path, version)) if !path.is_empty() && !version.contains('/') => (path, version),
            _ => (rest, ""),
        };
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-_".contains(&byte));
        let qualifiers = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(key, value)| is_word(key) && !value.is_empty());
        let name = decoded(name);
        (is_word(kind) && !name.is_empty()).then(|| Self {
            kind: kind.to_ascii_lowercase(),
            namespace: parts(namespace),
            name,
            version: decoded(version),
            qualifiers: qualifiers.map(|(key, value)| (key.to_ascii_lowercase(), decoded(value))).collect(),
            subpath: parts(subpath),
        })
    }

    /// The same for every package URL of the same package.
    pub(crate) fn key(mut self) -> String {
        self.qualifiers.retain(|key, _| !DESCRIPTIVE.contains(&key.as_str()));
        if self.kind == "pypi" {
            self.name = self.name.to_ascii_lowercase().replace(['_', '.'], "-");
        }
        if self.kind != "deb" && self.kind != "apk" {
            self.qualifiers.remove("arch");
        }
        self.to_string()
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "pkg:{}/", self.kind)?;
        for part in self.namespace.split('/').filter(|part| !part.is_empty()) {
            write!(formatter, "{}/", encoded(part))?;
        }
        formatter.write_str(&encoded(&self.name))?;
        if !self.version.is_empty() {
            write!(formatter, "@{}", encoded(&self.version))?;
        }
        for (at, (key, value)) in self.qualifiers.iter().enumerate() {
            write!(formatter, "{}{key}={}", if at == 0 { '?' } else { '&' }, encoded(value))?;
        }
        let subpath: Vec<String> = self.subpath.split('/').filter(|part| !part.is_empty()).map(encoded).collect();
        if subpath.is_empty() { Ok(()) } else { write!(formatter, "#{}", subpath.join("/")) }
    }
}

fn encoded(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => written.push(char::from(byte)),
            _ => written.push_str(&format!("%{byte:02X}")),
        }
    }
    written
}

/// Decoded parts with one `/` between them.
fn parts(text: &str) -> String {
    decoded(text).split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
}

fn decoded(text: &str) -> String {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (bytes, mut found, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                found.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
            }
            _ => {
                found.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&found).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_are_read_and_written() {
        for text in [
            "pkg:deb/debian/passwd@1%3A4.13%2Bdfsg1-1?arch=amd64&distro=debian-12&upstream=shadow",
            "pkg:npm/%40babel/core@7.0.0",
            "pkg:golang/github.com/a/b@v1#cmd/x",
            "pkg:generic/x",
        ] {
            assert_eq!(Purl::parse(text).unwrap().to_string(), text);
        }
        for none in ["", "pkg:", "pkg:deb", "pkg:deb/", "deb/a", "pkg:/"] {
            assert_eq!(Purl::parse(none), None, "{none}");
        }
        assert_eq!(Purl::parse("pkg:x/%zz%4@%").unwrap().version, "%");
    }

    #[test]
    fn keys_leave_out_what_only_describes() {
        let key = |text: &str| Purl::parse(text).unwrap().key();
        assert_eq!(key("pkg:deb/debian/a@1?arch=amd64&distro=debian-12&upstream=b"), key("pkg:deb/debian/a@1?arch=amd64"));
        assert_ne!(key("pkg:deb/debian/a@1?arch=amd64"), key("pkg:deb/debian/a@1?arch=i386"));
        assert_eq!(key("pkg:pypi/Zope.Interface@1"), key("pkg:pypi/zope-interface@1"));
        assert_eq!(key("pkg:npm/@babel/core@7"), key("pkg:npm/%40babel/core@7"));
        assert_ne!(key("pkg:maven/a/b@1?classifier=x"), key("pkg:maven/a/b@1"));
    }
}
