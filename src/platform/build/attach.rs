//! What is attached to an image that goes to a registry: signature, SBOM, provenance; beside each image of an index its own. It goes before the image.

use super::{EXPORT_WENT_WRONG, Made, Request};
use crate::error::{Advice, Context, Result};
use crate::image::{Descriptor, Reference};
use crate::platform::attest::{About, Attachment, repository};
use crate::platform::images::Images;
use crate::platform::place::Place;
use crate::platform::referrers::Keeper;
use crate::platform::sbom;
use crate::store::StoredIndex;
use std::collections::BTreeMap;

/// Attaches it in each repository that gets the image. Returns how many artifacts that were.
pub(super) fn attach(request: &Request, made: &[Made], index: Option<&StoredIndex>, images: &Images) -> Result<usize> {
    if !request.is_attested() && request.attaching.signer.is_none() {
        return Ok(0);
    }
    let mut said = Vec::new();
    let mut count = 0;
    for (repository, name) in repositories(request) {
        let describe = || format!("cannot attach to the image in `{repository}` what is said about it, so it is not published");
        let mut attach = || {
            if said.is_empty() {
                said = about_all(name, request, made, images)?;
            }
            attach_in(name, request, &said, index, images)
        };
        let attached = attach().context(describe);
        count += attached.hint("`--no-attest` publishes it without SBOM and provenance").code(EXPORT_WENT_WRONG)?;
    }
    Ok(count)
}

/// The images and what is said about each, which is the same in each repository; a layer that the store lacks is in that of `name`.
fn about_all(name: &Reference, request: &Request, made: &[Made], images: &Images) -> Result<Vec<(Descriptor, About)>> {
    let about = |one: &Made| {
        let documents = images.store.documents(&one.stored)?;
        let mut about = one.about.clone();
        if request.is_attested() {
            let called = sbom::name_of(&request.image);
            let image = sbom::About { image: &one.stored.image, documents: &documents, name: called, registry: Some(name) };
            about.sboms = images.sboms(&image)?;
        }
        Ok((documents.descriptor, about))
    };
    made.iter().map(about).collect()
}

/// The repositories that get the image, each by one of its names there.
fn repositories(request: &Request) -> BTreeMap<String, &Reference> {
    let published = [&request.image].into_iter().chain(&request.tags).filter(|_| request.publish);
    let outputs = request.outputs.iter().filter_map(|place| if let Place::Registry(name) = place { Some(name) } else { None });
    published.chain(outputs).map(|name| (repository(name), name)).collect()
}

fn attach_in(
    name: &Reference,
    request: &Request,
    said: &[(Descriptor, About)],
    index: Option<&StoredIndex>,
    images: &Images,
) -> Result<usize> {
    let signer = request.attaching.signer.as_ref();
    let repository = repository(name);
    let attach = |subject: &Descriptor, about: &About| {
        images.attach_signed(&Attachment { keeper: Keeper::Registry(name), subject, repository: &repository, about, signer })
    };
    let mut count = 0;
    for (subject, about) in said {
        count += attach(subject, about)?;
    }
    index.map_or(Ok(count), |index| Ok(count + attach(&index.descriptor, &About::default())?))
}
