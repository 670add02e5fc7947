//! Makes builders: an image with a lifecycle, buildpacks and their order, on top of a build image (CNB Platform Specification, builders; BIMG rows).

use super::base::{build_image, run_image};
use super::config::{Config, Member};
use super::label::{Creator, Lifecycle, METADATA, Metadata, Names, ORDER, ORDER_EXTENSIONS, STACK_ID, STACK_MIXINS, SYSTEM};
use super::{check, layers, lifecycle};
use crate::buildpack::{Group, ModuleInfo, Order};
use crate::debian::Mirrors;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{CREATED, Digest, Image, Reference};
use crate::lifecycle::documents::run::{RunImageNames, RunImages};
use crate::platform::buildpackage::package::text;
use crate::platform::buildpackage::{
    Kind, LAYERS_LABELS, Locator, Module, ModuleLayer, ModuleLayers, Sources, module_layers, place, shared_layer,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is made, and how.
pub struct Create<'a> {
    /// What the builder is made of.
    pub config: &'a Config,
    /// Labels of its own.
    pub labels: &'a BTreeMap<String, String>,
    /// Groups of buildpacks that share a layer, as `ID@VERSION`.
    pub flatten: &'a [Vec<String>],
    /// Where Debian packages come from.
    pub mirrors: &'a Mirrors,
}

/// A builder that was made.
pub struct Created {
    /// The builder.
    pub image: Image,
    /// The build image, where it is in a registry.
    pub build: Option<(Reference, Image)>,
    /// The run image that was composed for it, by the name that the builder knows it by.
    pub run: Option<(Reference, Image)>,
}

/// Makes a builder; its layers are in the store.
///
/// # Errors
/// When a part is not to be had, or the parts do not fit together.
pub fn create(create: &Create, sources: &Sources) -> Result<Created> {
    let config = create.config;
    let mut modules = Vec::new();
    collect(&config.buildpacks, Kind::Buildpack, config, sources, &mut modules)?;
    collect(&config.extensions, Kind::Extension, config, sources, &mut modules)?;
    let build = build_image(create, sources).context(|| "cannot get the build image")?;
    let run = run_image(create, &build.stored.image, sources)?;
    let (lifecycle, programs) = lifecycle::layer(&config.lifecycle, &config.folder, sources)?;
    let mut draft = Draft::new(build.stored.image.clone(), modules, sources)?;
    draft.check(config, &lifecycle)?;
    draft.image.layers.push(layers::folders(check::ids(&draft.image)?, sources.images.store)?);
    draft.image.layers.push(programs);
    draft.add_modules(create.flatten)?;
    draft.add_documents(config)?;
    draft.describe(create, lifecycle)?;
    let build = Reference::parse(&build.name).ok().filter(Reference::has_host).map(|name| (name, build.stored.image));
    Ok(Created { image: draft.image, build, run })
}

/// Brings the modules of a builder, each after those that it names later.
fn collect(members: &[Member], kind: Kind, config: &Config, sources: &Sources, modules: &mut Vec<Module>) -> Result<()> {
    for member in members {
        let locator = match (&member.uri, &member.image) {
            (Some(uri), None) => Locator::parse(uri, &sources.known(&config.folder))?,
            (None, Some(image)) => Locator::image(image)?,
            (Some(_), Some(_)) => return Err(Error::new(format!("a {} has `uri` and `image`", kind.name()))).hint("leave one of them out"),
            (None, None) => return Err(Error::new(format!("the {} `{}` has neither `uri` nor `image`", kind.name(), member.id))),
        };
        let package = sources.fetch(&locator)?;
        let main = &package.main.toml;
        if main.kind != kind {
            return Err(Error::new(format!("`{locator}` is the {} `{}`", main.kind.name(), main.full_name()))
                .hint(format!("name it in `[[{}s]]`", main.kind.name())));
        }
        for (what, wanted, found) in [("ID", &member.id, &main.info.id), ("version", &member.version, &main.info.version)] {
            if !wanted.is_empty() && wanted != found {
                return Err(Error::new(format!(
                    "the {} `{locator}` has the {what} `{found}`, not `{wanted}`, as the builder wants it",
                    kind.name()
                )));
            }
        }
        for module in package.modules() {
            let info = &module.toml.info;
            match modules.iter_mut().find(|known| known.is(module.toml.kind, &info.id, &info.version)) {
                None => modules.push(module.clone()),
                Some(known) if known.layer.diff_id == module.layer.diff_id => {}
                Some(known) => {
                    sources
                        .images
                        .output
                        .warn(&format!("`{}` is there twice with other content: that of `{locator}` counts", module.toml.full_name()));
                    *known = module.clone();
                }
            }
        }
    }
    Ok(())
}

/// A builder that is being made.
struct Draft<'a> {
    image: Image,
    sources: &'a Sources<'a>,
    /// The new modules.
    modules: Vec<Module>,
    /// All modules, those of the image below first.
    known: [Vec<ModuleInfo>; 2],
    /// In which layers they are.
    places: [ModuleLayers; 2],
}

fn index(kind: Kind) -> usize {
    match kind {
        Kind::Buildpack => 0,
        Kind::Extension => 1,
    }
}

impl<'a> Draft<'a> {
    fn new(image: Image, modules: Vec<Module>, sources: &'a Sources<'a>) -> Result<Self> {
        // The build image may be a builder itself.
        let below = if image.label(METADATA).is_some() { Metadata::read(&image)? } else { Metadata::default() };
        let mut known = [below.buildpacks.unwrap_or_default(), below.extensions.unwrap_or_default()];
        for module in &modules {
            let known = &mut known[index(module.toml.kind)];
            known.retain(|info| !module.is(module.toml.kind, &info.id, &info.version));
            known.push(module.toml.info.clone());
        }
        let [buildpacks, extensions] = LAYERS_LABELS.map(|(_, label)| module_layers(&image, label));
        Ok(Self { image, sources, modules, known, places: [buildpacks?, extensions?] })
    }

    fn check(&self, config: &Config, lifecycle: &Lifecycle) -> Result<()> {
        let below = self.image.label(STACK_ID);
        match (&config.stack, below) {
            (Some(wanted), Some(found)) if wanted != found => {
                return Err(Error::new(format!(
                    "stack `{wanted}` from the builder's configuration is incompatible with stack `{found}` from the build image"
                )));
            }
            _ => {}
        }
        check::modules(&self.modules, &self.known[index(Kind::Buildpack)], lifecycle, &self.image)
    }

    /// One layer for each module, or for those that share one, sorted.
    fn add_modules(&mut self, flatten: &[Vec<String>]) -> Result<()> {
        let mut modules = std::mem::take(&mut self.modules);
        modules.sort_by_key(|module| (index(module.toml.kind), module.toml.full_name()));
        for group in flatten {
            let wanted = |module: &Module| module.toml.kind == Kind::Buildpack && group.contains(&module.toml.full_name());
            let (together, others): (Vec<Module>, Vec<Module>) = modules.into_iter().partition(wanted);
            modules = others;
            if let Some(name) = group.iter().find(|name| !together.iter().any(|module| module.toml.full_name() == **name)) {
                return Err(Error::new(format!("there is no buildpack `{name}` to put into one layer with others"))
                    .hint("write `--flatten ID@VERSION,ID@VERSION`"));
            }
            let layer = shared_layer(&together.iter().collect::<Vec<_>>(), self.sources.images.store)?;
            together.iter().for_each(|module| self.place(module, &layer.diff_id));
            self.image.layers.push(layer);
        }
        for module in &modules {
            let info = &module.toml.info;
            let below = self.places[index(module.toml.kind)].get(&info.id).and_then(|versions| versions.get(&info.version));
            match below.map(|below| below.layer_diff_id == module.layer.diff_id.to_string()) {
                Some(true) => continue,
                Some(false) => {
                    self.sources.images.output.line(&format!("`{}` takes the place of that of the build image", module.toml.full_name()));
                    let hidden = layers::without(&place(module.toml.kind, &info.id, &info.version), self.sources.images.store)?;
                    self.image.layers.push(hidden);
                }
                None => {}
            }
            self.place(module, &module.layer.diff_id);
            self.image.layers.push(module.layer.clone());
        }
        Ok(())
    }

    fn place(&mut self, module: &Module, diff_id: &Digest) {
        let info = &module.toml.info;
        let places = &mut self.places[index(module.toml.kind)];
        places.entry(info.id.clone()).or_default().insert(info.version.clone(), ModuleLayer::new(module, diff_id));
    }

    /// The documents of `/cnb`, each in a layer of its own.
    fn add_documents(&mut self, config: &Config) -> Result<()> {
        let [buildpacks, extensions] = &self.known;
        let order = Order {
            order: check::resolved(&config.order.order, Kind::Buildpack, buildpacks)?,
            extensions: required(check::resolved(&config.order.extensions, Kind::Extension, extensions)?),
        };
        let toml = |value: Result<String, toml::ser::Error>| value.context(|| "cannot describe the builder");
        let mut documents = vec![("/cnb/order.toml", toml(toml::to_string(&order))?)];
        let mut system = config.system.clone();
        if config.system != Default::default() {
            system.entries_mut().try_for_each(|entry| {
                *entry = check::resolve(entry, Kind::Buildpack, buildpacks)?;
                Ok::<(), Error>(())
            })?;
            documents.push(("/cnb/system.toml", system.to_toml()?));
        }
        documents.push(("/cnb/stack.toml", toml(toml::to_string(&Stack { run_image: config.run_images.first() }))?));
        documents.push(("/cnb/run.toml", toml(toml::to_string(&RunImages { images: config.run_images.clone() }))?));
        let mut layered: Vec<Vec<(String, String)>> = documents.into_iter().map(|(path, text)| vec![(path.into(), text)]).collect();
        let variables = config.environment.iter().map(|(name, value)| (format!("/cnb/build-config/env/{name}"), value.clone()));
        layered.push(variables.collect());
        for files in layered.iter().filter(|files| !files.is_empty()) {
            self.image.layers.push(layers::files(files, self.sources.images.store)?);
        }
        Ok(())
    }

    fn describe(&mut self, create: &Create, lifecycle: Lifecycle) -> Result<()> {
        let config = create.config;
        let [buildpacks, extensions] = std::mem::take(&mut self.known).map(|known| Some(known).filter(|known| !known.is_empty()));
        let of_stack = config.run_images.first().filter(|_| config.stack.is_some()).map(Names::from);
        let metadata = Metadata {
            description: config.description.clone(),
            buildpacks,
            extensions,
            stack: super::label::Stack { run_image: of_stack.unwrap_or_default() },
            lifecycle,
            created_by: Creator { name: "cooper".into(), version: env!("CARGO_PKG_VERSION").into() },
            images: Some(config.run_images.iter().map(Names::from).collect()),
        };
        let listed = |groups: &[Group]| text(&Some(groups.to_vec()).filter(|groups| !groups.is_empty()));
        self.image.set_label(METADATA, text(&metadata)?);
        self.image.set_label(ORDER, listed(&config.order.order)?);
        self.image.set_label(ORDER_EXTENSIONS, listed(&config.order.extensions)?);
        for ((_, label), places) in LAYERS_LABELS.iter().zip(&self.places) {
            self.image.set_label(*label, text(places)?);
        }
        if config.system != Default::default() {
            self.image.set_label(SYSTEM, text(&config.system)?);
        }
        if self.image.label(STACK_MIXINS).is_none() {
            self.image.set_label(STACK_MIXINS, "null");
        }
        create.labels.iter().for_each(|(name, value)| self.image.set_label(name, value));
        let ids = check::ids(&self.image)?;
        let run = &mut self.image.config;
        run.created = CREATED.into();
        run.config.working_dir = "/layers".into();
        if run.config.user.is_empty() {
            run.config.user = format!("{}:{}", ids.user, ids.group);
        }
        Ok(())
    }
}

/// What older lifecycles read of the run images (BIMG-15).
#[derive(Serialize)]
struct Stack<'a> {
    #[serde(rename = "run-image", skip_serializing_if = "Option::is_none")]
    run_image: Option<&'a RunImageNames>,
}

/// Extensions are all optional, and never called so (BIMG-10).
fn required(mut groups: Vec<Group>) -> Vec<Group> {
    groups.iter_mut().flat_map(|group| &mut group.group).for_each(|entry| entry.optional = false);
    groups
}
