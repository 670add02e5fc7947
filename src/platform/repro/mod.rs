//! Builds an image once more from what its provenance records, and compares the two to the bit. [`Images::record`] reads the record,
//! [`Record::request`] says how to build from it, [`rebuild`] does it.

mod comparison;
mod tar;

pub use comparison::{Comparison, LayerParting};

use super::app::{Copy, Rules, Source, copy, digest};
use super::build::{self, Request};
use super::builder::{Locks, RunLock, is_built_in};
use super::environment::Variable;
use super::images::Images;
use super::place::Place;
use super::referrers::Keeper;
use super::transfer::{Extent, Opened};
use crate::attestation::provenance::{Build as Asked, Provenance, Resource, resource};
use crate::attestation::{PAYLOAD_TYPE, Statement, predicate_type};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Descriptor, Digest, Reference};
use crate::output::Output;
use crate::store::Store;
use std::collections::BTreeMap;

/// What is recorded of how an image was built.
pub struct Record {
    /// What was asked for.
    pub asked: Asked,
    /// The packages of a built-in builder's images.
    pub locks: Option<Locks>,
    used: Vec<Resource>,
}

impl Images<'_> {
    /// Opens an image and reads what is recorded of its build, which stands beside it in a registry or a layout.
    ///
    /// # Errors
    /// When there is no image or no record, it is damaged, or it is not of a build of this program.
    pub fn record(&self, place: &Place) -> Result<(Opened, Record)> {
        let opened = self.open(place, Extent::One)?;
        let (_, digest) = opened.images().next().context(|| "the index has no images")?;
        let hint = "`cooper build --publish` writes provenance beside the image; name the image where it was published, as `docker://NAME`";
        let keeper = Keeper::of_source(place, &opened).context(|| format!("`{place}` keeps no provenance")).hint(hint)?;
        for referrer in self.referrers(keeper, digest, Some(PAYLOAD_TYPE))? {
            let describe = || format!("what refers to {digest} is damaged: {}", referrer.digest);
            if let Some(record) = self.record_in(keeper, &referrer, digest).context(describe)? {
                return Ok((opened, record));
            }
        }
        Err(Error::new(format!("there is no provenance beside `{place}`"))).hint(hint)
    }

    /// The record in something that refers to an image; nothing where it is about something else.
    fn record_in(&self, keeper: Keeper, referrer: &Descriptor, digest: &Digest) -> Result<Option<Record>> {
        let files = self.referrer(keeper, referrer)?.layers;
        let statement = files.first().context(|| "it has no file")?;
        let statement = Statement::parse(&self.file(keeper, statement)?, digest)?;
        let predicate = statement.predicate.as_ref().filter(|_| statement.predicate_type == predicate_type::PROVENANCE);
        let Some(predicate) = predicate else { return Ok(None) };
        let provenance = Provenance::parse(predicate.get().as_bytes())?;
        let asked = provenance.build().hint("name the image that a build made, not a rebase")?;
        let mut found = BTreeMap::new();
        for file in &files[1..] {
            found.insert(file.digest.clone(), self.file(keeper, file)?);
        }
        let lock = |name: &str| match provenance.used(name).and_then(Resource::sha256) {
            None => Ok(None),
            Some(digest) => {
                let text = found.get(&digest).context(|| format!("the {name} is not beside the provenance"))?;
                RunLock::parse(text).map(Some)
            }
        };
        let locks = lock(resource::BUILD_LOCK)?.zip(lock(resource::RUN_LOCK)?).map(|(build, run)| Locks { build, run });
        Ok(Some(Record { asked, locks, used: provenance.build_definition.resolved_dependencies }))
    }
}

impl Record {
    /// The builder as it was: of an image with a name, that with its digest.
    pub fn builder(&self) -> String {
        let named = &self.asked.builder;
        let digest = self.used(resource::BUILD_IMAGE).and_then(Resource::sha256);
        match (is_built_in(named), Place::parse(named), digest) {
            (false, Ok(Place::Name(name) | Place::Registry(name)), Some(digest)) => name.pinned(&digest).to_string(),
            _ => named.clone(),
        }
    }

    /// The variables of the build: those whose values are recorded, those of the project file, and those that are given now.
    ///
    /// # Errors
    /// When the value of one is nowhere.
    pub fn environment(&self, project: &[Variable], given: &[Variable]) -> Result<Vec<Variable>> {
        let mut lacking = Vec::new();
        let mut variables = Vec::new();
        for recorded in &self.asked.environment {
            let known =
                |from: &[Variable]| from.iter().find(|variable| variable.name == recorded.name).map(|variable| variable.value.clone());
            match known(given).or_else(|| recorded.value.clone()).or_else(|| known(project)) {
                Some(value) => variables.push(Variable { name: recorded.name.clone(), value }),
                None => lacking.push(recorded.name.as_str()),
            }
        }
        match lacking.as_slice() {
            [] => Ok(variables),
            lacking => Err(Error::new(format!("the provenance does not say the value of {}, which may be secret", lacking.join(", "))))
                .hint("give each with `--env NAME=VALUE`"),
        }
    }

    /// Checks that a source is the one that was built.
    ///
    /// # Errors
    /// When it is another one, or cannot be read.
    pub fn check_source(&self, source: &Source, rules: &Rules, store: &Store, output: &Output) -> Result<()> {
        let Some(recorded) = self.used(resource::SOURCE).and_then(Resource::sha256) else { return Ok(()) };
        let scratch = store.scratch()?;
        let target = &scratch.path().join("workspace");
        copy(&Copy { source: source.folder(), rules, target, owner: None, apart: &[store.root().to_path_buf()] }, output)?;
        if digest(target)? == recorded {
            return Ok(());
        }
        let commit = Some(&self.asked.source.commit).filter(|commit| !commit.is_empty());
        let hint = match commit {
            Some(commit) => format!("the image was built from the commit {commit} of {}", self.asked.source.uri),
            None => "the image was built from other files".to_string(),
        };
        Err(Error::new(format!("`{}` is not the source that the image was built from", source.named())).hint(hint))
    }

    fn used(&self, name: &str) -> Option<&Resource> {
        self.used.iter().find(|resource| resource.name == name)
    }
}

/// The name in the store of what is built once more, while it is.
///
/// # Errors
/// Never; the form of the name is known.
pub fn name_for(digest: &Digest) -> Result<Reference> {
    Reference::parse(&format!("cooper/repro:{}", &digest.hex()[..32]))
}

/// Builds the image once more and compares it with the one that was opened. The new one keeps no name.
///
/// # Errors
/// When the build fails, or a layer cannot be had or read.
pub fn rebuild(opened: &Opened, request: &Request, images: &Images) -> Result<Comparison> {
    let built = build::build(request, images.store, images.output);
    images.store.untag(&request.image)?;
    let built = built.context(|| "cannot build the image once more")?;
    let made = built.images.first().context(|| "the build made no image")?;
    // As others read it, with all that is only written down in its documents.
    let made = images.store.read(&made.stored.digest)?;
    let (image, digest) = opened.images().next().context(|| "the index has no images")?;
    images.output.heading("COMPARING");
    let bring = |layer: &_| images.bring_layer(opened, layer);
    comparison::compare((image, digest), (&made.image, &made.digest), images.store, bring)
}
