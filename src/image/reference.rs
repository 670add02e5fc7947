//! The name of an image: `[registry/]repository[:tag][@digest]`, in Docker's grammar (IMG rows).

use super::Digest;
use crate::error::{Error, Result};
use std::fmt;

/// The registry of names that give none.
const DEFAULT_REGISTRY: &str = "index.docker.io";
/// Where that registry keeps names of one part.
const DEFAULT_NAMESPACE: &str = "library";
const DEFAULT_TAG: &str = "latest";
/// Also of a name that was completed.
const LONGEST_REPOSITORY: usize = 255;

/// A parsed and completed image name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
    written: String,
}

impl Reference {
    /// Reads a name as a person writes it.
    ///
    /// # Errors
    /// When the text is no image name; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::new(format!("`{text}` is not an image name: {why}")).hint("write NAME, NAME:TAG or REGISTRY/NAME:TAG in lower case")
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest).map_err(|error| wrong(error.to_string()))?)),
            None => (text, None),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag {
            check_tag(tag).map_err(&wrong)?;
        }
        let (registry, repository) = split_registry(name);
        check_registry(registry).map_err(&wrong)?;
        check_repository(repository).map_err(&wrong)?;
        let on_default = registry == DEFAULT_REGISTRY;
        let repository =
            if on_default && !repository.contains('/') { format!("{DEFAULT_NAMESPACE}/{repository}") } else { repository.to_string() };
        if repository.len() > LONGEST_REPOSITORY {
            return Err(wrong(format!("it is longer than {LONGEST_REPOSITORY} letters")));
        }
        let tag = tag.map(str::to_string).or_else(|| digest.is_none().then(|| DEFAULT_TAG.to_string()));
        Ok(Self { registry: registry.to_string(), repository, tag, digest, written: text.to_string() })
    }

    /// Reads the name for a new image, whose digest nobody can know yet (IMG-02).
    ///
    /// # Errors
    /// When the text is no image name, or pins a digest.
    pub fn parse_new(text: &str) -> Result<Self> {
        let name = Self::parse(text)?;
        match name.digest {
            None => Ok(name),
            Some(_) => Err(Error::new(format!("`{text}` cannot name a new image: it pins a digest")).hint("name it by a tag: NAME:TAG")),
        }
    }

    /// What a registry is asked for: the digest, else the tag.
    pub fn wanted(&self) -> &str {
        self.digest.as_ref().map_or_else(|| self.tag().unwrap_or("latest"), Digest::as_str)
    }

    /// Host and port of the registry.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Whether the name was written with its registry.
    pub fn has_host(&self) -> bool {
        let first = self.written.split('/').next().unwrap_or_default();
        self.registry != DEFAULT_REGISTRY || ["docker.io", DEFAULT_REGISTRY].contains(&first)
    }

    /// The repository on the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `latest` where neither tag nor digest was given.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, where the name pins one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The name in full, as `index.docker.io/library/app:latest`.
    pub fn full(&self) -> String {
        let mut full = format!("{}/{}", self.registry, self.repository);
        if let Some(tag) = &self.tag {
            full.push_str(&format!(":{tag}"));
        }
        if let Some(digest) = &self.digest {
            full.push_str(&format!("@{digest}"));
        }
        full
    }

    /// The name of an image of the same repository by its digest.
    pub fn pinned(&self, digest: &Digest) -> Self {
        let written = format!("{}/{}@{digest}", self.registry, self.repository);
        Self { registry: self.registry.clone(), repository: self.repository.clone(), tag: None, digest: Some(digest.clone()), written }
    }

    /// The repository with its registry, as engines call it: `docker.io/library/app`.
    pub fn in_engines(&self) -> String {
        let registry = if self.registry == DEFAULT_REGISTRY { "docker.io" } else { &self.registry };
        format!("{registry}/{}", self.repository)
    }

    /// The name as people write it: without what is understood by itself.
    pub fn familiar(&self) -> String {
        let full = self.full();
        let default = format!("{DEFAULT_REGISTRY}/");
        let short = full.strip_prefix(&default).unwrap_or(&full);
        short.strip_prefix(&format!("{DEFAULT_NAMESPACE}/")).unwrap_or(short).to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written)
    }
}

/// The part before the first `/` is a registry where it has a dot or a colon, is `localhost`, or has upper case.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some(("docker.io" | DEFAULT_REGISTRY, rest)) => (DEFAULT_REGISTRY, rest),
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" || first.chars().any(char::is_uppercase) => (first, rest),
        _ => (DEFAULT_REGISTRY, name),
    }
}

fn check_registry(registry: &str) -> Result<(), String> {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
            ("v6", rest.strip_prefix(':').or(rest.is_empty().then_some("0")))
        }
        Some(_) => return Err(format!("`{registry}` is not a registry")),
        None => registry.split_once(':').map_or((registry, Some("0")), |(host, port)| (host, Some(port))),
    };
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let good_port = port.is_some_and(|port| port.parse::<u16>().is_ok());
    if good_port && host.split('.').all(label) { Ok(()) } else { Err(format!("`{registry}` is not a registry")) }
}

fn check_repository(repository: &str) -> Result<(), String> {
    if repository.is_empty() {
        return Err("the name is empty".into());
    }
    if repository.len() == 64 && repository.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err("64 hexadecimal digits are an image's ID".into());
    }
    if repository.chars().any(char::is_uppercase) {
        return Err("it has upper-case letters".into());
    }
    match repository.split('/').find(|part| !is_component(part)) {
        Some(part) => Err(format!("`{part}` cannot be part of a name")),
        None => Ok(()),
    }
}

/// Lower-case letters and digits, separated by one `.`, one or two `_`, or any number of `-`.
fn is_component(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = part.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !alphanumeric(*first) || !alphanumeric(*last) {
        return false;
    }
    part.split(|letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-'))
}

fn check_tag(tag: &str) -> Result<(), String> {
    let letters = tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'));
    let good = !tag.is_empty() && tag.len() <= 128 && letters && !tag.starts_with(['.', '-']);
    if good { Ok(()) } else { Err(format!("`{tag}` is not a tag")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_docker_completes_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (written, full) in [
            ("my-app", "index.docker.io/library/my-app:latest".to_string()),
            ("x", "index.docker.io/library/x:latest".to_string()),
            ("team/app:1", "index.docker.io/team/app:1".to_string()),
            ("docker.io/app", "index.docker.io/library/app:latest".to_string()),
            ("localhost/app", "localhost/app:latest".to_string()),
            ("127.0.0.1:5000/a/b:v1", "127.0.0.1:5000/a/b:v1".to_string()),
            ("[::1]:5000/x", "[::1]:5000/x:latest".to_string()),
            ("UPPER/x", "UPPER/x:latest".to_string()),
            (&format!("r.io/app@{digest}"), format!("r.io/app@{digest}")),
        ] {
            assert_eq!(Reference::parse(written).unwrap().full(), full, "{written}");
        }
        assert_eq!(Reference::parse("index.docker.io/library/app:latest").unwrap().familiar(), "app:latest");
    }

    /// IMG-02.
    #[test]
    fn a_new_image_has_no_digest_yet() {
        assert!(Reference::parse_new("app:1").is_ok());
        let error = Reference::parse_new(&format!("app@{}", Digest::of(b""))).unwrap_err();
        assert!(error.to_string().contains("pins a digest"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (written, why) in [
            ("", "the name is empty"),
            ("My-App", "upper-case"),
            ("a//b", "cannot be part"),
            ("a..b", "cannot be part"),
            ("-a", "cannot be part"),
            ("a:", "is not a tag"),
            ("a:b c", "is not a tag"),
            ("bad_host.io:x/y", "is not a registry"),
            ("a@sha256:1", "not a SHA-256 digest"),
            ("../x", "is not a registry"),
            (&"a".repeat(248), "longer than 255 letters"),
            (&format!("a/{}", "a".repeat(254)), "longer than 255 letters"),
        ] {
            let error = Reference::parse(written).unwrap_err().to_string();
            assert!(error.contains(why), "{written}: {error}");
        }
    }
}
