//! Sends images to the registries of their names.

use super::images::Images;
use crate::error::{Advice, Context, Result};
use crate::image::{Image, Reference};
use crate::registry::{Publish, Registries};
use crate::store::StoredIndex;
use std::collections::BTreeMap;

/// Checks that an image can be published under these names before there is one: work takes longer than a question.
///
/// # Errors
/// When a registry cannot be reached or refuses.
pub fn check(registries: &Registries, names: &[Reference]) -> Result<()> {
    names.iter().try_for_each(|name| registries.check_write(name).context(|| format!("cannot publish `{}`", name.familiar())))
}

/// An image to send.
pub struct Member<'a> {
    /// It.
    pub image: &'a Image,
    /// Images that share layers with it, where they are in registries.
    pub sources: Vec<(Reference, &'a Image)>,
}

/// Sends an image under all its names, and returns those that mean it now.
///
/// # Errors
/// When it cannot be sent under one of them; the others are tried nonetheless. The exit code is the caller's.
pub fn publish(member: &Member, names: &[Reference], images: &Images, code: u8) -> Result<Vec<String>> {
    let label = names.first().map(Reference::familiar).unwrap_or_default();
    let progress = images.output.progress(&format!("publishing {label}"), Some(member.image.compressed_size()));
    let publish = Publish { image: member.image, names, sources: &member.sources, store: images.store, progress: Some(&progress) };
    told(images.registries.publish(&publish), images, code)
}

/// Sends an index under all its names, and returns those that mean it now: first its images by their digests, the index last, so that a name
/// never means a part of it.
///
/// # Errors
/// As [`publish`].
pub fn publish_index(index: &StoredIndex, members: &[Member], names: &[Reference], images: &Images, code: u8) -> Result<Vec<String>> {
    for member in members {
        let digest = member.image.documents().descriptor.digest;
        let pinned: BTreeMap<String, Reference> = names.iter().map(|name| name.pinned(&digest)).map(|name| (name.full(), name)).collect();
        publish(member, &pinned.into_values().collect::<Vec<_>>(), images, code)?;
    }
    let send = |name: &Reference| images.registries.push_list(&index.document, &index.descriptor.media_type, name);
    told(names.iter().map(|name| (name.clone(), send(name))).collect(), images, code)
}

/// Tells what became of each name.
fn told(sent: Vec<(Reference, Result<()>)>, images: &Images, code: u8) -> Result<Vec<String>> {
    let (mut published, mut failed) = (Vec::new(), None);
    for (name, sent) in sent {
        match sent {
            Ok(()) => published.push(name.familiar()),
            Err(error) if failed.is_none() => failed = Some((name, error)),
            Err(error) => images.output.warn(&format!("cannot publish `{}`: {error:?}", name.familiar())),
        }
    }
    match failed {
        None => Ok(published),
        Some((name, error)) => Err(error).context(|| format!("cannot publish `{}`", name.familiar())).code(code),
    }
}
