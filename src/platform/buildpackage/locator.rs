//! What people write for a buildpack or an extension, in the forms of `pack` (REG-07).

use crate::error::{Context, Error, Result};
use crate::image::Reference;
use crate::platform::place::Place;
use crate::store::Store;
use semver::Version;
use std::fmt;
use std::path::{Path, PathBuf};

const FORMS: &str = "write a folder, a file (.tgz, .cnb), a URL, `docker://IMAGE`, `urn:cnb:registry:NAMESPACE/NAME@VERSION` or \
                     `urn:cnb:builder:ID@VERSION`";

/// Where a buildpack or an extension is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locator {
    /// In a folder or a file.
    Path(PathBuf),
    /// Behind an address of the web: a file.
    Url(String),
    /// In the image of a package.
    Image(Place),
    /// In the buildpack registry.
    Registry {
        /// Its ID.
        id: String,
        /// Its version; the newest where there is none.
        version: Option<String>,
    },
    /// On the builder.
    OnBuilder {
        /// Its ID.
        id: String,
        /// Its version; the only one where there is none.
        version: Option<String>,
    },
    /// The builder's own order.
    BuilderOrder,
}

/// What a name without a scheme may mean.
pub struct Known<'a> {
    /// The folder that paths are relative to.
    pub base: &'a Path,
    /// ID and version of what is on the builder, where there is one.
    pub on_builder: &'a [(String, String)],
    /// Images on this machine come before the registry.
    pub store: &'a Store,
}

impl Locator {
    /// Reads a locator. A name without a scheme means, in this order: a path that is there, what is on the builder, an image of the store,
    /// what the registry has, an image.
    ///
    /// # Errors
    /// When the text is none of it, or names what the builder does not have.
    pub fn parse(text: &str, known: &Known) -> Result<Self> {
        if text == "from=builder" {
            return Ok(Self::BuilderOrder);
        }
        for prefix in ["urn:cnb:builder:", "from=builder:"] {
            if let Some(name) = text.strip_prefix(prefix) {
                return on_builder(name, known).context(|| format!("the builder does not have `{name}`"));
            }
        }
        if let Some(name) = text.strip_prefix("urn:cnb:registry:") {
            return in_registry(name)
                .context(|| format!("`{name}` cannot be in a buildpack registry: write NAMESPACE/NAME or NAMESPACE/NAME@VERSION"));
        }
        if let Some(path) = text.strip_prefix("file://") {
            let path = path.strip_prefix("localhost").unwrap_or(path);
            return Ok(Self::Path(decoded(path).into()));
        }
        match text.split_once(':') {
            Some(("http" | "https", rest)) if rest.starts_with("//") => Ok(Self::Url(text.into())),
            Some(("docker" | "oci" | "docker-archive" | "store", _)) => Place::parse(text).map(Self::Image),
            Some((scheme, rest)) if rest.starts_with("//") => Err(Error::new(format!("`{scheme}` is no kind of place")).hint(FORMS)),
            _ => Self::parse_name(text, known),
        }
        .context(|| format!("cannot tell what `{text}` is"))
    }

    fn parse_name(text: &str, known: &Known) -> Result<Self> {
        let path = known.base.join(text);
        let missing = || Error::new(format!("there is no `{}`", path.display())).hint(FORMS);
        if !text.is_empty() && path.exists() {
            return Ok(Self::Path(path));
        }
        // Images could be called so, but nobody means one.
        let is_file = [".tgz", ".tar", ".tar.gz", ".cnb", ".toml"].iter().any(|ending| text.ends_with(ending));
        if text.is_empty() || is_file || text.starts_with(['.', '/']) {
            return Err(missing());
        }
        if let Some(found) = on_builder(text, known) {
            return Ok(found);
        }
        let image = Reference::parse(text);
        let in_store = image.as_ref().ok().map(|name| known.store.find(name)).transpose()?.flatten().is_some();
        match (in_registry(text), image) {
            (_, Ok(name)) if in_store => Ok(Self::Image(Place::Store(name))),
            (Some(registered), _) => Ok(registered),
            (None, Ok(name)) => Ok(Self::Image(Place::Name(name))),
            (None, Err(_)) => Err(missing()),
        }
    }

    /// Reads the name of an image, in the forms of every command.
    ///
    /// # Errors
    /// When the text is none.
    pub fn image(text: &str) -> Result<Self> {
        Place::parse(text).map(Self::Image)
    }
}

fn on_builder(name: &str, known: &Known) -> Option<Locator> {
    let (id, version) = split(name);
    let has = |(other, found): &(String, String)| other == id && version.is_none_or(|version| version == found);
    known.on_builder.iter().any(has).then(|| Locator::OnBuilder { id: id.into(), version: version.map(Into::into) })
}

fn in_registry(name: &str) -> Option<Locator> {
    let (id, version) = split(name);
    let good_version = version.is_none_or(|version| Version::parse(version).is_ok());
    (super::index::is_id(id) && good_version).then(|| Locator::Registry { id: id.into(), version: version.map(Into::into) })
}

/// ID and version.
pub fn split(name: &str) -> (&str, Option<&str>) {
    name.split_once('@').map_or((name, None), |(id, version)| (id, Some(version)))
}

/// The text without `%20` and the like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Display for Locator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |version: &Option<String>| version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
        match self {
            Self::Path(path) => write!(formatter, "{}", path.display()),
            Self::Url(url) => formatter.write_str(url),
            Self::Image(place) => write!(formatter, "{place}"),
            Self::Registry { id, version } => write!(formatter, "urn:cnb:registry:{id}{}", at(version)),
            Self::OnBuilder { id, version } => write!(formatter, "urn:cnb:builder:{id}{}", at(version)),
            Self::BuilderOrder => formatter.write_str("from=builder"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REG-07.
    #[test]
    fn locators_are_those_of_pack() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        std::fs::create_dir_all(folder.path().join("acme/here")).unwrap();
        let made = store.read(&store.put_image(&crate::image::Image::default()).unwrap().digest).unwrap();
        store.name(&Reference::parse("acme/kept").unwrap(), &made).unwrap();
        let on_builder = [("acme/built".to_string(), "1.0.0".to_string())];
        let known = Known { base: folder.path(), on_builder: &on_builder, store: &store };
        let text = |locator: &str| Locator::parse(locator, &known).map(|locator| locator.to_string());
        let here = folder.path().join("acme/here").display().to_string();
        for (written, meant) in [
            ("from=builder", "from=builder"),
            ("from=builder:acme/built@1.0.0", "urn:cnb:builder:acme/built@1.0.0"),
            ("urn:cnb:builder:acme/built", "urn:cnb:builder:acme/built"),
            ("acme/built", "urn:cnb:builder:acme/built"),
            ("urn:cnb:registry:acme/node", "urn:cnb:registry:acme/node"),
            ("acme/node@3.1.0", "urn:cnb:registry:acme/node@3.1.0"),
            ("acme/node", "urn:cnb:registry:acme/node"),
            ("acme/kept", "store://acme/kept:latest"),
            ("acme/here", here.as_str()),
            ("file:///a%20b", "/a b"),
            ("https://a.test/x.tgz", "https://a.test/x.tgz"),
            ("docker://r.test/bp:1", "docker://r.test/bp:1"),
            ("r.test/bp:1", "r.test/bp:1"),
            ("oci:folder:tag", "oci:folder:tag"),
        ] {
            assert_eq!(text(written).unwrap(), meant, "{written}");
        }
        for bad in
            ["", "./nowhere", "urn:cnb:builder:acme/node", "urn:cnb:registry:node", "urn:cnb:registry:a/b@x", "ftp://x", "Not A Name"]
        {
            assert!(text(bad).is_err(), "{bad}");
        }
    }
}
