//! Buildpacks and extensions as people name, package and hand them on (CNB Distribution Specification). Start with [`Sources::fetch`]: it turns
//! what somebody names into modules, each a layer in the store; [`package::image`] makes the image of a package of them.

mod config;
mod download;
mod index;
mod label;
mod locator;
pub mod package;
mod read;
pub mod request;
pub mod skeleton;
mod tree;
pub mod validate;

pub use config::Config;
pub use index::OFFICIAL;
pub use label::{LAYERS_LABELS, ModuleLayer, ModuleLayers};
pub use locator::{Known, Locator};
pub use read::module_layers;
pub use tree::{place, shared_layer};

use super::images::{Images, InStore};
use super::place::Place;
use crate::buildpack::ModuleToml;
pub use crate::buildpack::{Group, Kind, Target};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Layer, Platform, Reference};
use crate::registry::Member;
use crate::store::read_opened_archive;
use std::fs::File;
use std::path::Path;

/// A buildpack or extension as a layer of the store: `/cnb/buildpacks/<id>/<version>` and what is in it (PKG-02).
#[derive(Clone, Debug)]
pub struct Module {
    /// What it says of itself.
    pub toml: ModuleToml,
    /// The layer, which holds this module only.
    pub layer: Layer,
}

/// What somebody named: a module, and those that it is composed of.
#[derive(Clone, Debug)]
pub struct Package {
    /// The module that was named.
    pub main: Module,
    /// The others, in the order in which the main one and they name each other.
    pub others: Vec<Module>,
}

/// Where buildpacks and extensions come from.
pub struct Sources<'a> {
    /// Where images come from.
    pub images: &'a Images<'a>,
    /// The address of the buildpack registry's index, a git repository.
    pub registry: &'a str,
    /// The machine that images are for, as operating system and processor.
    pub platform: (&'a str, &'a str),
}

impl Package {
    /// All modules, the main one first.
    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        std::iter::once(&self.main).chain(&self.others)
    }
}

impl Module {
    /// Whether it is the module of this ID and version; any version where that is empty.
    pub fn is(&self, kind: Kind, id: &str, version: &str) -> bool {
        let toml = &self.toml;
        toml.kind == kind && toml.info.id == id && (version.is_empty() || toml.info.version == version)
    }

    /// Checks what every platform asks of a module: an ID, a version, an API that is spoken, an order or targets but not both (PKG-20, PKG-22,
    /// DESC-19).
    pub(super) fn check(toml: &ModuleToml) -> Result<()> {
        let kind = toml.kind.name();
        if toml.info.version.is_empty() {
            return Err(Error::new(format!("`{kind}.version` is required")));
        }
        if [&toml.info.id, &toml.info.version].iter().any(|part| part.contains("..") || part.starts_with('/')) {
            return Err(Error::new(format!("`{}` cannot be the name of a {kind}", toml.full_name())));
        }
        toml.spoken_api()
            .context(|| format!("cannot use the {kind} `{}`", toml.full_name()))
            .hint(format!("name it in {}: `api = \"0.12\"`", toml.kind.file()))?;
        match toml.order.is_empty() || toml.targets.is_empty() && toml.stacks.is_empty() {
            true => Ok(()),
            false => Err(Error::new(format!("the buildpack `{}` has an order, and `targets` or `stacks` too", toml.full_name()))
                .hint("what its buildpacks work on decides: leave them out")),
        }
    }
}

impl Sources<'_> {
    /// Brings what a locator names into the store. What is on a builder is for whoever has the builder.
    ///
    /// # Errors
    /// When it is not to be had, or is neither a buildpack nor an extension.
    pub fn fetch(&self, locator: &Locator) -> Result<Package> {
        let describe = || format!("cannot get `{locator}`");
        match locator {
            Locator::Path(path) if path.is_dir() => {
                tree::of_folder(path, self.images.store).map(|main| Package { main, others: Vec::new() })
            }
            Locator::Path(_) | Locator::Url(_) => self.with_file(locator, |file| self.file(file)),
            Locator::Image(place) => self.image(place),
            Locator::Registry { id, version } => self.registered(id, version.as_deref()),
            Locator::BuilderOrder | Locator::OnBuilder { .. } => {
                Err(Error::new("it means what is on a builder")).hint("there is no builder here: name a folder, a file, an image or a URL")
            }
        }
        .context(describe)
    }

    /// Does something with the file that a locator names.
    ///
    /// # Errors
    /// When it names no file, or the file is not to be had.
    pub fn with_file<T>(&self, locator: &Locator, use_file: impl FnOnce(File) -> Result<T>) -> Result<T> {
        match locator {
            Locator::Path(path) => use_file(File::open(path).context(|| format!("cannot read `{}`", path.display()))?),
            Locator::Url(url) => download::with_file(url, self.images.store, use_file),
            Locator::Image(_) | Locator::Registry { .. } | Locator::OnBuilder { .. } | Locator::BuilderOrder => {
                Err(Error::new(format!("`{locator}` is no file")))
            }
        }
    }

    /// The machine that images are for.
    pub fn target(&self) -> Target {
        Target { os: self.platform.0.into(), arch: self.platform.1.into(), ..Target::default() }
    }

    /// What names may mean that are written in `folder`.
    pub fn known<'b>(&'b self, folder: &'b Path) -> Known<'b> {
        Known { base: folder, on_builder: &[], store: self.images.store }
    }

    /// Brings an image into the store: of several under one name, that for the wanted machine.
    ///
    /// # Errors
    /// When it is not to be had, or not for that machine.
    pub fn bring(&self, place: &Place) -> Result<InStore> {
        let (os, architecture) = self.platform;
        let (Place::Name(name) | Place::Registry(name), true) = (place, self.platform != super::images::here()) else {
            return self.images.bring(place);
        };
        let fits =
            |member: &&Member| member.descriptor.platform.as_ref().is_some_and(|of| of["os"] == os && of["architecture"] == architecture);
        let members = self.images.registries.members(name)?;
        let found = members.iter().find(fits).context(|| format!("`{name}` is not for {os}/{architecture}"))?;
        let pinned = format!("{}/{}@{}", name.registry(), name.repository(), found.descriptor.digest);
        self.images.bring(&Place::Registry(Reference::parse(&pinned)?))
    }

    /// What is in a file: a package, or an archive of one module.
    fn file(&self, file: File) -> Result<Package> {
        let store = self.images.store;
        match tree::find_in_archive(&file)? {
            Some(found) => Ok(Package { main: tree::of_archive(&file, found, store)?, others: Vec::new() }),
            None => read::package(&read_opened_archive(store, file, None, &Platform::here())?.stored, store),
        }
    }

    fn image(&self, place: &Place) -> Result<Package> {
        read::package(&self.bring(place)?.stored, self.images.store)
    }

    fn registered(&self, id: &str, version: Option<&str>) -> Result<Package> {
        let entry = index::find(self.registry, id, version, self.images)?;
        let package = self.image(&Place::Name(entry.image()?))?;
        if package.main.toml.kind == Kind::Extension {
            // REG-09.
            return Err(Error::new("it is an extension, and a registry has buildpacks only")).hint("name its image");
        }
        Ok(package)
    }
}
