//! A list of images for several machines in a registry: each is rebased, and when all are there the list of the new ones takes the place of the
//! old one.

use super::places::{App, Apps};
use super::{Request, Step, WENT_WRONG};
use crate::error::Result;
use crate::image::{Descriptor, Index, media_type, to_json};
use crate::lifecycle::documents::report::ImageReport;
use crate::output::Output;
use crate::platform::images::Images;
use crate::platform::publish::{Member, publish_index};
use crate::store::StoredIndex;

/// The annotation of an attestation that says of which image it is, as buildx writes it.
const ATTESTED: &str = "vnd.docker.reference.digest";

/// The list of the new images; nothing where the app is a single image. Where none of them changed, it is the very list that there is.
pub(super) fn of(apps: &Apps, steps: &[Step], output: &Output) -> Option<StoredIndex> {
    let list = apps.list.as_ref()?;
    if steps.iter().all(|step| !step.changed) {
        let (descriptor, document) = (list.descriptor.clone(), list.document.clone());
        return Some(StoredIndex { descriptor, document, entries: Vec::new(), images: Vec::new() });
    }
    let entry = |(app, step): (&App, &Step)| {
        let Descriptor { media_type, size, digest, .. } = step.image.documents().descriptor;
        app.entry.clone().map(|entry| Descriptor { media_type, size, digest, ..entry })
    };
    let mut entries: Vec<Descriptor> = apps.all.iter().zip(steps).map(entry).collect::<Option<_>>()?;
    let is_dockers = entries.iter().all(|entry| entry.media_type == media_type::DOCKER_MANIFEST);
    let media_type = if is_dockers { media_type::DOCKER_INDEX } else { media_type::INDEX };
    let stays = |digest: &str| steps.iter().any(|step| !step.changed && step.digest.as_str() == digest);
    let (kept, lost): (Vec<_>, Vec<_>) =
        list.attestations.iter().cloned().partition(|entry| entry.annotations.get(ATTESTED).is_some_and(|digest| stays(digest)));
    if !lost.is_empty() {
        output.warn(&format!("left out of the list: {} attestations, which are of the images before", lost.len()));
    }
    entries.extend(kept);
    let document = to_json(&Index { media_type: media_type.into(), manifests: entries.clone(), ..Index::default() });
    Some(StoredIndex { descriptor: Descriptor::of(media_type, &document), document, entries, images: Vec::new() })
}

/// Sends the images, then the list under each name.
pub(super) fn save(list: &StoredIndex, apps: &[App], steps: &[Step], request: &Request, images: &Images) -> Result<ImageReport> {
    let members: Vec<Member> = apps.iter().zip(steps).map(|(app, step)| app.member(&step.image, &step.run)).collect();
    let tags = publish_index(list, &members, &request.names(), images, WENT_WRONG)?;
    let Descriptor { digest, size, .. } = &list.descriptor;
    Ok(ImageReport { tags, digest: digest.to_string(), manifest_size: *size, ..ImageReport::default() })
}
