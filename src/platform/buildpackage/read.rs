//! Packages that are images: the modules in their layers (PKG-01, PKG-08, PKG-12, PKG-14).

use super::label::{LAYERS_LABELS, METADATA_LABEL, Metadata, ModuleLayer, ModuleLayers};
use super::{Module, Package, tree};
use crate::archive::decompressed;
use crate::buildpack::{Kind, ModuleToml};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Image, Layer};
use crate::store::{Store, Stored};
use std::io::Read;

/// What a package's labels say.
pub struct Labels {
    /// What it is.
    pub metadata: Metadata,
    /// Whether its main module is a buildpack or an extension.
    pub kind: Kind,
    /// Its modules.
    pub modules: Vec<(Kind, ModuleLayers)>,
}

impl Labels {
    /// Reads them.
    ///
    /// # Errors
    /// When the image is no package.
    pub fn read(image: &Image) -> Result<Self> {
        let text = image.label(METADATA_LABEL).context(|| format!("it is no package: it has no label `{METADATA_LABEL}`"));
        let text = text.hint("`cooper buildpack package` makes packages; what is in a builder is used with `--builder`")?;
        let metadata: Metadata = serde_json::from_str(text).context(|| format!("its label `{METADATA_LABEL}` is damaged"))?;
        let modules =
            LAYERS_LABELS.map(|(kind, label)| Ok((kind, module_layers(image, label)?))).into_iter().collect::<Result<Vec<_>>>()?;
        let (id, version) = (&metadata.info.id, &metadata.info.version);
        let has = |(_, layers): &&(Kind, ModuleLayers)| layers.get(id).is_some_and(|versions| versions.contains_key(version));
        let main = modules.iter().find(has).context(|| format!("it says that it is `{id}@{version}`, but has no layer of it"))?;
        Ok(Self { kind: main.0, metadata, modules })
    }

    /// Kind, ID, version and layer of every module.
    pub fn all(&self) -> impl Iterator<Item = (Kind, &str, &str, &ModuleLayer)> {
        let modules = self.modules.iter().flat_map(|(kind, layers)| layers.iter().map(move |(id, versions)| (*kind, id, versions)));
        modules.flat_map(|(kind, id, versions)| versions.iter().map(move |(version, layer)| (kind, id.as_str(), version.as_str(), layer)))
    }
}

/// The label that says which layers hold which modules; nothing where there is none.
pub fn module_layers(image: &Image, label: &str) -> Result<ModuleLayers> {
    let parsed = image
        .label(label)
        .map(|text| serde_json::from_str::<Option<ModuleLayers>>(text).context(|| format!("its label `{label}` is damaged")));
    Ok(parsed.transpose()?.flatten().unwrap_or_default())
}

/// The modules of a package in the store.
pub fn package(stored: &Stored, store: &Store) -> Result<Package> {
    let labels = Labels::read(&stored.image)?;
    let mut modules = Vec::new();
    for (kind, id, version, said) in labels.all() {
        let shared = labels.all().filter(|(_, _, _, other)| other.layer_diff_id == said.layer_diff_id).count() > 1;
        let layer = stored.image.layers.iter().find(|layer| layer.diff_id.to_string() == said.layer_diff_id);
        let found = layer.context(|| format!("it has no layer {}", said.layer_diff_id)).and_then(|layer| {
            let toml = tree::find_in_layer(tar(layer, store)?, kind, id, version)?;
            if shared { tree::of_shared_layer(tar(layer, store)?, toml, store) } else { Ok(Module { toml, layer: layer.clone() }) }
        });
        modules.push(found.context(|| format!("cannot read the {} `{id}@{version}` of the package", kind.name()))?);
    }
    let info = &labels.metadata.info;
    let main = modules.iter().position(|module| module.is(labels.kind, &info.id, &info.version));
    let main = modules.swap_remove(main.context(|| "its main module is missing")?);
    let others = ordered(&main.toml, modules);
    Ok(Package { main, others })
}

fn tar(layer: &Layer, store: &Store) -> Result<impl Read> {
    decompressed(store.blob(&layer.blob.digest)?).context(|| "cannot read the layer")
}

/// Modules in the order in which `main` and they name each other; what nobody names comes last.
fn ordered(main: &ModuleToml, mut modules: Vec<Module>) -> Vec<Module> {
    modules.sort_by_key(|module| module.toml.full_name());
    let mut ordered: Vec<Module> = Vec::new();
    let mut wanted: Vec<_> = main.order.iter().flat_map(|group| &group.group).rev().cloned().collect();
    while let Some(entry) = wanted.pop() {
        if let Some(at) = modules.iter().position(|module| module.is(Kind::Buildpack, &entry.id, &entry.version)) {
            let module = modules.remove(at);
            wanted.extend(module.toml.order.iter().flat_map(|group| &group.group).rev().cloned());
            ordered.push(module);
        }
    }
    ordered.append(&mut modules);
    ordered
}

/// Whether all that modules name is there, and all that is there is named (PKG-10).
pub fn check_closed(main: &ModuleToml, others: &[Module]) -> Result<()> {
    let named = |toml: &ModuleToml| toml.order.iter().flat_map(|group| group.group.clone()).collect::<Vec<_>>();
    for toml in std::iter::once(main).chain(others.iter().map(|module| &module.toml)) {
        for entry in named(toml) {
            if entry.version.is_empty() {
                return Err(Error::new(format!(
                    "the buildpack `{}` references buildpack `{}` without a version",
                    toml.full_name(),
                    entry.id
                ))
                .hint("write `version` in each `[[order.group]]`"));
            }
            if !others.iter().any(|module| module.is(Kind::Buildpack, &entry.id, &entry.version)) {
                let problem =
                    format!("buildpack `{}` references buildpack `{}@{}` which is not present", toml.full_name(), entry.id, entry.version);
                return Err(Error::new(problem).hint("add it to the `[[dependencies]]` of package.toml"));
            }
        }
    }
    let all: Vec<_> = named(main).into_iter().chain(others.iter().flat_map(|module| named(&module.toml))).collect();
    let unused = others.iter().find(|module| !all.iter().any(|entry| module.is(Kind::Buildpack, &entry.id, &entry.version)));
    match unused {
        Some(module) => Err(Error::new(format!("buildpack `{}` is not used by buildpack `{}`", module.toml.full_name(), main.full_name()))
            .hint("name it in an `[[order.group]]`, or take it out of the `[[dependencies]]` of package.toml")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PKG-08.
    #[test]
    fn a_package_has_the_module_that_it_says_it_is() {
        let labels = |metadata: &str, layers: &str| {
            let mut image = Image::default();
            image.set_label(METADATA_LABEL, metadata);
            image.set_label(LAYERS_LABELS[0].1, layers);
            Labels::read(&image).map(|labels| labels.metadata.info.id)
        };
        let metadata = r#"{"id":"a/b","version":"1","stacks":[{"id":"*"}]}"#;
        assert_eq!(labels(metadata, r#"{"a/b":{"1":{"api":"0.11","layerDiffID":"x"}}}"#).unwrap(), "a/b");
        for layers in ["{}", "null", r#"{"a/b":{"2":{"api":"0.11","layerDiffID":"x"}}}"#] {
            assert!(labels(metadata, layers).unwrap_err().to_string().contains("`a/b@1`, but has no layer of it"), "{layers}");
        }
        assert!(labels(metadata, "[").is_err() && Labels::read(&Image::default()).is_err());
    }
}
