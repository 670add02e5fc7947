//! What refers to images in OCI image layouts: signatures, SBOM documents and the like. A layout lists them beside its images, without a name.

use super::import::{Shelf, bring_blobs};
use super::{Store, index, layout};
use crate::error::{Context, Result};
use crate::image::{Descriptor, Digest, Documents, Index, Referring, media_type};
use std::path::Path;

/// What refers to the image with a digest in the layout in `folder`.
///
/// # Errors
/// When the layout, or a manifest that it lists, cannot be read or is damaged.
pub fn layout_referrers(folder: &Path, digest: &Digest) -> Result<Vec<Descriptor>> {
    let shelf = Shelf::Folder(folder);
    let mut found = Vec::new();
    let kinds = [media_type::MANIFEST, media_type::INDEX];
    for entry in index::read(folder)?.manifests.iter().filter(|entry| kinds.contains(&entry.media_type.as_str())) {
        let describe = || format!("cannot read the OCI layout `{}`", folder.display());
        let manifest: Referring = serde_json::from_slice(&shelf.document(entry).context(describe)?).context(describe)?;
        if manifest.subject.as_ref().is_some_and(|subject| subject.digest == *digest) {
            found.push(manifest.listed(entry));
        }
    }
    Ok(found)
}

/// A blob of no more than `longest` bytes in the layout in `folder`.
///
/// # Errors
/// When it is missing, damaged or longer.
pub fn layout_file(folder: &Path, blob: &Descriptor, longest: u64) -> Result<Vec<u8>> {
    Shelf::Folder(folder).whole(blob, longest)
}

/// Brings something that refers to an image out of the layout in `folder` into the store.
///
/// # Errors
/// When a blob is missing or damaged, or the store cannot be written.
pub fn read_referrer(store: &Store, folder: &Path, referrer: &Descriptor) -> Result<Documents> {
    let shelf = Shelf::Folder(folder);
    let (manifest, parsed) = bring_blobs(store, &shelf, referrer)?;
    Ok(Documents { config: shelf.document(&parsed.config)?, manifest, descriptor: referrer.clone() })
}

/// A document in the layout in `folder`, checked.
///
/// # Errors
/// When it is missing or damaged.
pub fn read_document(folder: &Path, document: &Descriptor) -> Result<Vec<u8>> {
    Shelf::Folder(folder).document(document)
}

/// Writes something that refers to an image from the store into the layout in `folder`.
///
/// # Errors
/// When the folder cannot be written, or a blob is missing from the store.
pub fn write_referrer(store: &Store, referrer: &Descriptor, folder: &Path) -> Result<()> {
    layout::initialise(folder)?;
    copy(store, referrer, folder).context(|| format!("cannot write to `{}`", folder.display()))?;
    let mut contents = index::read(folder)?;
    if contents.manifests.iter().all(|known| known.digest != referrer.digest) {
        contents.manifests.push(referrer.clone());
        index::write(folder, folder, &contents)?;
    }
    Ok(())
}

/// Copies a manifest, or an index, with all that it points to.
fn copy(store: &Store, manifest: &Descriptor, folder: &Path) -> Result<()> {
    if !manifest.is_index() {
        return layout::blobs(store, &manifest.digest)?.iter().try_for_each(|digest| layout::copy_blob(store, digest, folder));
    }
    let index: Index = store.document(&manifest.digest)?;
    index.manifests.iter().try_for_each(|child| copy(store, child, folder))?;
    layout::copy_blob(store, &manifest.digest, folder)
}
