//! An image as one file that `docker load`, `podman load` and skopeo's `docker-archive:` read; it is an OCI layout too.

use super::layout::{blobs, descriptor};
use super::{Store, Stored, index};
use crate::archive::{Entry, TarWriter};
use crate::error::{Context, Result};
use crate::image::{Digest, Index, Manifest, Reference, layout, to_json};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{BufWriter, Write};
use std::path::Path;

/// What `manifest.json` says of an image, as Docker reads it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DockerManifest {
    config: String,
    repo_tags: Vec<String>,
    layers: Vec<String>,
}

/// Writes images to `file`, each under its names.
///
/// # Errors
/// When the file cannot be written, or a layer is missing from the store.
pub fn write_docker_archive(store: &Store, images: &[(&Stored, &[Reference])], file: &Path) -> Result<()> {
    staged(file, |tar| write_members(tar, store, images))
}

/// Writes an image to `file` as an OCI layout in a tar, as the reference writes packages of buildpacks (PKG-13).
///
/// # Errors
/// When the file cannot be written, or a layer is missing from the store.
pub fn write_layout_archive(store: &Store, image: &Stored, file: &Path) -> Result<()> {
    let index = to_json(&Index { manifests: vec![descriptor(store, image)?], ..Index::default() });
    staged(file, |tar| {
        let time = Entry::NORMAL_TIME;
        for folder in ["/blobs", "/blobs/sha256"] {
            tar.append(&Entry::directory(folder, 0o755, 0, 0, time), std::io::empty())?;
        }
        let mut digests = blobs(store, &image.digest)?;
        digests.sort();
        for digest in digests {
            let blob = store.blob(&digest)?;
            tar.append(&Entry::file(format!("/{}", place(&digest)), blob.metadata()?.len(), 0o755, 0, 0, time), blob)?;
        }
        for (name, content) in [("/index.json", index.as_slice()), ("/oci-layout", layout::MARKER.as_bytes())] {
            tar.append(&Entry::file(name, content.len() as u64, 0o755, 0, 0, time), content)?;
        }
        Ok(())
    })
}

/// Writes a tar that is there once it is whole.
fn staged(file: &Path, fill: impl FnOnce(&mut TarWriter<BufWriter<tempfile::NamedTempFile>>) -> Result<()>) -> Result<()> {
    let describe = || format!("cannot write the archive `{}`", file.display());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let staged = tempfile::NamedTempFile::new_in(folder).context(describe)?;
    let mut tar = TarWriter::new(BufWriter::with_capacity(1 << 20, staged));
    fill(&mut tar).context(describe)?;
    let buffer = tar.finish().context(describe)?;
    let staged = buffer.into_inner().map_err(std::io::IntoInnerError::into_error).context(describe)?;
    std::fs::set_permissions(staged.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644)).context(describe)?;
    staged.persist(file).context(describe)?;
    Ok(())
}

fn write_members(tar: &mut TarWriter<impl Write>, store: &Store, images: &[(&Stored, &[Reference])]) -> Result<()> {
    let time = Entry::NORMAL_TIME;
    for folder in ["blobs", "blobs/sha256"] {
        tar.append(&Entry::directory(folder, 0o755, 0, 0, time), std::io::empty())?;
    }
    let (mut layout, mut manifests, mut written) = (Index::default(), Vec::new(), BTreeSet::new());
    for (image, names) in images {
        for digest in blobs(store, &image.digest)?.into_iter().filter(|digest| written.insert(digest.clone())) {
            let blob = store.blob(&digest)?;
            let size = blob.metadata()?.len();
            tar.append(&Entry::file(place(&digest), size, 0o644, 0, 0, time), blob)?;
        }
        let descriptor = descriptor(store, image)?;
        if names.is_empty() {
            layout.manifests.push(descriptor.clone());
        }
        for name in *names {
            index::set(&mut layout, &name.full(), &descriptor);
        }
        let Manifest { config, .. } = store.document(&image.digest)?;
        manifests.push(DockerManifest {
            config: place(&config.digest),
            repo_tags: names.iter().map(Reference::familiar).collect(),
            layers: image.image.layers.iter().map(|layer| place(&layer.blob.digest)).collect(),
        });
    }
    for (name, content) in
        [("index.json", to_json(&layout)), ("manifest.json", to_json(&manifests)), ("oci-layout", layout::MARKER.as_bytes().to_vec())]
    {
        tar.append(&Entry::file(name, content.len() as u64, 0o644, 0, 0, time), content.as_slice())?;
    }
    Ok(())
}

fn place(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
