//! Buildpacks and extensions as people name, package and hand them on (CNB Distribution Specification). Start with [`Sources::fetch`]: it turns
//! what somebody names into modules, each a layer in the store; [`package::image`] makes the image of a package of them.

mod config;
mod download;
mod index;
mod label;
mod locator;
pub mod package;
mod read;
mod tree;

pub use config::Config;
pub use index::OFFICIAL;
pub use locator::{Known, Locator};

use super::images::Images;
use super::place::Place;
pub use crate::buildpack::Kind;
use crate::buildpack::ModuleToml;
use crate::error::{Advice, Context, Error, Result};
use crate::image::Layer;
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
            Locator::Path(path) => self.path(path),
            Locator::Url(url) => download::with_file(url, self.images.store, |file| self.file(file)),
            Locator::Image(place) => self.image(place),
            Locator::Registry { id, version } => self.registered(id, version.as_deref()),
            Locator::BuilderOrder | Locator::OnBuilder { .. } => {
                Err(Error::new("it means what is on a builder")).hint("there is no builder here: name a folder, a file, an image or a URL")
            }
        }
        .context(describe)
    }

    /// What is in a folder, or in a file of it.
    fn path(&self, path: &Path) -> Result<Package> {
        if path.is_dir() {
            let main = tree::of_folder(path, self.images.store)?;
            return Ok(Package { main, others: Vec::new() });
        }
        self.file(File::open(path).context(|| format!("cannot read `{}`", path.display()))?)
    }

    /// What is in a file: a package, or an archive of one module.
    fn file(&self, file: File) -> Result<Package> {
        let store = self.images.store;
        match tree::find_in_archive(&file)? {
            Some(found) => Ok(Package { main: tree::of_archive(&file, found, store)?, others: Vec::new() }),
            None => read::package(&read_opened_archive(store, file, None, super::images::here())?.stored, store),
        }
    }

    fn image(&self, place: &Place) -> Result<Package> {
        read::package(&self.images.bring(place)?.stored, self.images.store)
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
