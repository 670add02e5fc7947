//! The packages of a composed run image, in a label of it: who wants them need not fetch its layers. A rebase replaces the label with the layers,
//! as all that begin with `io.buildpacks.base.` (REB-17); where some other tool did not, the layers that it names are not there, and it is no
//! longer believed.

use crate::archive::{decompressed, gzip_smallest};
use crate::debian::compose::Composed;
use crate::error::{Context, Result};
use crate::image::{Digest, Image, to_json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sbom::{Distribution, Found, Inventory, Package};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::io::Read;

/// The label: JSON, compressed with gzip, in Base64.
pub const LABEL: &str = "io.buildpacks.base.cooper.packages";
/// Changes when the same packages become another label.
pub const FORM: u32 = 1;
/// No label holds more when it is unpacked.
const LARGEST: u64 = 64 << 20;
const STATUS: &str = "/var/lib/dpkg/status";

/// The packages of all layers.
#[derive(Serialize, Deserialize)]
struct Packages {
    distribution: Option<Distribution>,
    layers: Vec<OfLayer>,
}

/// The packages of one layer.
#[derive(Serialize, Deserialize)]
struct OfLayer {
    layer: Digest,
    packages: Vec<Package>,
}

/// Writes the label for an image whose top layer was composed, and whose other layers have all other packages.
///
/// # Errors
/// When there is no memory for it.
pub fn write(image: &mut Image, composed: &Composed) -> Result<()> {
    let layers: Vec<&Digest> = image.layers.iter().map(|layer| &layer.diff_id).collect();
    let of = |added: bool| {
        let packages = composed.inventory.by_key().iter().filter(|(key, _)| composed.added.contains(*key) == added);
        packages.map(|(_, package)| package.clone()).collect::<Vec<_>>()
    };
    let parts = match layers.as_slice() {
        [.., below, top] => {
            vec![OfLayer { layer: (*below).clone(), packages: of(false) }, OfLayer { layer: (*top).clone(), packages: of(true) }]
        }
        [top] => vec![OfLayer { layer: (*top).clone(), packages: of(true) }],
        [] => Vec::new(),
    };
    let packages = Packages { distribution: composed.inventory.distribution.clone(), layers: parts };
    let packed = gzip_smallest(&to_json(&packages)).context(|| "cannot write the label with the packages of an image")?;
    image.set_label(LABEL, STANDARD.encode(packed));
    Ok(())
}

/// The packages of an image's run image; nothing where no label says, or it says so of another one.
pub fn read(image: &Image) -> Option<Inventory> {
    let packed = STANDARD.decode(image.label(LABEL)?).ok()?;
    let mut text = Vec::new();
    decompressed(packed.as_slice()).ok()?.take(LARGEST).read_to_end(&mut text).ok()?;
    let packages: Packages = serde_json::from_slice(&text).ok()?;
    let there: BTreeSet<&Digest> = image.layers.iter().map(|layer| &layer.diff_id).collect();
    if packages.layers.is_empty() || packages.layers.iter().any(|part| !there.contains(&part.layer)) {
        return None;
    }
    let mut inventory = Inventory::default();
    inventory.distribution = packages.distribution;
    for part in packages.layers {
        for mut package in part.packages {
            package.found = [Found { layer: part.layer.to_string(), path: STATUS.into() }].into();
            inventory.add(package);
        }
    }
    Some(inventory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::{Descriptor, History, Layer, media_type};

    fn layer(text: &[u8]) -> Layer {
        Layer { blob: Descriptor::of(media_type::LAYER_GZIP, text), diff_id: Digest::of(text), history: History::default() }
    }

    #[test]
    fn a_label_is_believed_of_its_own_layers_only() {
        let mut composed = Composed::default();
        for (name, is_new) in [("a", false), ("b", true)] {
            let package = Package { name: name.into(), version: "1".into(), ..Package::default() };
            composed.added.extend(is_new.then(|| package.key()));
            composed.inventory.add(package);
        }
        let mut image = Image { layers: vec![layer(b"below"), layer(b"top")], ..Image::default() };
        write(&mut image, &composed).unwrap();
        image.layers.push(layer(b"app"));
        let layers: Vec<String> = read(&image).unwrap().packages().map(|package| package.found.first().unwrap().layer.clone()).collect();
        assert_eq!(layers, [Digest::of(b"below").to_string(), Digest::of(b"top").to_string()]);
        image.layers[1] = layer(b"another");
        assert!(read(&image).is_none());
        for damaged in ["", "!", "AAAA"] {
            image.set_label(LABEL, damaged);
            assert!(read(&image).is_none());
        }
    }
}
