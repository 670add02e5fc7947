//! Where an image is or goes to, as every command writes it.

use crate::error::{Error, Result};
use crate::image::Reference;
use std::fmt;
use std::path::{Path, PathBuf};

/// What people write for each kind of place.
const FORMS: &str = "write NAME, `oci:DIR[:TAG]`, `docker-archive:FILE[:NAME]`, `docker:NAME` (an engine), `docker://NAME` (a registry) or \
                     `store://NAME`";

/// A place for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In an OCI image layout: `oci:DIR[:TAG]`. Other images in it stay (OCI Image Specification, image-layout).
    Layout {
        /// The layout's folder.
        folder: PathBuf,
        /// The image's name in it; none where it has only one, or is to get its own.
        tag: Option<String>,
    },
    /// In one file as `docker save` writes it: `docker-archive:FILE[:NAME]`.
    Archive {
        /// The file.
        file: PathBuf,
        /// The image's name in it; none where it has only one, or is to get its own.
        name: Option<Reference>,
    },
    /// In a Docker or Podman engine: `docker:[NAME]`; without a name under the image's own. A registry's port is a number, so no image has such a
    /// name.
    Engine(Option<Reference>),
    /// In a registry: `docker://NAME`.
    Registry(Reference),
    /// In the store: `store://NAME`.
    Store(Reference),
    /// In the store, or in the registry that the name says: `NAME`.
    Name(Reference),
}

impl Place {
    /// Reads a place.
    ///
    /// # Errors
    /// When the text is none; the hint lists what there is.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::new(format!("`{text}` is no place for an image: {why}")).hint(FORMS);
        let Some((kind, rest)) = text.split_once(':') else { return Reference::parse(text).map(Self::Name) };
        match (kind, rest.strip_prefix("//")) {
            ("oci" | "docker-archive", _) if rest.is_empty() => Err(wrong("it names no path")),
            ("oci", _) => {
                let (folder, tag) = split_layout(rest);
                Ok(Self::Layout { folder, tag })
            }
            ("docker-archive", _) => {
                let (file, name) = rest.split_once(':').map_or((rest, None), |(file, name)| (file, Some(name)));
                Ok(Self::Archive { file: file.into(), name: name.map(Reference::parse).transpose()? })
            }
            ("docker", Some(name)) => Reference::parse(name).map(Self::Registry),
            ("store", Some(name)) => Reference::parse(name).map(Self::Store),
            ("docker", None) if rest.is_empty() => Ok(Self::Engine(None)),
            ("docker", None) => Reference::parse(rest).map(|name| Self::Engine(Some(name))),
            (_, Some(_)) => Err(wrong(&format!("`{kind}` is no kind of place"))),
            (_, None) => Reference::parse(text).map(Self::Name),
        }
    }

    /// Reads a place that a build's image goes to besides the store; `docker` alone is the engine.
    ///
    /// # Errors
    /// When the text is none.
    pub fn parse_output(text: &str) -> Result<Self> {
        if text == "docker" {
            return Ok(Self::Engine(None));
        }
        if !text.contains(':') {
            return Err(Error::new(format!("cannot write to `{text}`: it names no kind of output")).hint(FORMS));
        }
        match Self::parse(text)? {
            Self::Name(_) | Self::Store(_) => Err(Error::new(format!("cannot write to `{text}`: the store gets every image"))
                .hint("name it once more with `--tag`, or write to a registry with `docker://NAME`")),
            other => Ok(other),
        }
    }

    /// The image's name, where it has one of a registry's form there.
    pub fn name(&self) -> Option<&Reference> {
        match self {
            Self::Registry(name) | Self::Store(name) | Self::Name(name) | Self::Engine(Some(name)) => Some(name),
            Self::Archive { name, .. } => name.as_ref(),
            Self::Layout { .. } | Self::Engine(None) => None,
        }
    }

    /// The file or folder, where the place is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Layout { folder, .. } => Some(folder),
            Self::Archive { file, .. } => Some(file),
            Self::Engine(_) | Self::Registry(_) | Self::Store(_) | Self::Name(_) => None,
        }
    }
}

/// The folder and the name in `DIR[:TAG]`.
fn split_layout(text: &str) -> (PathBuf, Option<String>) {
    match text.rsplit_once(':') {
        Some((folder, tag)) if !tag.contains('/') && !tag.is_empty() && !folder.is_empty() => (folder.into(), Some(tag.to_string())),
        _ => (text.into(), None),
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout { folder, tag } => {
                write!(formatter, "oci:{}{}", folder.display(), tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default())
            }
            Self::Archive { file, name } => {
                let name = name.as_ref().map(|name| format!(":{}", name.familiar())).unwrap_or_default();
                write!(formatter, "docker-archive:{}{name}", file.display())
            }
            Self::Engine(name) => write!(formatter, "docker:{}", name.as_ref().map(Reference::familiar).unwrap_or_default()),
            Self::Registry(name) => write!(formatter, "docker://{}", name.full()),
            Self::Store(name) => write!(formatter, "store://{}", name.familiar()),
            // Whether its registry is written says where it goes.
            Self::Name(name) => write!(formatter, "{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_other_tools_write_them() {
        let name = |text: &str| Reference::parse(text).unwrap();
        let layout = |folder: &str, tag: Option<&str>| Place::Layout { folder: folder.into(), tag: tag.map(str::to_string) };
        let archive = |file: &str, of: Option<&str>| Place::Archive { file: file.into(), name: of.map(name) };
        for (text, place) in [
            ("oci:out", layout("out", None)),
            ("oci:/tmp/out:v1", layout("/tmp/out", Some("v1"))),
            ("oci:/a:b/c", layout("/a:b/c", None)),
            ("docker-archive:app.tar", archive("app.tar", None)),
            ("docker-archive:/x/app.tar:my-app:2", archive("/x/app.tar", Some("my-app:2"))),
            ("docker:", Place::Engine(None)),
            ("docker:my-app:2", Place::Engine(Some(name("my-app:2")))),
            ("docker://r.test:5000/app", Place::Registry(name("r.test:5000/app"))),
            ("store://my-app", Place::Store(name("my-app"))),
            ("my-app", Place::Name(name("my-app"))),
            ("registry:2", Place::Name(name("registry:2"))),
            ("localhost:5000/app:1", Place::Name(name("localhost:5000/app:1"))),
        ] {
            assert_eq!(Place::parse(text).unwrap(), place, "{text}");
            assert_eq!(Place::parse(&place.to_string()).unwrap(), name_written_out(place), "{text}");
        }
        for bad in ["", "oci:", "docker-archive:", "docker:Not A Name", "containers-storage://x", "docker://", "Upper"] {
            assert!(Place::parse(bad).is_err(), "{bad}");
        }
    }

    /// A place whose name is written as it is written out.
    fn name_written_out(place: Place) -> Place {
        let again = |name: Reference, full: bool| Reference::parse(&if full { name.full() } else { name.familiar() }).unwrap();
        match place {
            Place::Engine(Some(name)) => Place::Engine(Some(again(name, false))),
            Place::Archive { file, name } => Place::Archive { file, name: name.map(|name| again(name, false)) },
            Place::Registry(name) => Place::Registry(again(name, true)),
            Place::Store(name) => Place::Store(again(name, false)),
            other => other,
        }
    }

    #[test]
    fn outputs_are_places_besides_the_store() {
        assert_eq!(Place::parse_output("docker").unwrap(), Place::Engine(None));
        assert_eq!(Place::parse_output("docker:x").unwrap(), Place::parse("docker:x").unwrap());
        for (bad, why) in [("out", "no kind of output"), ("", "no kind of output"), ("app:1", "the store gets every image")] {
            assert!(Place::parse_output(bad).unwrap_err().to_string().contains(why), "{bad}");
        }
        assert!(Place::parse_output("oci:").is_err());
    }
}
