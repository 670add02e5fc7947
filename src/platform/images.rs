//! Brings images into the store from where they are: OCI layouts, archives, engines, registries.

use super::attest::Trust;
use super::base_image::BaseImage;
use super::place::Place;
use super::pull::Pull;
use crate::daemon::{self, Engine};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Platform, Reference, host_architecture};
use crate::output::Output;
use crate::registry::{self, Registries, Wanted};
use crate::store::{Store, Stored, read_archive, read_layout};

/// An image in the store, by the name that it was asked for.
#[derive(Clone, Debug)]
pub struct InStore {
    /// Its name.
    pub name: String,
    /// It.
    pub stored: Stored,
    /// What an engine calls it, where it came from one.
    pub engine_id: Option<String>,
}

impl InStore {
    /// What identifies the very image: `NAME@DIGEST` without a tag; of one in a file the digest, because a path means nothing elsewhere; of one in an
    /// engine its ID there (IMG-17).
    pub fn identifier(&self) -> String {
        if let Some(id) = &self.engine_id {
            return id.clone();
        }
        if matches!(Place::parse(&self.name), Ok(Place::Layout { .. } | Place::Archive { .. })) {
            return self.stored.digest.to_string();
        }
        let name = self.name.split('@').next().unwrap_or_default();
        let without_tag = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
        format!("{without_tag}@{}", self.stored.digest)
    }
}

impl From<BaseImage> for InStore {
    fn from(image: BaseImage) -> Self {
        Self { name: image.name.familiar(), stored: image.stored, engine_id: None }
    }
}

/// The platform of images that can run here, as operating system and processor.
pub fn here() -> (&'static str, &'static str) {
    ("linux", host_architecture())
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
    /// What images are to be for, where there is a choice.
    pub platform: &'a Platform,
    /// Which images must be signed.
    pub trust: &'a Trust,
    /// What a person reads.
    pub output: &'a Output,
}

impl Images<'_> {
    /// Brings an image into the store; one that must be signed only if it is.
    ///
    /// # Errors
    /// When it is not to be had, damaged, or not signed as it must be.
    pub fn bring(&self, place: &Place) -> Result<InStore> {
        let image = self.bring_any(place)?;
        self.check_trust(&image)?;
        Ok(image)
    }

    fn bring_any(&self, place: &Place) -> Result<InStore> {
        let named = |name: &Reference, stored| Ok(InStore { name: name.familiar(), stored, engine_id: None });
        match place {
            Place::Layout { folder, tag } => {
                let stored = read_layout(self.store, folder, tag.as_deref(), self.platform)?;
                Ok(InStore { name: place.to_string(), stored, engine_id: None })
            }
            Place::Archive { file, name } => {
                let found = read_archive(self.store, file, name.as_ref(), self.platform)?;
                Ok(InStore { name: place.to_string(), stored: found.stored, engine_id: None })
            }
            Place::Engine(Some(name)) => self.of_engine(name),
            Place::Engine(None) => Err(Error::new("`docker:` names no image")).hint("write `docker:NAME`"),
            Place::Registry(name) => named(name, self.pull(name)?),
            Place::Store(name) => named(name, self.of_store(name)?),
            Place::Name(name) => named(name, self.named(name)?),
        }
    }

    /// An image of the store.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn of_store(&self, name: &Reference) -> Result<Stored> {
        self.store
            .find_for(name, self.platform)?
            .context(|| format!("there is no image `{name}` in the store"))
            .hint("`cooper images` lists what is there")
    }

    fn of_engine(&self, name: &Reference) -> Result<InStore> {
        let found = Engine::connect(self.engine)?.bring(name, self.platform, self.store, self.output)?;
        let found = found.context(|| format!("the engine has no image `{name}`")).hint("`docker images` lists what it has")?;
        // A name keeps it from being pruned.
        self.store.name(name, &found.stored)?;
        let mut stored = found.stored;
        // What the container was like that an engine made the image from is no part of images that stand on it, as in the reference.
        let config = &mut stored.image.config;
        config.other.remove("container_config");
        config.config.image.clear();
        config.container.clear();
        config.docker_version.clear();
        Ok(InStore { name: name.familiar(), stored, engine_id: Some(found.id) })
    }

    fn pull(&self, name: &Reference) -> Result<Stored> {
        let wanted = Wanted { name, platform: self.platform.clone(), kept_as: &self.kept_as(name) };
        registry::pull(self.registries, &wanted, self.store, self.output)
    }

    /// The name in the store of an image from a registry. One for another processor leaves the name to the image for this one.
    fn kept_as(&self, name: &Reference) -> Reference {
        if self.platform.accepts(&Platform::here()) {
            return name.clone();
        }
        let Platform { os, architecture, variant } = self.platform;
        let repository = format!("cooper/pulled-{os}-{architecture}{variant}:{}", &Digest::of(name.full().as_bytes()).hex()[..32]);
        Reference::parse(&repository).unwrap_or_else(|_| name.clone())
    }

    fn named(&self, name: &Reference) -> Result<Stored> {
        let kept = self.kept_as(name);
        // An image that was made for this platform alone has the name itself.
        let fits = |known: &Stored| self.platform.accepts(&Platform::of(&known.image.config));
        let known = match self.store.find(&kept)? {
            Some(known) => Some(known),
            None => self.store.find_for(name, self.platform)?.filter(fits),
        };
        match (known, self.pull) {
            (Some(known), Pull::IfNotPresent | Pull::Never) => Ok(known),
            (Some(known), Pull::After(age)) if self.store.since_pull(&kept).is_some_and(|passed| passed < age) => Ok(known),
            (None, Pull::Never) => Err(Error::new(format!("there is no image `{name}`")))
                .hint("`cooper images` lists what is there; `--pull-policy if-not-present` asks its registry"),
            (None, Pull::Always | Pull::After(_) | Pull::IfNotPresent) => self.pull(name),
            (Some(known), Pull::Always | Pull::After(_)) => match self.pull(name) {
                Err(error) => {
                    self.output.warn(&format!("using the image `{name}` as it is in the store: {error:?}"));
                    Ok(known)
                }
                pulled => pulled,
            },
        }
    }
}
