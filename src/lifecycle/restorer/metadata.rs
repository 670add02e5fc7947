//! Which layers a buildpack gets back (Buildpack spec, "Layer Types").

use super::{BuildpackLayer, Restore};
use crate::buildpack::{GroupElement, can_be_layer};
use crate::output::Output;
use launcher::api::Api;

/// A layer that a buildpack gets back.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The buildpack's ID.
    pub buildpack: String,
    /// The layer's name.
    pub name: String,
    /// What is known of it.
    pub metadata: BuildpackLayer,
}

/// The layers that the previous image and the cache speak for, in the order of the buildpacks.
pub fn choose(request: &Restore, output: &Output) -> Vec<Chosen> {
    let mut chosen: Vec<Chosen> = Vec::new();
    for GroupElement { id: buildpack, .. } in request.group {
        let of_image = request.metadata.buildpack(buildpack).map(|layers| &layers.layers);
        let of_cache = request.cache.and_then(|cache| cache.layers(buildpack));
        for (name, metadata) in of_image.into_iter().flatten() {
            let cached = of_cache.and_then(|layers| layers.get(name));
            match from_image(metadata, cached) {
                Ok(()) => {
                    output.line(&format!("Restoring metadata for \"{buildpack}:{name}\" from app image"));
                    chosen.push(Chosen { buildpack: buildpack.clone(), name: name.clone(), metadata: metadata.clone() });
                }
                Err(reason) => output.detail(&format!("Not restoring metadata for \"{buildpack}:{name}\", marked as {reason}")),
            }
        }
        for (name, metadata) in of_cache.into_iter().flatten() {
            let in_image = of_image.is_some_and(|layers| layers.contains_key(name));
            // RES-03.
            let alone = request.platform_api >= Api::new(0, 14);
            if metadata.cache && !(metadata.launch && (in_image || !alone)) {
                output.line(&format!("Restoring metadata for \"{buildpack}:{name}\" from cache"));
                let from_image = |earlier: &Chosen| (&earlier.buildpack, &earlier.name) == (buildpack, name);
                chosen.retain(|earlier| !from_image(earlier));
                chosen.push(Chosen { buildpack: buildpack.clone(), name: name.clone(), metadata: metadata.clone() });
            }
        }
    }
    chosen.retain(|layer| {
        let good = can_be_layer(&layer.name);
        if !good {
            output.warn(&format!("`{}` cannot be the name of a layer; it is not restored", layer.name));
        }
        good
    });
    chosen
}

/// Whether the image's word is enough to bring a layer back (RES-02); if not, why.
fn from_image(layer: &BuildpackLayer, cached: Option<&BuildpackLayer>) -> Result<(), &'static str> {
    match (layer.launch, layer.build, layer.cache) {
        (false, _, _) => Err("launch=false"),
        (true, true, false) => Err("build=true, cache=false"),
        (true, _, true) if !cached.is_some_and(|cached| cached.cache) => Err("cache=true, but not found in cache"),
        (true, _, _) => Ok(()),
    }
}
