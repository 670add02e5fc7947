//! Where an image goes besides the store: `oci:DIR[:TAG]` or `docker-archive:FILE`.

use crate::error::{Error, Result};
use std::path::PathBuf;

/// A place outside the store that an image is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An OCI image layout in a folder; other images in it stay (OCI Image Specification, image-layout).
    Layout {
        /// The folder, made where it is missing.
        folder: PathBuf,
        /// The name that the image gets in it.
        tag: Option<String>,
    },
    /// One file as `docker load` reads it.
    DockerArchive {
        /// The file, replaced where it exists.
        file: PathBuf,
    },
}

impl Target {
    /// Reads `oci:DIR[:TAG]` or `docker-archive:FILE`.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(format!("cannot write to `{text}`: {why}")).hint("write `oci:DIR`, `oci:DIR:TAG` or `docker-archive:FILE`")
        };
        let (kind, rest) = text.split_once(':').ok_or_else(|| wrong("it names no kind of output"))?;
        if rest.is_empty() {
            return Err(wrong("it names no path"));
        }
        match kind {
            "oci" => {
                let (folder, tag) = split_layout(rest);
                Ok(Self::Layout { folder, tag })
            }
            "docker-archive" => Ok(Self::DockerArchive { file: rest.into() }),
            _ => Err(wrong(&format!("`{kind}` is no kind of output"))),
        }
    }
}

/// The folder and the name in `DIR[:TAG]`.
pub fn split_layout(text: &str) -> (PathBuf, Option<String>) {
    match text.rsplit_once(':') {
        Some((folder, tag)) if !tag.contains('/') && !tag.is_empty() && !folder.is_empty() => (folder.into(), Some(tag.to_string())),
        _ => (text.into(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_skopeo_writes_them() {
        let layout = |folder: &str, tag: Option<&str>| Target::Layout { folder: folder.into(), tag: tag.map(str::to_string) };
        assert_eq!(Target::parse("oci:out").unwrap(), layout("out", None));
        assert_eq!(Target::parse("oci:/tmp/out:v1").unwrap(), layout("/tmp/out", Some("v1")));
        assert_eq!(Target::parse("oci:/a:b/c").unwrap(), layout("/a:b/c", None));
        assert_eq!(Target::parse("docker-archive:app.tar").unwrap(), Target::DockerArchive { file: "app.tar".into() });
        for bad in ["out", "oci:", "docker:app", ""] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }
}
