//! Makes packages: an image with one layer for each module, or one layer for several (PKG-01, PKG-05 to PKG-12).

use super::config::{Config, Dependency};
use super::label::{LAYERS_LABELS, METADATA_LABEL, Metadata, ModuleLayer, ModuleLayers};
use super::locator::Locator;
use super::validate::{Severity, validate};
use super::{Module, Package, Sources, read, tree};
use crate::buildpack::{Kind, Stack, Target};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{CREATED, Config as ImageConfig, History, Image, Layer, to_json};
use crate::store::Store;
use std::collections::BTreeMap;

/// Which modules share a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flatten {
    /// None.
    Nothing,
    /// All but these, as `ID@VERSION`.
    AllBut(Vec<String>),
}

/// How the image of a package is made.
pub struct Form {
    /// Which modules share a layer.
    pub flatten: Flatten,
    /// Labels of its own.
    pub labels: BTreeMap<String, String>,
    /// The machine that it is for.
    pub target: Target,
}

/// Brings together what a package is made of.
///
/// # Errors
/// When something is not to be had, is missing or superfluous (PKG-10), or is of the other kind.
pub fn collect(config: &Config, kind: Kind, target: &Target, sources: &Sources) -> Result<Package> {
    let known = sources.known(&config.base);
    let Package { main, mut others } = match Locator::parse(&config.uri, &known)? {
        Locator::Path(folder) if folder.is_dir() => {
            // What does not work is an error below.
            let told = if folder.join(kind.file()).is_file() { validate(&folder)? } else { Vec::new() };
            for finding in told.iter().filter(|finding| finding.severity == Severity::Warning) {
                sources.images.output.warn(&format!("{}: {}", finding.file, finding.message));
            }
            let main =
                tree::of_folder_for(&folder, target, sources.images.store).context(|| format!("cannot get `{}`", folder.display()))?;
            Package { main, others: Vec::new() }
        }
        other => sources.fetch(&other)?,
    };
    if main.toml.kind != kind {
        return Err(Error::new(format!(
            "`{}` is not of the wanted kind: it is the {} `{}`",
            config.uri,
            main.toml.kind.name(),
            main.toml.full_name()
        ))
        .hint(format!("use `cooper {} package`", main.toml.kind.name())));
    }
    for dependency in &config.dependencies {
        let locator = match dependency {
            Dependency::Uri(uri) => Locator::parse(uri, &known)?,
            Dependency::Image(image) => Locator::image(image)?,
        };
        let package = sources.fetch(&locator).context(|| "cannot get what the package is composed of")?;
        for module in package.modules() {
            if module.toml.kind == Kind::Extension {
                return Err(Error::new(format!("the extension `{}` cannot be in a package of other modules", module.toml.full_name()))
                    .hint("package it on its own, with `cooper extension package`"));
            }
            if !others.iter().any(|other| other.is(Kind::Buildpack, &module.toml.info.id, &module.toml.info.version)) {
                others.push(module.clone());
            }
        }
    }
    read::check_closed(&main.toml, &others)?;
    Ok(Package { main, others })
}

/// The image of a package; its layers are in the store.
///
/// # Errors
/// When its modules work on nothing in common, or the store cannot be written.
pub fn image(package: &Package, form: &Form, store: &Store) -> Result<Image> {
    let mut modules: Vec<&Module> = package.modules().collect();
    // The reference's order is another one each time (PKG-11).
    modules.sort_by_key(|module| module.toml.full_name());
    let main = &package.main.toml;
    let stacks = match main.kind {
        Kind::Buildpack => Some(stacks(package)?),
        Kind::Extension => None,
    };
    let mut image = Image { config: config(&form.target), ..Image::default() };
    let metadata = Metadata { info: main.info.clone(), stacks };
    form.labels.iter().for_each(|(name, value)| image.set_label(name, value));
    image.set_label(METADATA_LABEL, text(&metadata)?);
    let mut said = ModuleLayers::new();
    for (layer, of_layer) in layers(&modules, &form.flatten, store)? {
        for module in of_layer {
            let info = &module.toml.info;
            said.entry(info.id.clone()).or_default().insert(info.version.clone(), ModuleLayer::new(module, &layer.diff_id));
        }
        image.layers.push(layer);
    }
    let label = LAYERS_LABELS.iter().find(|(kind, _)| *kind == main.kind).map_or("", |(_, label)| label);
    image.set_label(label, text(&said)?);
    Ok(image)
}

/// A value as JSON, as labels hold it.
pub fn text(value: &impl serde::Serialize) -> Result<String> {
    String::from_utf8(to_json(value)).context(|| "cannot write a label")
}

fn config(target: &Target) -> ImageConfig {
    ImageConfig {
        os: if target.os.is_empty() { "linux".into() } else { target.os.clone() },
        architecture: target.arch.clone(),
        variant: target.variant.clone(),
        created: CREATED.into(),
        ..ImageConfig::default()
    }
}

/// The layers, each with the modules in it.
fn layers<'a>(modules: &[&'a Module], flatten: &Flatten, store: &Store) -> Result<Vec<(Layer, Vec<&'a Module>)>> {
    let alone = |module: &&'a Module| match flatten {
        Flatten::Nothing => true,
        Flatten::AllBut(names) => names.contains(&module.toml.full_name()),
    };
    let (single, together): (Vec<_>, Vec<_>) = modules.iter().copied().partition(alone);
    let mut layers: Vec<_> = single.into_iter().map(|module| (module.layer.clone(), vec![module])).collect();
    match together.as_slice() {
        [] => {}
        [module] => layers.push((module.layer.clone(), together)),
        _ => layers.insert(0, (tree::shared_layer(&together, store)?, together)),
    }
    Ok(layers)
}

/// The stacks that all buildpacks of a package work on (PKG-09).
fn stacks(package: &Package) -> Result<Vec<Stack>> {
    let any = || vec![Stack { id: "*".into(), ..Stack::default() }];
    let of = |module: &Module| match module.toml.stacks.as_slice() {
        [] if module.toml.order.is_empty() => any(),
        stacks => stacks.to_vec(),
    };
    let mut common = of(&package.main);
    for stacks in package.others.iter().map(of).filter(|stacks| !stacks.is_empty()) {
        common = if common.is_empty() { stacks } else { in_common(common, stacks) };
        if common.is_empty() {
            return Err(Error::new("no compatible stacks among provided buildpacks"))
                .hint("buildpacks that name no `stacks` work on all of them; what they need is said by `targets`");
        }
    }
    Ok(common)
}

fn in_common(one: Vec<Stack>, other: Vec<Stack>) -> Vec<Stack> {
    let is_any = |stacks: &[Stack]| stacks.iter().any(|stack| stack.id == "*");
    match (is_any(&one), is_any(&other)) {
        (true, true) => vec![Stack { id: "*".into(), ..Stack::default() }],
        (true, false) => other,
        (false, true) => one,
        (false, false) => {
            let both = other.into_iter().filter_map(|stack| {
                let known = one.iter().find(|known| known.id == stack.id)?;
                let mut mixins = [stack.mixins.as_slice(), &known.mixins].concat();
                mixins.sort();
                mixins.dedup();
                Some(Stack { id: stack.id, mixins })
            });
            both.collect()
        }
    }
}

/// The history of a layer that this program makes.
pub fn history(created_by: String) -> History {
    History { created: CREATED.into(), created_by, ..History::default() }
}
