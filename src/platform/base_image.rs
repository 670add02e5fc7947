//! The base images of a built-in builder: locks resolved and kept, layers composed from Debian packages, each only once.

use super::builder::Locks;
use super::memory;
use super::sbom::label;
use crate::archive::ENCODER;
use crate::debian::compose::{self, Composed, RULES, compose};
use crate::debian::{Base, Cache, Finding, Index, Kind, Lock, Mirrors, Refresh, fetch, resolve};
use crate::error::{Context, Error, Result};
use crate::image::{CREATED, Config, Digest, History, Image, Layer, Platform, Reference, RunConfig};
use crate::output::Output;
use crate::store::{Store, Stored};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A distribution of Debian, as far as this machine knows it.
pub struct Distribution<'a> {
    /// Name of the builder.
    pub name: &'a str,
    /// What its images are made of.
    pub base: Base,
    text: &'a str,
    architecture: String,
    mirrors: &'a Mirrors,
    cache: Cache,
    /// Kept while locks are resolved, and let go before anything is composed: it is large.
    index: RefCell<Option<(Base, Index)>>,
    store: &'a Store,
    output: &'a Output,
    /// What counts instead of the locks that are kept.
    locks: Option<Arc<Locks>>,
}

/// A built-in builder's description.
#[derive(Clone, Copy)]
pub struct Described<'a> {
    /// Its name.
    pub name: &'a str,
    /// What its images are made of, a `base.toml`.
    pub text: &'a str,
}

/// A base image in the store.
#[derive(Clone, Debug)]
pub struct BaseImage {
    /// Its name in the store.
    pub name: Reference,
    /// It.
    pub stored: Stored,
    /// Its packages.
    pub lock: Lock,
}

impl<'a> Distribution<'a> {
    /// A builder's distribution, for a platform.
    ///
    /// # Errors
    /// When the text is no description, or the platform is none of those that are composed for.
    pub fn new(described: Described<'a>, platform: &Platform, mirrors: &'a Mirrors, store: &'a Store, output: &'a Output) -> Result<Self> {
        let Described { name, text } = described;
        let known = ["amd64", "arm64"].contains(&platform.architecture.as_str()) && platform.os == "linux" && platform.variant.is_empty();
        if !known {
            return Err(Error::new(format!("the built-in builders do not make images for {platform}"))
                .hint("they do for linux/amd64 and linux/arm64; a builder's image may be for others"));
        }
        let base = Base::parse(text).context(|| format!("the builder `{name}` is damaged"))?;
        let (architecture, cache) = (platform.architecture.clone(), Cache::new(store.debian()));
        Ok(Self { name, base, text, architecture, mirrors, cache, index: RefCell::new(None), store, output, locks: None })
    }

    /// The same, with locks that somebody else chose; those that are kept stay as they are.
    ///
    /// # Errors
    /// When they are for another builder or processor.
    pub fn with(mut self, locks: Option<Arc<Locks>>) -> Result<Self> {
        for lock in locks.iter().flat_map(|locks| [&locks.build, &locks.run]) {
            let found = (lock.builder.as_str(), lock.base.architecture.as_str());
            if found != (self.name, self.architecture.as_str()) {
                let (builder, architecture) = found;
                return Err(Error::new(format!(
                    "the lock is for {builder} ({architecture}), not for {} ({})",
                    self.name, self.architecture
                )));
            }
        }
        self.locks = locks;
        Ok(self)
    }

    /// The lock of an image with `extras` on top of its own packages: the kept one, or one resolved now.
    ///
    /// # Errors
    /// When the packages cannot be resolved.
    pub fn lock(&self, kind: Kind, extras: &[String]) -> Result<Lock> {
        if let Some(locks) = &self.locks {
            let lock = if kind == Kind::Build { &locks.build } else { &locks.run };
            return lock.with(extras).context(|| format!("cannot make the {} image once more", kind.name()));
        }
        let path = self.cache.lock(&self.lock_name(kind, extras));
        let kept = Lock::read(&path)?;
        let below = if extras.is_empty() { None } else { Some(self.lock(kind, &[])?) };
        if let Some(kept) = kept.filter(|kept| below.as_ref().is_none_or(|below| kept.contains(below))) {
            return Ok(kept);
        }
        self.output.detail(&format!("choosing the packages of the {} image", kind.name()));
        let lock = self
            .resolve(kind, extras, Refresh::IfMissing, &below.map_or_else(Vec::new, |below| self.left_out(&below)))
            .context(|| format!("cannot choose the packages of the {} image", kind.name()))?;
        lock.write(&path)?;
        Ok(lock)
    }

    /// Keeps locks that somebody else chose as those of an image with `extras`.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep(&self, kind: Kind, base: &Lock, extras: &[String], whole: &Lock) -> Result<()> {
        base.write(&self.cache.lock(&self.lock_name(kind, &[])))?;
        whole.write(&self.cache.lock(&self.lock_name(kind, extras)))
    }

    /// Chooses both images' own packages anew, from the newest indexes of all archives but `left_out`, and returns the locks before and
    /// after. What is added to the images later comes from the same archives.
    ///
    /// # Errors
    /// When there is no such archive, the indexes cannot be fetched or the packages not resolved.
    pub fn update(&self, left_out: &[String]) -> Result<Vec<(Kind, Option<Lock>, Lock)>> {
        if let Some(unknown) = left_out.iter().find(|name| self.base.archive.iter().all(|archive| archive.name != **name)) {
            let names: Vec<&str> = self.base.archive.iter().map(|archive| archive.name.as_str()).collect();
            return Err(Error::new(format!("`{}` has no archive `{unknown}`", self.name)).hint(format!("it has {}", names.join(" and "))));
        }
        self.index.take();
        [(Kind::Build, Refresh::Always), (Kind::Run, Refresh::IfMissing)]
            .into_iter()
            .map(|(kind, refresh)| {
                let path = self.cache.lock(&self.lock_name(kind, &[]));
                let before = Lock::read(&path)?;
                let after = self.resolve(kind, &[], refresh, left_out)?;
                after.write(&path)?;
                Ok((kind, before, after))
            })
            .collect()
    }

    fn resolve(&self, kind: Kind, extras: &[String], refresh: Refresh, left_out: &[String]) -> Result<Lock> {
        let mut base = self.base.clone();
        base.archive.retain(|archive| !left_out.contains(&archive.name));
        let mut kept = self.index.borrow_mut();
        let index = match &mut *kept {
            Some((of, index)) if of.archive == base.archive => index,
            other => {
                // One is large enough.
                *other = None;
                let index = Index::load(&base, &self.architecture, self.mirrors, &self.cache, refresh, self.output)?;
                &mut other.insert((base, index)).1
            }
        };
        resolve(&self.base, kind, extras, index)
    }

    /// The archives that a lock was not chosen from.
    fn left_out(&self, lock: &Lock) -> Vec<String> {
        let names = self.base.archive.iter().map(|archive| &archive.name);
        names.filter(|name| lock.releases.iter().all(|release| release.archive != **name)).cloned().collect()
    }

    /// Another description of the images, or other extras, have a lock of their own.
    fn lock_name(&self, kind: Kind, extras: &[String]) -> String {
        let wanted = Digest::of(format!("{}\n{}", self.text, extras.join("\n")).as_bytes());
        format!("{}-{}-{}-{}", self.name, kind.name(), self.architecture, &wanted.hex()[..16])
    }

    /// The base image, with `extras` as a second layer where there are any; composed unless the store has it.
    ///
    /// # Errors
    /// When packages cannot be resolved, fetched or composed.
    pub fn image(&self, kind: Kind, extras: &[String]) -> Result<BaseImage> {
        let lock = self.lock(kind, extras)?;
        let below = if extras.is_empty() { None } else { Some(self.image(kind, &[])?) };
        let key = format!(
            "{RULES} {ENCODER} {} {} {} {} {extras:?}",
            label::FORM,
            self.text,
            lock.digest(),
            below.as_ref().map_or("", |below| below.stored.digest.as_str())
        );
        let name = Reference::parse(&format!("cooper/{}-{}:{}", self.name, kind.name(), &Digest::of(key.as_bytes()).hex()[..16]))?;
        if let Some(stored) = self.store.find(&name)? {
            return Ok(BaseImage { name, stored, lock });
        }
        self.index.take();
        memory::give_back();
        fetch(&lock, self.mirrors, &self.cache, self.output)?;
        let what = if extras.is_empty() {
            format!("the {} image", kind.name())
        } else {
            format!("the {} image's packages: {}", kind.name(), extras.join(" "))
        };
        self.output.line(&format!("composing {what}"));
        let (layer, composed) =
            self.compose(kind, &lock, below.as_ref().map(|below| &below.lock), extras).context(|| format!("cannot compose {what}"))?;
        let mut image = below.map_or_else(|| self.empty_image(kind), |below| below.stored.image);
        image.layers.push(layer);
        memory::give_back();
        self.describe(&mut image, &lock, extras);
        label::write(&mut image, &composed)?;
        let manifest = self.store.put_image(&image)?;
        self.store.tag(&name, &manifest)?;
        Ok(BaseImage { name, stored: self.store.read(&manifest.digest)?, lock })
    }

    fn compose(&self, kind: Kind, lock: &Lock, below: Option<&Lock>, extras: &[String]) -> Result<(Layer, Composed)> {
        let created_by = if extras.is_empty() {
            format!("Debian packages of the {} image", kind.name())
        } else {
            format!("Debian packages: {}", extras.join(" "))
        };
        let history = History { created: CREATED.into(), created_by, ..History::default() };
        let request = compose::Layer { base: &self.base, kind, lock, below };
        let mut composed = Composed::default();
        let layer = self.store.put_layer(history, |sink| {
            composed = compose(&request, &self.cache, sink)?;
            Ok(())
        })?;
        composed.scripts.iter().for_each(|script| self.output.detail(script));
        for finding in &composed.findings {
            match finding {
                Finding::DanglingLink { .. } => self.output.detail(&finding.to_string()),
                Finding::MissingLibrary { .. } | Finding::TwoOwners { .. } => self.output.warn(&finding.to_string()),
            }
        }
        Ok((layer, composed))
    }

    fn empty_image(&self, kind: Kind) -> Image {
        let env = self.base.env(kind).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let user = self.base.user(kind).map(|user| format!("{}:{}", user.uid, user.gid)).unwrap_or_default();
        let config = RunConfig { env: Some(env), user, labels: Some(self.base.labels(kind)), ..RunConfig::default() };
        Image {
            config: Config {
                architecture: self.architecture.clone(),
                os: "linux".into(),
                created: CREATED.into(),
                config,
                ..Config::default()
            },
            layers: Vec::new(),
        }
    }

    /// Labels that platforms read of a base image (CNB Platform Specification, base images), and what a rebase needs to do this again.
    fn describe(&self, image: &mut Image, lock: &Lock, extras: &[String]) {
        let metadata = BTreeMap::from([
            ("lock", serde_json::json!(lock.digest())),
            ("packages", serde_json::json!(extras)),
            ("rules", serde_json::json!(RULES)),
        ]);
        let labels = [
            ("id", format!("cooper.{}", self.name)),
            ("distro.name", self.base.distro.clone()),
            ("distro.version", self.base.version.clone()),
            ("released", lock.released().unwrap_or_default().to_string()),
            ("metadata", serde_json::json!(metadata).to_string()),
        ];
        labels.into_iter().for_each(|(name, value)| image.set_label(format!("io.buildpacks.base.{name}"), value));
    }
}
