//! What instructions made before: each result is an image of at most one layer in the store, named by all that it depends on (EXT-08).

use crate::error::{Context, Result};
use crate::image::{Config, Digest, Image, Layer, Reference};
use crate::store::Store;
use std::time::{Duration, SystemTime};

/// The results of earlier builds.
#[derive(Clone, Copy)]
pub struct Steps<'a> {
    /// Where they are.
    pub store: &'a Store,
    /// How old one may be.
    pub longest: Duration,
}

/// The names that the store keeps for itself start so.
const NAME: &str = "cooper/extension-step";

impl Steps<'_> {
    /// The layer of an earlier result; an inner nothing is a result that changed no file.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn find(&self, key: &Digest) -> Result<Option<Option<Layer>>> {
        let Some(found) = self.store.find(&name(key)?)? else { return Ok(None) };
        let layer = found.image.layers.into_iter().next();
        let whole = layer.as_ref().is_none_or(|layer| self.store.has_blob(&layer.blob.digest));
        Ok((whole && !self.is_old(&found.image.config.created)).then_some(layer))
    }

    /// Keeps a result.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(super) fn keep(&self, key: &Digest, layer: Option<&Layer>) -> Result<()> {
        let config = Config { created: now().to_string(), os: "linux".into(), ..Config::default() };
        let manifest = self.store.put_image(&Image { config, layers: layer.cloned().into_iter().collect() })?;
        self.store.tag(&name(key)?, &manifest)
    }

    fn is_old(&self, created: &str) -> bool {
        let created: i64 = created.parse::<jiff::Timestamp>().map_or(0, |time| time.as_second());
        let age = now().as_second().saturating_sub(created);
        u64::try_from(age).is_ok_and(|age| age >= self.longest.as_secs())
    }

    /// Forgets results that are too old to be used.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn forget_old(&self) -> Result<()> {
        for named in self.store.list()? {
            let Ok(name) = Reference::parse(&named.name) else { continue };
            if name.familiar().starts_with(NAME) && named.images.iter().any(|stored| self.is_old(&stored.image.config.created)) {
                self.store.untag(&name)?;
            }
        }
        Ok(())
    }
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::try_from(SystemTime::now()).unwrap_or_default()
}

fn name(key: &Digest) -> Result<Reference> {
    Reference::parse(&format!("{NAME}:{}", &key.hex()[..32])).context(|| "cannot name the result of an instruction")
}
