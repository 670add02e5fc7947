//! OCI image layouts: the store's own, and those that images are written to (OCI Image Specification, image-layout).

use super::{Store, Stored, index};
use crate::error::{Context, Result};
use crate::image::{Descriptor, Digest, media_type};
use std::fs::{self, File};
use std::path::Path;

const MARKER: &str = "oci-layout";
pub(super) const MARKER_CONTENT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;

/// Makes `root` a layout without images, unless it is one.
pub(super) fn initialise(root: &Path) -> Result<()> {
    let marker = root.join(MARKER);
    if !marker.exists() {
        fs::create_dir_all(root.join("blobs/sha256")).context(|| format!("cannot make `{}`", root.display()))?;
        fs::write(&marker, MARKER_CONTENT).context(|| format!("cannot write `{}`", marker.display()))?;
    }
    if !root.join("index.json").exists() {
        index::write(root, root, &index::read(root)?)?;
    }
    Ok(())
}

/// Writes an image with all its layers into the layout in `folder`, under the name `tag`. Other images in it stay.
///
/// # Errors
/// When the folder cannot be written, or a layer is missing from the store.
pub fn write_layout(store: &Store, image: &Stored, folder: &Path, tag: &str) -> Result<()> {
    initialise(folder)?;
    let documents = image.image.documents();
    for digest in blobs(image) {
        copy_blob(store, &digest, folder).context(|| format!("cannot write the image to `{}`", folder.display()))?;
    }
    let mut contents = index::read(folder)?;
    index::set(&mut contents, tag, &documents.descriptor);
    index::write(folder, folder, &contents)
}

/// The digests of everything that an image is made of, each once: layers, configuration, manifest.
pub(super) fn blobs(image: &Stored) -> Vec<Digest> {
    let documents = image.image.documents();
    let mut all: Vec<Digest> = image.image.layers.iter().map(|layer| layer.blob.digest.clone()).collect();
    all.push(Descriptor::of(media_type::CONFIG, &documents.config).digest);
    all.push(documents.descriptor.digest);
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|digest| seen.insert(digest.clone()));
    all
}

fn copy_blob(store: &Store, digest: &Digest, folder: &Path) -> Result<()> {
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
