//! OCI image layouts: the store's own, and those that images are written to (OCI Image Specification, image-layout).

use super::{Store, Stored, index};
use crate::error::{Context, Result};
use crate::image::{Descriptor, Digest, Manifest, layout};
use std::fs::{self, File};
use std::path::Path;

/// Makes `root` a layout without images, unless it is one.
pub(super) fn initialise(root: &Path) -> Result<()> {
    let marker = root.join("oci-layout");
    if !marker.exists() {
        fs::create_dir_all(root.join("blobs/sha256")).context(|| format!("cannot make `{}`", root.display()))?;
        fs::write(&marker, layout::MARKER).context(|| format!("cannot write `{}`", marker.display()))?;
    }
    if !root.join("index.json").exists() {
        index::write(root, root, &index::read(root)?)?;
    }
    Ok(())
}

/// Writes images with all their layers into the layout in `folder`. What the name `tag` means there then is `root`: one of them, or their
/// index. Other images in it stay.
///
/// # Errors
/// When the folder cannot be written, or a layer is missing from the store.
pub fn write_layout(store: &Store, images: &[Stored], root: &Descriptor, folder: &Path, tag: &str) -> Result<()> {
    initialise(folder)?;
    images.iter().try_for_each(|image| copy_image(store, image, folder))?;
    copy_blob(store, &root.digest, folder).context(|| format!("cannot write the image to `{}`", folder.display()))?;
    let mut contents = index::read(folder)?;
    index::set(&mut contents, tag, root);
    index::write(folder, folder, &contents)
}

fn copy_image(store: &Store, image: &Stored, folder: &Path) -> Result<()> {
    let manifest: Manifest = store.document(&image.digest)?;
    for digest in blobs(store, &image.digest)? {
        // A layer that is there need not be in the store.
        if !store.has_blob(&digest) && manifest.layers.iter().any(|layer| layer.digest == digest && layout_has(folder, layer)) {
            continue;
        }
        copy_blob(store, &digest, folder).context(|| format!("cannot write the image to `{}`", folder.display()))?;
    }
    Ok(())
}

/// Whether the layout in `folder` has a blob.
pub fn layout_has(folder: &Path, blob: &Descriptor) -> bool {
    folder.join("blobs/sha256").join(blob.digest.hex()).metadata().is_ok_and(|found| found.len() == blob.size)
}

/// The digests of everything that the image with this digest is made of, each once: layers, configuration, manifest. The documents are as they
/// came, not as this program would write them.
pub(super) fn blobs(store: &Store, image: &Digest) -> Result<Vec<Digest>> {
    let manifest: Manifest = store.document(image)?;
    let mut all: Vec<Digest> = manifest.layers.into_iter().map(|layer| layer.digest).collect();
    all.push(manifest.config.digest);
    all.push(image.clone());
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|digest| seen.insert(digest.clone()));
    Ok(all)
}

/// What an index says of an image in the store.
pub(super) fn descriptor(store: &Store, image: &Stored) -> Result<Descriptor> {
    Ok(store.documents(image)?.descriptor)
}

pub(super) fn copy_blob(store: &Store, digest: &Digest, folder: &Path) -> Result<()> {
    let mut source = store.blob(digest)?;
    let target = folder.join("blobs/sha256").join(digest.hex());
    let size = source.metadata()?.len();
    if target.metadata().is_ok_and(|found| found.len() == size) {
        return Ok(());
    }
    let mut staged = tempfile::NamedTempFile::new_in(folder)?;
    // Within one file system that can share extents, this copies nothing.
    std::io::copy::<File, File>(&mut source, staged.as_file_mut())?;
    fs::set_permissions(staged.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    staged.persist(target).context(|| format!("cannot store the blob {digest}"))?;
    Ok(())
}
