//! Sends images to the registries of their names.

use super::images::Images;
use crate::error::{Advice, Context, Result};
use crate::image::{Image, Reference};
use crate::registry::{Publish, Registries};

/// Checks that an image can be published under these names before there is one: work takes longer than a question.
///
/// # Errors
/// When a registry cannot be reached or refuses.
pub fn check(registries: &Registries, names: &[Reference]) -> Result<()> {
    names.iter().try_for_each(|name| registries.check_write(name).context(|| format!("cannot publish `{}`", name.familiar())))
}

/// Sends an image under all its names, and returns those that mean it now. `sources` are images that share layers with it, where they are in
/// registries.
///
/// # Errors
/// When it cannot be sent under one of them; the others are tried nonetheless. The exit code is the caller's.
pub fn publish(image: &Image, names: &[Reference], sources: &[(Reference, &Image)], images: &Images, code: u8) -> Result<Vec<String>> {
    let label = names.first().map(Reference::familiar).unwrap_or_default();
    let progress = images.output.progress(&format!("publishing {label}"), Some(image.compressed_size()));
    let publish = Publish { image, names, sources, store: images.store, progress: Some(&progress) };
    let (mut published, mut failed) = (Vec::new(), None);
    for (name, sent) in images.registries.publish(&publish) {
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
