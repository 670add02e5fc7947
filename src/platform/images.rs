//! Brings images into the store from where they are: OCI layouts, engines, registries.

use super::base_image::BaseImage;
use super::outputs::split_layout;
use super::pull::Pull;
use crate::daemon::{self, Engine};
use crate::error::{Advice, Context, Error, Result};
use crate::image::Reference;
use crate::output::Output;
use crate::registry::{self, Registries};
use crate::store::{Store, Stored, read_layout};
use std::path::PathBuf;

/// What the names of images in OCI layouts start with.
const LAYOUT: &str = "oci:";
/// What the names of images in engines start with; a registry's port is a number, so no image has such a name.
const ENGINE: &str = "docker:";

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
    /// In a Docker or Podman engine: `docker:NAME`.
    Engine(Reference),
    /// In the store or in a registry, by a name.
    Name(Reference),
}

impl Source {
    /// Reads `oci:DIR[:TAG]`, `docker:NAME` or the name of an image.
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
            None => match text.strip_prefix(ENGINE) {
                Some(name) => Ok(Self::Engine(Reference::parse(name)?)),
                None => Ok(Self::Name(Reference::parse(text)?)),
            },
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

/// Where images come from that the store may not have.
pub struct Images<'a> {
    /// The store.
    pub store: &'a Store,
    /// Registries, with the user's credentials.
    pub registries: &'a Registries,
    /// When they are asked.
    pub pull: Pull,
    /// Which engine is meant.
    pub engine: &'a daemon::Settings,
    /// What a person reads.
    pub output: &'a Output,
}

impl Images<'_> {
    /// Brings an image into the store.
    ///
    /// # Errors
    /// When it is not to be had, or damaged.
    pub fn bring(&self, source: &Source) -> Result<InStore> {
        match source {
            Source::Layout { folder, tag } => {
                let stored = read_layout(self.store, folder, tag.as_deref(), here())?;
                let tag = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
                Ok(InStore { name: format!("{LAYOUT}{}{tag}", folder.display()), stored })
            }
            Source::Engine(name) => {
                let found = daemon::pull(&Engine::connect(self.engine)?, name, self.store, self.output)?;
                let stored = found.context(|| format!("the engine has no image `{name}`")).hint("`docker images` lists what it has")?;
                Ok(InStore { name: name.familiar(), stored })
            }
            Source::Name(name) => Ok(InStore { name: name.familiar(), stored: self.named(name)? }),
        }
    }

    fn named(&self, name: &Reference) -> Result<Stored> {
        let known = self.store.find(name)?;
        match (known, self.pull) {
            (Some(known), Pull::IfNotPresent | Pull::Never) => Ok(known),
            (Some(known), Pull::After(age)) if self.store.since_pull(name).is_some_and(|passed| passed < age) => Ok(known),
            (None, Pull::Never) => Err(Error::new(format!("there is no image `{name}`")))
                .hint("`cooper images` lists what is there; `--pull-policy if-not-present` asks its registry"),
            (None, Pull::Always | Pull::After(_) | Pull::IfNotPresent) => registry::pull(self.registries, name, self.store, self.output),
            (Some(known), Pull::Always | Pull::After(_)) => match registry::pull(self.registries, name, self.store, self.output) {
                Err(error) => {
                    self.output.warn(&format!("using the image `{name}` as it is in the store: {error:?}"));
                    Ok(known)
                }
                pulled => pulled,
            },
        }
    }
}
