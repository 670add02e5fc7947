//! Gives the SBOM files of restored layers back to their buildpacks (RES-09, RES-10).

use super::metadata::Chosen;
use super::{Restore, give};
use crate::archive::decompressed;
use crate::buildpack::escape_id;
use crate::error::{Context, Result};
use crate::output::Output;
use crate::store::Store;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// How an SBOM file's name ends.
pub const EXTENSIONS: [&str; 3] = ["cdx.json", "spdx.json", "syft.json"];

/// A larger SBOM file is neither restored nor taken along.
pub const LARGEST: u64 = 256 << 20;

/// Restores the SBOM files of these layers: those of the cache first, so that those of the image win. Only restored layers get theirs,
/// as the specification has it.
pub fn restore(request: &Restore, layers: &[Chosen], store: &Store, output: &Output) -> Result<()> {
    let cached = request.cache.map_or(Ok(None), |cache| cache.sbom(request.layers)).unwrap_or_else(|error| {
        output.warn(&format!("the SBOM files of the cache are not restored: {error:?}"));
        None
    });
    if cached.is_some() {
        output.step("Restoring data for SBOM from cache");
    }
    // The analyzer as a program leaves those of the previous image there (ANA-06).
    for folder in cached.into_iter().chain([request.layers.join("sbom/launch")]) {
        for (inside, target) in targets(request, layers) {
            copy(&folder.join(&inside), &target, request)?;
        }
    }
    if let Err(error) = from_image(request, layers, store) {
        output.warn(&format!("the SBOM files of the previous image are not restored: {error:?}"));
    }
    let left = request.layers.join("sbom");
    crate::store::remove_tree(&left).context(|| format!("cannot remove `{}`", left.display()))
}

/// Each file's path below a folder of SBOM files, and where it goes.
fn targets(request: &Restore, layers: &[Chosen]) -> Vec<(String, PathBuf)> {
    let mut targets = Vec::new();
    for layer in layers {
        let folder = escape_id(&layer.buildpack);
        for extension in EXTENSIONS {
            let inside = format!("{folder}/{}/sbom.{extension}", layer.name);
            targets.push((inside, request.layers.join(&folder).join(format!("{}.sbom.{extension}", layer.name))));
        }
    }
    targets
}

fn copy(source: &Path, target: &Path, request: &Restore) -> Result<()> {
    match fs::copy(source, target) {
        Ok(_) => give(target, request.owner),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).context(|| format!("cannot copy `{}` to `{}`", source.display(), target.display())),
    }
}

fn from_image(request: &Restore, layers: &[Chosen], store: &Store) -> Result<()> {
    let (Some(image), Some(sbom)) = (request.previous, &request.metadata.sbom) else { return Ok(()) };
    let Some(layer) = image.layers.iter().find(|layer| layer.diff_id.as_str() == sbom.sha) else { return Ok(()) };
    let wanted: BTreeMap<String, PathBuf> = targets(request, layers).into_iter().collect();
    if wanted.is_empty() || !store.has_blob(&layer.blob.digest) {
        return Ok(());
    }
    let describe = || format!("cannot read the SBOM layer {}", layer.diff_id);
    let blob = decompressed(store.blob(&layer.blob.digest)?).context(describe)?;
    for member in tar::Archive::new(blob).entries().context(describe)? {
        let member = member.context(describe)?;
        let path = String::from_utf8_lossy(&member.path_bytes()).into_owned();
        let target = path.split_once("/sbom/launch/").and_then(|(_, inside)| wanted.get(inside));
        let Some(target) = target.filter(|_| member.header().entry_type().is_file()) else { continue };
        let mut file = File::create(target).context(|| format!("cannot write `{}`", target.display()))?;
        std::io::copy(&mut member.take(LARGEST), &mut file).context(describe)?;
        give(target, request.owner)?;
    }
    Ok(())
}
