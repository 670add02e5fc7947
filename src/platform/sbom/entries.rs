//! What buildpacks and the lifecycle say is in an image: the documents in its SBOM layer.

use crate::buildpack::escape_id;
use crate::error::{Context, Result};
use crate::image::Layer;
use crate::lifecycle::documents::layers_metadata::LayersMetadata;
use sbom::{Format, Inventory};
use std::fs;
use std::path::Path;
use walkdir::WalkDir;

const LAUNCH: &str = "sbom/launch/";
const LIFECYCLE: &str = "buildpacksio_lifecycle/launcher";
/// No SBOM file is larger.
const LARGEST: u64 = 256 << 20;

/// Reads all documents below the tree of the SBOM layer; joins what they say, each package with the layer that it is in. Documents that cannot be
/// read are noted.
pub(super) fn read(tree: &Path, layer: &Layer, metadata: &LayersMetadata, notes: &mut Vec<String>) -> Result<Inventory> {
    let mut found = Inventory::default();
    for entry in WalkDir::new(tree).min_depth(1).sort_by_file_name() {
        let entry = entry.context(|| "cannot list the SBOM files")?;
        let path = entry.path().strip_prefix(tree).unwrap_or(Path::new("")).to_string_lossy().into_owned();
        let (Some(format), true) = (Format::of_name(&path), entry.file_type().is_file()) else { continue };
        if entry.metadata().is_ok_and(|metadata| metadata.len() > LARGEST) {
            notes.push(format!("`/{path}` is not read: it is too large"));
            continue;
        }
        let text = fs::read(entry.path()).context(|| format!("cannot read `{}`", entry.path().display()))?;
        match sbom::read(format, &text) {
            Ok(mut inventory) => {
                // What a buildpack knows of the system under it, the system itself knows better.
                inventory.distribution = None;
                let place = Place::of(&path, metadata);
                let layer = place.layer.unwrap_or_else(|| layer.diff_id.to_string());
                inventory.locate(&layer, &place.folder);
                found.join(inventory);
            }
            Err(error) => notes.push(format!("`/{path}` is not read: it is no {format}: {error}")),
        }
    }
    Ok(found)
}

/// What a document is about.
struct Place {
    /// The diffID of the layer, if it is about one.
    layer: Option<String>,
    /// The folder that its paths begin in.
    folder: String,
}

impl Place {
    fn of(path: &str, metadata: &LayersMetadata) -> Self {
        let (layers, inside) = path.split_once(LAUNCH).unwrap_or(("", path));
        let folder = inside.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder == LIFECYCLE {
            let layer = Some(metadata.launcher.sha.clone()).filter(|sha| !sha.is_empty());
            return Self { layer, folder: "/cnb/lifecycle/launcher".into() };
        }
        let (buildpack, name) = folder.split_once('/').unwrap_or((folder, ""));
        let known = metadata.buildpacks.iter().flatten().find(|known| escape_id(&known.key) == buildpack);
        let layer = known.and_then(|known| known.layers.get(name)).map(|layer| layer.sha.clone()).filter(|sha| !sha.is_empty());
        // Of a whole buildpack nothing better is known than the document itself.
        let folder = if name.is_empty() { format!("/{path}") } else { format!("/{layers}{folder}") };
        Self { layer, folder }
    }
}
