//! What is said about a rebased image in its registry: that it was rebased, from which image, from which run image to which; what is in it now.

use super::places::App;
use super::{Request, Step, WENT_WRONG};
use crate::attestation::PAYLOAD_TYPE;
use crate::attestation::provenance::{Provenance, Rebase, Resource, resource};
use crate::debian::Kind;
use crate::error::{Advice, Context, Result};
use crate::image::{ArtifactFile, Descriptor, Digest, Documents as Documented, Reference};
use crate::lifecycle::documents::LIFECYCLE_METADATA_LABEL;
use crate::lifecycle::documents::layers_metadata::LayersMetadata;
use crate::platform::attest::{self, About, Attaching, Attachment, Documents, repository};
use crate::platform::images::Images;
use crate::platform::referrers::Keeper;
use crate::platform::sbom;
use crate::store::StoredIndex;
use std::collections::BTreeMap;

/// Attaches it to each image that is another one now, in each repository that gets it, before that: when a name means the image, all is there.
pub(super) fn attach(list: Option<&StoredIndex>, apps: &[App], steps: &[Step], request: &Request, images: &Images) -> Result<()> {
    let Attaching { documents, signer } = request.attaching;
    let changed: Vec<(&App, &Step)> = apps.iter().zip(steps).filter(|(_, step)| step.changed).collect();
    if !request.is_published() || changed.is_empty() || *documents == Documents::Never && signer.is_none() {
        return Ok(());
    }
    let names = request.names();
    let repositories: BTreeMap<String, &Reference> = names.iter().map(|name| (repository(name), name)).collect();
    for (repository, name) in &repositories {
        let attaching = Rebasing { name, repository, request, images };
        attaching
            .attach(list, &changed)
            .context(|| format!("cannot attach to the image in `{repository}` what is said about it, so it is not rebased"))
            .hint("`--no-attest` rebases it without SBOM and provenance")
            .code(WENT_WRONG)?;
    }
    Ok(())
}

/// A repository that has rebased images.
struct Rebasing<'a> {
    name: &'a Reference,
    repository: &'a str,
    request: &'a Request<'a>,
    images: &'a Images<'a>,
}

impl Rebasing<'_> {
    fn attach(&self, list: Option<&StoredIndex>, changed: &[(&App, &Step)]) -> Result<()> {
        for (app, step) in changed {
            let documents = step.image.documents();
            let about = if self.is_wanted(app)? { self.about(app, step, &documents)? } else { About::default() };
            self.attach_to(&documents.descriptor, &about)?;
        }
        list.map_or(Ok(()), |list| self.attach_to(&list.descriptor, &About::default()))
    }

    fn attach_to(&self, subject: &Descriptor, about: &About) -> Result<()> {
        let (keeper, signer) = (Keeper::Registry(self.name), self.request.attaching.signer.as_ref());
        self.images.attach_signed(&Attachment { keeper, subject, repository: self.repository, about, signer }).map(drop)
    }

    /// Whether documents are attached to the new image of an app.
    fn is_wanted(&self, app: &App) -> Result<bool> {
        let Some(registry) = app.registry.as_ref().filter(|_| self.request.attaching.documents == Documents::IfBefore) else {
            return Ok(self.request.attaching.documents == Documents::Always);
        };
        let before = self.images.referrers(Keeper::Registry(registry), &app.digest, None)?;
        Ok(before.iter().any(|referrer| {
            attest::Kind::ALL.iter().any(|kind| kind.media_type() == referrer.artifact_type) || referrer.artifact_type == PAYLOAD_TYPE
        }))
    }

    /// What is said about the new image of an app.
    fn about(&self, app: &App, step: &Step, documents: &Documented) -> Result<About> {
        let name = sbom::name_of(self.name);
        let image = sbom::About { image: &step.image, documents, name, registry: Some(self.name) };
        let (provenance, locks) = provenance(app, step, self.repository)?;
        Ok(About { provenance: Some(provenance.to_bytes()), locks, sboms: self.images.sboms(&image)? })
    }
}

/// How the new image was made, and the locks that it names.
fn provenance(app: &App, step: &Step, repository: &str) -> Result<(Provenance, Vec<ArtifactFile>)> {
    let before = app.image.label(LIFECYCLE_METADATA_LABEL).and_then(|label| LayersMetadata::from_label(label).ok());
    let old_run_image = before.map(|metadata| metadata.run_image.reference).unwrap_or_default();
    let asked = Rebase {
        image: format!("{repository}@{}", app.digest),
        run_image: step.run.reference.clone(),
        old_run_image: old_run_image.clone(),
    };
    let mut used = vec![Resource::new(resource::IMAGE, format!("docker://{repository}"), &app.digest)];
    for (name, reference) in [(resource::OLD_RUN_IMAGE, &old_run_image), (resource::RUN_IMAGE, &step.run.reference)] {
        let (uri, digest) = reference.split_once('@').unwrap_or(("", reference));
        used.extend(Digest::parse(digest).ok().map(|digest| Resource::new(name, uri, &digest)));
    }
    let mut locks = Vec::new();
    if let Some(lock) = &step.run.lock {
        let lock = lock.file(Kind::Run)?;
        used.push(Resource::of_file(resource::RUN_LOCK, &lock));
        locks.push(lock);
    }
    let provenance = Provenance::of_rebase(&asked, used).context(|| "cannot say how the image was rebased")?;
    Ok((provenance, locks))
}
