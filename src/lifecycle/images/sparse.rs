//! Images as OCI layouts that lack some of their layers: what the restorer leaves for the extender, and the extender for the exporter.

use super::{Found, Images, Layouts};
use crate::error::{Context, Error, Result};
use crate::image::{Descriptor, Index, Layer, Manifest, layout, media_type, to_json};
use std::fs;
use std::path::{Path, PathBuf};

/// The exact bytes of an image's documents.
pub struct Raw {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The configuration.
    pub config: Vec<u8>,
}

impl Images {
    /// The documents of an image, byte for byte.
    ///
    /// # Errors
    /// When they are not there.
    pub fn raw(&self, found: &Found) -> Result<Raw> {
        match self {
            Self::Layouts(layouts) => layouts.raw(found),
            Self::Registry(registry) => registry.raw(found),
            Self::Daemon(_) => Err(Error::new("an engine keeps no manifests")),
        }
    }
}

/// Writes an image without layers, or with those whose blobs are in these files.
///
/// # Errors
/// When the folder cannot be written, or a file not read.
pub fn write(folder: &Path, raw: &Raw, layers: &[(&Layer, PathBuf)]) -> Result<()> {
    let describe = || format!("cannot write the OCI layout `{}`", folder.display());
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).context(describe)?;
    let manifest: Manifest = serde_json::from_slice(&raw.manifest).context(describe)?;
    let of = if manifest.media_type.is_empty() { media_type::MANIFEST } else { &manifest.media_type };
    let descriptor = Descriptor::of(of, &raw.manifest);
    fs::write(blobs.join(descriptor.digest.hex()), &raw.manifest).context(describe)?;
    fs::write(blobs.join(manifest.config.digest.hex()), &raw.config).context(describe)?;
    for (layer, file) in layers {
        fs::copy(file, blobs.join(layer.blob.digest.hex())).context(describe)?;
    }
    fs::write(folder.join("oci-layout"), layout::MARKER).context(describe)?;
    fs::write(folder.join("index.json"), to_json(&Index { manifests: vec![descriptor], ..Index::default() })).context(describe)
}

/// Reads the only image below a folder, each in a folder of its own; nothing where there is none. Says which of its layers are there.
///
/// # Errors
/// When there are several, or it cannot be understood.
pub fn read_only_one(folder: &Path) -> Result<Option<(Found, Vec<bool>)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.context(|| format!("cannot read `{}`", folder.display()))?,
    };
    let names: Vec<_> = entries.collect::<std::io::Result<_>>().context(|| format!("cannot read `{}`", folder.display()))?;
    match names.as_slice() {
        [] => Ok(None),
        [one] => {
            let layouts = Layouts::new(folder.to_path_buf());
            let found = layouts.find(&one.path().to_string_lossy())?;
            let found = found.context(|| format!("`{}` is no OCI layout with one image", one.path().display()))?;
            let here = found.image.layers.iter().map(|layer| layouts.has(&found, layer)).collect();
            Ok(Some((found, here)))
        }
        many => Err(Error::new(format!("expected directory \"{}\" to have only 1 item; found {}", folder.display(), many.len()))),
    }
}
