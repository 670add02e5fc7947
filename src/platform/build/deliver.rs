//! Gives what was built its names: in the store, in registries, and in every other place that was asked for. Several images are one index there.

use super::{Built, EXPORT_WENT_WRONG, Made, Request, attach, written};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Platform};
use crate::lifecycle::documents::report::ImageReport;
use crate::lifecycle::exporter;
use crate::output::Output;
use crate::platform::place::Place;
use crate::platform::publish::{self, Member};
use crate::platform::transfer::Opened;
use crate::store::{Store, StoredIndex};

/// Checks that what is to be built can go where it is to go.
pub(super) fn check(request: &Request) -> Result<()> {
    let several = request.platforms.len() > 1;
    let whole = |place: &&Place| matches!(place, Place::Archive { .. } | Place::Engine(_));
    let has_ours = request.platforms.iter().any(|platform| platform.accepts(&Platform::here()));
    if let Some(place) = request.outputs.iter().find(whole).filter(|_| several && !has_ours) {
        return Err(Error::new(format!("`{place}` takes a single image, and none of those that are built is for this machine")))
            .hint("write to `oci:DIR` or a registry, which take them all");
    }
    if request.publish { publish::check(&request.registries, &request.names()) } else { Ok(()) }
}

/// Names the images in the store, sends them to the registries of their names, and writes them to every output.
pub(super) fn deliver(request: &Request, mut images: Vec<Made>, store: &Store, output: &Output) -> Result<Built> {
    images.sort_by(|one, other| one.platform.cmp(&other.platform));
    let names = request.names();
    let index = match images.as_slice() {
        [_] => None,
        several => Some(store.put_index(&several.iter().map(|made| &made.stored).collect::<Vec<_>>()).code(EXPORT_WENT_WRONG)?),
    };
    let (first, platform) = (images.first().context(|| "nothing was built")?, Platform::here());
    let digest = save(request, first, index.as_ref(), store, output)?;
    let all = request.images(&platform, store, output);
    // When a name means the image, all is there that is said about it.
    let attached = attach::attach(request, &images, index.as_ref(), &all)?;
    let published = match (request.publish, &index) {
        (false, _) => Vec::new(),
        (true, None) => publish::publish(&first.member(), &names, &all, EXPORT_WENT_WRONG)?,
        (true, Some(index)) => {
            let members: Vec<Member> = images.iter().map(Made::member).collect();
            publish::publish_index(index, &members, &names, &all, EXPORT_WENT_WRONG)?
        }
    };
    let opened = match &index {
        None => Opened::stored(&first.stored, Some(request.image.clone()), store)?,
        Some(index) => Opened::index(index.clone(), Some(request.image.clone()), store)?,
    };
    let written = request.outputs.iter().map(|place| all.write(&opened, place, &names)).collect::<Result<_>>()?;
    Ok(Built { digest, images, published, written, attached, times: Vec::new() })
}

fn save(request: &Request, image: &Made, index: Option<&StoredIndex>, store: &Store, output: &Output) -> Result<Digest> {
    let names = request.names();
    let Some(index) = index else {
        written::report(request, exporter::save(&image.stored.image, &names, store, output)?)?;
        return Ok(image.stored.digest.clone());
    };
    for name in &names {
        store.tag(name, &index.descriptor).context(|| format!("cannot save the index `{name}`")).code(EXPORT_WENT_WRONG)?;
    }
    let (tags, digest) = (names.iter().map(ToString::to_string).collect(), index.descriptor.digest.clone());
    let image = ImageReport { tags, digest: digest.to_string(), manifest_size: index.descriptor.size, ..ImageReport::default() };
    written::report(request, image).map(|()| digest)
}

impl Made {
    fn member(&self) -> Member<'_> {
        let sources = self.sources.iter().map(|(name, image)| (name.clone(), image)).collect();
        Member { image: &self.stored.image, sources }
    }
}
