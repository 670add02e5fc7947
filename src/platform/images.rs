//! Brings images into the store from where they are: OCI layouts, registries.

use super::base_image::BaseImage;
use super::outputs::split_layout;
use crate::error::{Advice, Context, Error, Result};
use crate::image::Reference;
use crate::store::{Store, Stored, read_layout};
use std::path::PathBuf;

/// What the names of images in OCI layouts start with.
const LAYOUT: &str = "oci:";

/// An image in the store, by the name that it was asked for.
#[derive(Clone, Debug)]
pub struct InStore {
    /// Its name.
    pub name: String,
    /// It.
    pub stored: Stored,
}

impl InStore {
    /// What identifies the very image: `NAME@DIGEST` without a tag; of one in a layout the digest, because a path means nothing elsewhere.
    pub fn identifier(&self) -> String {
        if self.name.starts_with(LAYOUT) {
            return self.stored.digest.to_string();
        }
        let name = self.name.split('@').next().unwrap_or_default();
        let without_tag = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
        format!("{without_tag}@{}", self.stored.digest)
    }
}

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In an OCI image layout: `oci:DIR[:TAG]`.
    Layout {
        /// The layout's folder.
        folder: PathBuf,
        /// The image's name in it; none where it has only one.
        tag: Option<String>,
    },
    /// In the store, by a name.
    Name(Reference),
}

impl Source {
    /// Reads `oci:DIR[:TAG]` or the name of an image.
    ///
    /// # Errors
    /// When the text is neither.
    pub fn parse(text: &str) -> Result<Self> {
        match text.strip_prefix(LAYOUT) {
            Some("") => Err(Error::new(format!("`{text}` names no folder")).hint("write `oci:DIR` or `oci:DIR:TAG`")),
            Some(layout) => {
                let (folder, tag) = split_layout(layout);
                Ok(Self::Layout { folder, tag })
            }
            None => Ok(Self::Name(Reference::parse(text)?)),
        }
    }
}

impl From<BaseImage> for InStore {
    fn from(image: BaseImage) -> Self {
        Self { name: image.name.familiar(), stored: image.stored }
    }
}

/// The platform of images that can run here, as operating system and processor.
pub fn here() -> (&'static str, &'static str) {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    ("linux", architecture)
}

/// Brings an image into the store.
///
/// # Errors
/// When it is not to be had, or damaged.
pub fn bring(source: &Source, store: &Store) -> Result<InStore> {
    match source {
        Source::Layout { folder, tag } => {
            let stored = read_layout(store, folder, tag.as_deref(), here())?;
            let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
            Ok(InStore { name: format!("{LAYOUT}{}{tag}", folder.display()), stored })
        }
        Source::Name(name) => {
            let found = store.find(name)?.context(|| format!("there is no image `{name}`")).hint("`cooper images` lists what is there")?;
            Ok(InStore { name: name.familiar(), stored: found })
        }
    }
}
