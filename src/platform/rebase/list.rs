//! A list of images for several machines in a registry: each is rebased, and when all are there the list of the new ones takes the place of the
//! old one.

use super::places::App;
use super::{Request, Step, WENT_WRONG};
use crate::error::Result;
use crate::image::{Descriptor, Index, media_type, to_json};
use crate::lifecycle::documents::report::ImageReport;
use crate::platform::images::Images;
use crate::platform::publish::{Member, publish_index};
use crate::store::StoredIndex;

/// The list of the new images; nothing where the app is a single image.
pub(super) fn of(apps: &[App], steps: &[Step]) -> Option<StoredIndex> {
    let entry = |(app, step): (&App, &Step)| {
        let Descriptor { media_type, size, digest, .. } = step.image.documents().descriptor;
        app.entry.clone().map(|entry| Descriptor { media_type, size, digest, ..entry })
    };
    let entries: Vec<Descriptor> = apps.iter().zip(steps).map(entry).collect::<Option<_>>()?;
    let is_dockers = entries.iter().all(|entry| entry.media_type == media_type::DOCKER_MANIFEST);
    let media_type = if is_dockers { media_type::DOCKER_INDEX } else { media_type::INDEX };
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
