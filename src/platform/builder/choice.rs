//! What a user wants tried instead of a builder's order, or besides it: `--buildpack`, `--pre-buildpack`, `--post-buildpack`, `--extension`, and the
//! groups of `project.toml` (CLI-04, CLI-06, PRJ-11 to PRJ-16). Start with [`Builder::choose`].

use super::Builder;
use crate::buildpack::{Group, Kind, ModuleToml, Order, OrderEntry};
use crate::error::{Advice, Context, Error, Result};
use crate::image::Digest;
use crate::platform::buildpackage::package::collect;
use crate::platform::buildpackage::{Config, Known, Locator, Sources};
use crate::platform::packages::EXTENSION;
use crate::platform::project::{Inline, Module, Project};
use crate::platform::rootfs::RootFs;
use launcher::file::read_document;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What comes from the builder, in place of a buildpack's name.
const FROM_BUILDER: &str = "from=builder";

/// What a user wants tried. Nothing means the builder's own order.
#[derive(Debug, Default)]
pub struct Choice {
    /// The buildpacks, instead of the order.
    pub buildpacks: Vec<Wish>,
    /// Buildpacks before each group of the order.
    pub pre: Vec<Wish>,
    /// Buildpacks after each group of the order.
    pub post: Vec<Wish>,
    /// The extensions, instead of the builder's.
    pub extensions: Vec<Wish>,
    /// Whether the builder's system buildpacks are left out (CLI-38).
    pub without_system: bool,
}

/// One buildpack or extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// By ID, as `ID[@VERSION]`, or by where it is.
    Named {
        /// What the user wrote.
        text: String,
        /// The folder that its path starts from.
        folder: PathBuf,
    },
    /// By its program.
    Inline(Inline),
}

/// What a command line says of this.
#[derive(Debug, Default)]
pub struct Options {
    /// `--buildpack`.
    pub buildpacks: Vec<String>,
    /// `--pre-buildpack`.
    pub pre: Vec<String>,
    /// `--post-buildpack`.
    pub post: Vec<String>,
    /// `--extension`.
    pub extensions: Vec<String>,
    /// `--disable-system-buildpacks`.
    pub without_system: bool,
}

impl Choice {
    /// What the options say, and where they say nothing, the project file (PRJ-13, PRJ-14).
    ///
    /// # Errors
    /// When options contradict each other.
    pub fn new(options: &Options, project: &Project) -> Result<Self> {
        let around = options.pre.len() + options.post.len();
        if !options.buildpacks.is_empty() && around > 0 {
            return Err(Error::new("`--pre-buildpack` and `--post-buildpack` have no effect beside `--buildpack`"))
                .hint("name all of them, in order, with `--buildpack`; `--buildpack from=builder` stands for the builder's own");
        }
        let named = |text: &String| Wish::Named { text: text.clone(), folder: ".".into() };
        let chosen = |options: &[String], modules: &[Module]| -> Vec<Wish> {
            match options.is_empty() {
                true => modules.iter().map(|module| Wish::of(module, &project.folder)).collect(),
                false => options.iter().map(named).collect(),
            }
        };
        let buildpacks = chosen(&options.buildpacks, &project.group);
        let around = |options: &[String], modules| if buildpacks.is_empty() { chosen(options, modules) } else { Vec::new() };
        Ok(Self {
            pre: around(&options.pre, &project.pre),
            post: around(&options.post, &project.post),
            extensions: options.extensions.iter().map(named).collect(),
            without_system: options.without_system,
            buildpacks,
        })
    }

    fn is_nothing(&self) -> bool {
        [&self.buildpacks, &self.pre, &self.post, &self.extensions].iter().all(|list| list.is_empty()) && !self.without_system
    }
}

impl Wish {
    fn of(module: &Module, folder: &Path) -> Self {
        match module {
            Module::Named(text) => Self::Named { text: text.clone(), folder: folder.to_path_buf() },
            Module::Inline(inline) => Self::Inline(inline.clone()),
        }
    }

    fn is_from_builder(&self) -> bool {
        matches!(self, Self::Named { text, .. } if text == FROM_BUILDER)
    }
}

impl Builder<'_> {
    /// Puts what was chosen over the builder, in `folder`, which is made and must last as long as the build.
    ///
    /// # Errors
    /// When something is not there, or cannot be written.
    pub fn choose(&mut self, choice: &Choice, folder: &Path, sources: &Sources) -> Result<()> {
        if choice.is_nothing() {
            return Ok(());
        }
        let store = sources.images.store;
        let root = RootFs::unpack(store, &self.build.stored.image)?;
        let cnb = folder.join("cnb");
        fs::create_dir_all(&cnb).context(|| format!("cannot make `{}`", cnb.display()))?;
        let own = self.order(&root)?;
        let lowers: Vec<PathBuf> = root.lowers().into_iter().chain(self.cnb.clone()).collect();
        let on_builder = |kind| modules_in(&lowers, kind);
        let (buildpacks, extensions) = (on_builder(Kind::Buildpack), on_builder(Kind::Extension));
        let mut chooser =
            Chooser { builder: &self.name, buildpacks, extensions, cnb: &cnb, sources, added: Vec::new(), digests: BTreeMap::new() };
        let mut order = chooser.order(choice, own)?;
        if !choice.extensions.is_empty() {
            let mut group = chooser.entries(Kind::Extension, &choice.extensions)?;
            // Without it a composed builder has no language.
            if self.distribution.is_some() && !group.iter().any(|entry| entry.id == EXTENSION) {
                group.push(chooser.known(Kind::Extension, EXTENSION, None)?);
            }
            order.extensions = vec![Group { group }];
        }
        let text = toml::to_string(&order).context(|| "cannot write the order")?;
        let mut files = vec![("order.toml", text)];
        files.extend(choice.without_system.then(|| ("system.toml", String::new())));
        for (name, text) in files {
            fs::write(cnb.join(name), text).context(|| format!("cannot write `{}`", cnb.join(name).display()))?;
        }
        self.cnb.append(&mut chooser.added);
        self.modules.append(&mut chooser.digests);
        self.cnb.push(folder.to_path_buf());
        Ok(())
    }

    fn order(&self, root: &RootFs) -> Result<Order> {
        let describe = || format!("cannot read the order of the builder `{}`", self.name);
        let path = self.cnb.iter().rev().map(|folder| folder.join("cnb/order.toml")).find(|path| path.is_file());
        let text = match path {
            Some(path) => read_document(&path).context(describe)?,
            None => root.text_at(Path::new("/cnb/order.toml")).context(describe)?,
        };
        Order::parse(&text).context(describe)
    }
}

/// ID and version of what is in the folders of a builder.
fn modules_in(lowers: &[PathBuf], kind: Kind) -> Vec<(String, String)> {
    let folders = lowers.iter().map(|lower| lower.join(kind.folder().trim_start_matches('/')));
    let below = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let texts = folders.flat_map(below).flat_map(below).filter_map(|folder| read_document(&folder.join(kind.file())).ok());
    let module = |text: String| ModuleToml::parse(&text, kind).ok().map(|module| (module.info.id, module.info.version));
    let mut found: Vec<_> = texts.filter_map(module).collect();
    found.sort();
    found.dedup();
    found
}

/// Looks up what was chosen.
struct Chooser<'a> {
    builder: &'a str,
    /// What is on the builder.
    buildpacks: Vec<(String, String)>,
    extensions: Vec<(String, String)>,
    /// Where inline buildpacks go.
    cnb: &'a Path,
    sources: &'a Sources<'a>,
    /// The folders of what came from elsewhere.
    added: Vec<PathBuf>,
    /// Their digests.
    digests: BTreeMap<String, Digest>,
}

impl Chooser<'_> {
    fn order(&mut self, choice: &Choice, own: Order) -> Result<Order> {
        let Order { order, extensions } = own;
        let before = self.entries(Kind::Buildpack, &choice.pre)?;
        let after = self.entries(Kind::Buildpack, &choice.post)?;
        let frame = |group: Group| Group { group: [before.clone(), group.group, after.clone()].concat() };
        if choice.buildpacks.is_empty() {
            return Ok(Order { order: order.into_iter().map(frame).collect(), extensions });
        }
        let mut parts = choice.buildpacks.split(Wish::is_from_builder);
        let first = self.entries(Kind::Buildpack, parts.next().unwrap_or_default())?;
        let groups = match (parts.next(), parts.next()) {
            (None, _) => vec![Group { group: first }],
            (Some(rest), None) => {
                let rest = self.entries(Kind::Buildpack, rest)?;
                order.into_iter().map(|group| Group { group: [first.clone(), group.group, rest.clone()].concat() }).collect()
            }
            (Some(_), Some(_)) => return Err(Error::new(format!("`{FROM_BUILDER}` is named twice"))).hint("name it once"),
        };
        Ok(Order { order: groups, extensions })
    }

    fn entries(&mut self, kind: Kind, wishes: &[Wish]) -> Result<Vec<OrderEntry>> {
        wishes.iter().map(|wish| self.entry(kind, wish)).collect()
    }

    fn entry(&mut self, kind: Kind, wish: &Wish) -> Result<OrderEntry> {
        let (text, folder) = match wish {
            Wish::Named { text, folder } => (text, folder),
            Wish::Inline(inline) => {
                inline.write(&self.cnb.join("buildpacks"))?;
                return Ok(entry(&inline.id, &inline.version));
            }
        };
        let known = Known { base: folder, on_builder: self.on_builder(kind), store: self.sources.images.store };
        let describe = || format!("cannot use the {} `{text}`", kind.name());
        match Locator::parse(text, &known).context(describe)? {
            Locator::OnBuilder { id, version } => self.known(kind, &id, version.as_deref()),
            Locator::BuilderOrder => Err(Error::new("`from=builder` stands for buildpacks only")).context(describe),
            elsewhere => self.bring(kind, &elsewhere).context(describe),
        }
    }

    /// Brings a module that the builder does not have, and those that it is composed of; those of the builder need not be in its package (CLI-05).
    fn bring(&mut self, kind: Kind, locator: &Locator) -> Result<OrderEntry> {
        let package = match locator {
            Locator::Path(path) if path.join("package.toml").is_file() => {
                collect(&Config::of_folder(path, kind)?, kind, &self.sources.target(), self.sources)?
            }
            other => self.sources.fetch(other)?,
        };
        let main = &package.main.toml;
        if main.kind != kind {
            return Err(Error::new(format!("it is the {} `{}`", main.kind.name(), main.full_name())))
                .hint(format!("name it with `--{}`", main.kind.name()));
        }
        for module in package.modules() {
            self.added.push(self.sources.images.store.unpacked(&module.layer)?.tree);
            self.digests.insert(module.toml.full_name(), module.layer.diff_id.clone());
        }
        Ok(entry(&main.info.id, &main.info.version))
    }

    fn on_builder(&self, kind: Kind) -> &[(String, String)] {
        match kind {
            Kind::Buildpack => &self.buildpacks,
            Kind::Extension => &self.extensions,
        }
    }

    /// A module of the builder; without a version, its only one.
    fn known(&self, kind: Kind, id: &str, version: Option<&str>) -> Result<OrderEntry> {
        let found: Vec<&str> = self.on_builder(kind).iter().filter(|(other, _)| other == id).map(|(_, version)| version.as_str()).collect();
        match (version, found.as_slice()) {
            (Some(version), found) if found.contains(&version) => Ok(entry(id, version)),
            (None, [only]) => Ok(entry(id, only)),
            (_, []) => Err(Error::new(format!("the builder `{}` has no {} `{id}`", self.builder, kind.name())))
                .hint("`cooper builder inspect` lists what it has"),
            (_, several) => {
                let names: Vec<String> = several.iter().map(|version| format!("`{id}@{version}`")).collect();
                Err(Error::new(format!("the builder `{}` has `{id}` in several versions", self.builder)))
                    .hint(format!("name one of them: {}", names.join(", ")))
            }
        }
    }
}

fn entry(id: &str, version: &str) -> OrderEntry {
    OrderEntry { id: id.into(), version: version.into(), ..OrderEntry::default() }
}
