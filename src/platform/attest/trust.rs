//! Images that must be signed before anything is built in them or put on them: by patterns of their names, each with a key.

use super::repository;
use crate::attestation::{PublicKey, predicate_type};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Descriptor, Digest, Reference};
use crate::platform::images::{Images, InStore};
use crate::platform::place::Place;
use crate::platform::referrers::Keeper;
use globset::{Glob, GlobMatcher};
use std::path::PathBuf;

/// The rules of the user's configuration.
#[derive(Clone, Debug, Default)]
pub struct Trust(Vec<Rule>);

#[derive(Clone, Debug)]
struct Rule {
    pattern: GlobMatcher,
    key: PublicKey,
}

impl Trust {
    /// With a rule: images whose names, without tag, fit a pattern must be signed with a key, or with that of another rule that fits.
    ///
    /// # Errors
    /// When the pattern or the key makes no sense.
    pub fn with(mut self, pattern: &str, key: &str) -> Result<Self> {
        let describe = || format!("the rule for images `{pattern}` makes no sense");
        let glob = Glob::new(pattern).context(describe)?;
        self.0.push(Rule { pattern: glob.compile_matcher(), key: PublicKey::parse(key).context(describe)? });
        Ok(self)
    }

    /// The keys of which one must have signed an image; none where it need not be signed.
    fn keys(&self, name: &Reference) -> Vec<&PublicKey> {
        // Docker's own registry has two names; a rule may be for either.
        let names = [repository(name), name.in_engines()];
        let fits = |rule: &&Rule| names.iter().any(|name| rule.pattern.is_match(name));
        self.0.iter().filter(fits).map(|rule| &rule.key).collect()
    }
}

impl Images<'_> {
    /// Checks that an image that was brought into the store is signed, where it must be.
    ///
    /// # Errors
    /// When it must be and is not, or that cannot be found out.
    pub fn check_trust(&self, image: &InStore) -> Result<()> {
        match Place::parse(&image.name) {
            Ok(Place::Engine(Some(name)) | Place::Name(name) | Place::Registry(name) | Place::Store(name)) if image.engine_id.is_some() => {
                match self.trust.keys(&name).is_empty() {
                    true => Ok(()),
                    false => Err(Error::new(format!("`{name}` must be signed, and an engine keeps no signatures")))
                        .hint(format!("use `docker://{name}`, the image in its registry")),
                }
            }
            Ok(Place::Name(name) | Place::Registry(name) | Place::Store(name)) => self.check_signed(&name, &image.stored.digest),
            // What has no name has no rule.
            Ok(Place::Layout { .. } | Place::Archive { .. } | Place::Engine(_)) | Err(_) => Ok(()),
        }
    }

    /// Checks that the image of a name with a digest is signed in its registry, where it must be. What was found out once is kept.
    ///
    /// # Errors
    /// As [`Images::check_trust`].
    pub fn check_signed(&self, name: &Reference, digest: &Digest) -> Result<()> {
        let keys = self.trust.keys(name);
        if keys.is_empty() {
            return Ok(());
        }
        let folder = self.store.root().join("signed");
        let kept = |key: &PublicKey| Ok(folder.join(Digest::of(format!("{digest} {}", key.hint()?).as_bytes()).hex()));
        let kept: Vec<PathBuf> = keys.iter().map(|key| kept(key)).collect::<Result<_>>()?;
        if kept.iter().any(|path| path.exists()) {
            return Ok(());
        }
        for (key, path) in keys.into_iter().zip(kept) {
            if self.is_signed(name, digest, key)? {
                let describe = || "cannot keep that an image is signed";
                std::fs::create_dir_all(&folder).context(describe)?;
                return std::fs::write(path, "").context(describe);
            }
        }
        Err(Error::new(format!("`{}@{digest}` must be signed, and no key that is trusted for it signed it", repository(name))))
            .hint("`cooper config trust list` shows the rules, `cooper verify` what is signed")
    }

    /// Whether a key signed an image, or the index that its name means and that lists it.
    fn is_signed(&self, name: &Reference, digest: &Digest, key: &PublicKey) -> Result<bool> {
        let describe = || format!("cannot find out whether `{}@{digest}` is signed", repository(name));
        let signed = |subject: &Descriptor| -> Result<bool> {
            let found = self.signed(Keeper::Registry(name), subject, key).context(describe)?;
            Ok(found.signed.iter().any(|kind| kind == predicate_type::SIGNATURE))
        };
        if signed(&Descriptor::new("", 0, digest.clone()))? {
            return Ok(true);
        }
        let index = self.registries.index(name).context(describe)?;
        let listing = index.filter(|index| index.images.iter().any(|image| image.manifest.digest == *digest));
        listing.map_or(Ok(false), |index| signed(&index.descriptor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attestation::PrivateKey;

    #[test]
    fn a_pattern_is_of_names_without_tags() {
        let key = PrivateKey::generate().unwrap().public().to_pem().unwrap();
        let trust = Trust::default().with("r.test/base/*", &key).unwrap().with("docker.io/acme/run", &key).unwrap();
        let count = |name: &str| trust.keys(&Reference::parse(name).unwrap()).len();
        assert_eq!(["r.test/base/run:1", "acme/run", "docker.io/acme/run:2", "r.test/other", "r.test/base"].map(count), [1, 1, 1, 0, 0]);
        assert!(Trust::default().with("[", &key).is_err() && Trust::default().with("*", "x").is_err());
    }
}
