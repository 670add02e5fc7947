//! The operating system's packages of an image, from its layers: from the top down, and no further than needed.

use super::About;
use super::label;
use crate::archive::{MemberKind, TarReader, decompressed};
use crate::error::{Context, Result};
use crate::image::Layer;
use crate::lifecycle::rebaser::layers_of;
use crate::platform::images::Images;
use sbom::{Inventory, System};
use std::io::Read;

/// A larger database or copyright file makes no sense.
const LARGEST: u64 = 64 << 20;

/// What is known of an image's operating system.
pub(super) struct Found {
    pub inventory: Inventory,
    /// What a reader of it must know.
    pub notes: Vec<String>,
}

/// The packages of the system.
pub(super) fn find(about: &About, images: &Images) -> Result<Found> {
    if let Some(inventory) = label::read(about.image) {
        return Ok(Found { inventory, notes: Vec::new() });
    }
    let mut system = System::default();
    // What buildpacks add is above the run image, and no database of packages is in it.
    let layers = layers_of(about.image).map_or(about.image.layers.as_slice(), |(run_image, _)| run_image);
    for layer in layers.iter().rev() {
        if let Some(registry) = about.registry {
            images.output.detail(&format!("looking for the packages of the operating system in {}", layer.diff_id));
            images.registries.fetch_layer(registry, layer, images.store)?;
        }
        show(&mut system, layer, images).context(|| format!("cannot read the layer {}", layer.diff_id))?;
        if system.is_complete() {
            break;
        }
    }
    let mut notes: Vec<String> =
        system.foreign().map(|path| format!("the packages in /{path}, a database of rpm's, are not listed")).collect();
    if !system.is_known() && notes.is_empty() {
        notes.push("no database of an operating system's packages was found in the image".into());
    }
    Ok(Found { inventory: system.inventory(), notes })
}

fn show(system: &mut System, layer: &Layer, images: &Images) -> Result<()> {
    let mut tar = TarReader::new(decompressed(images.store.blob(&layer.blob.digest)?)?);
    let diff_id = layer.diff_id.as_str();
    while let Some(member) = tar.next()? {
        let path = String::from_utf8_lossy(&member.path);
        let path = path.trim_start_matches("./").trim_matches('/');
        if matches!(member.kind, MemberKind::Symlink | MemberKind::HardLink) {
            system.links(path, &String::from_utf8_lossy(&member.link));
            continue;
        }
        if system.notes(path, diff_id) && member.kind == MemberKind::File {
            let mut content = Vec::new();
            (&mut tar).take(LARGEST).read_to_end(&mut content)?;
            system.takes(path, diff_id, &content);
        }
    }
    system.ends_layer();
    Ok(())
}
