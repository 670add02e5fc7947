//! Composes one layer of an image straight from its .debs: files are written package by package while they are decoded, what finishing
//! rules make comes last. No package and no layer is ever held whole.

mod unpack;

use super::base::ALWAYS_KEPT;
use super::check::{self, Finding};
use super::finish::{self, Facts};
use super::tree::{Made, Node, Tree};
use super::{Base, Cache, Kind, Lock};
use crate::archive::{self, Entry, TarWriter};
use crate::error::{Context, Result};
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use unpack::Pieces;
pub(super) use unpack::Unpacked;

/// Changes when the rules make other bytes of the same packages.
pub const RULES: u32 = 2;

/// Which layer to compose.
pub struct Layer<'a> {
    /// The description of the image.
    pub base: &'a Base,
    /// Which of the two images.
    pub kind: Kind,
    /// All packages of the image, in this layer and below.
    pub lock: &'a Lock,
    /// The packages that are in layers below already, the same versions as in `lock`.
    pub below: Option<&'a Lock>,
}

/// What is to be said of a composed layer.
#[derive(Debug, Default)]
pub struct Composed {
    /// All packages of the image, in this layer and below.
    pub inventory: sbom::Inventory,
    /// Keys of those that are in this layer.
    pub added: BTreeSet<String>,
    /// What a maintainer script does that no rule knows.
    pub scripts: Vec<String>,
    /// What is missing from the tree, in this layer and below.
    pub findings: Vec<Finding>,
}

/// Composes the layer and writes its tar into `sink`. Returns what it is made of, and what is odd about it.
///
/// # Errors
/// When a package is missing, damaged or hostile, or `sink` fails.
pub fn compose(layer: &Layer, cache: &Cache, sink: &mut dyn Write) -> Result<Composed> {
    let mut composer = Composer::new(layer, sink)?;
    let below: BTreeSet<&str> = layer.below.iter().flat_map(|lock| lock.packages.iter().map(|package| package.name.as_str())).collect();
    // What is below comes first, so that its finished tree is known before anything is added to it.
    let (mut order, added): (Vec<_>, Vec<_>) = layer.lock.packages.iter().partition(|package| below.contains(package.name.as_str()));
    let count_below = order.len();
    order.extend(added);
    let mut finished_below = Tree::default();
    unpack::in_order(&order, cache, |at, pieces| {
        if at == count_below && at > 0 {
            finished_below = composer.finished()?.0;
        }
        composer.add(order[at], pieces, at >= count_below)
    })?;
    let (finished, scripts) = composer.finished()?;
    composer.write_made(&finished, &finished_below)?;
    composer.tar.end().context(|| "cannot write the layer")?;
    let mut findings = check::check(&finished, |path| composer.exclude.is_match(path));
    findings.append(&mut composer.overwritten);
    let (inventory, added) = composer.inventory(&below);
    Ok(Composed { inventory, added, scripts, findings })
}

struct Composer<'a> {
    layer: &'a Layer<'a>,
    tar: TarWriter<&'a mut dyn Write>,
    tree: Tree,
    /// Folders that stay out unless something in them is kept.
    held: BTreeMap<String, Entry>,
    written: BTreeSet<String>,
    packages: Vec<Unpacked>,
    /// What files say of licences and of the distribution.
    system: sbom::System,
    exclude: GlobSet,
    keep: GlobSet,
    mtime: u64,
    overwritten: Vec<Finding>,
}

impl<'a> Composer<'a> {
    fn new(layer: &'a Layer<'a>, sink: &'a mut dyn Write) -> Result<Self> {
        let excludes = layer.base.excludes(layer.kind);
        Ok(Self {
            layer,
            tar: TarWriter::new(sink),
            tree: Tree::default(),
            held: BTreeMap::new(),
            written: BTreeSet::new(),
            packages: Vec::new(),
            system: sbom::System::default(),
            exclude: globs(excludes.iter().map(String::as_str))?,
            keep: globs(ALWAYS_KEPT.into_iter())?,
            mtime: 0,
            overwritten: Vec::new(),
        })
    }

    /// Adds a package's files to the tree, and to the tar where they belong to this layer.
    fn add(&mut self, package: &super::Package, pieces: Pieces, in_layer: bool) -> Result<()> {
        let describe = || format!("cannot unpack the package `{}` {}", package.name, package.version);
        let mut unpacked = Unpacked::start(package, &pieces).context(describe)?;
        while let Some(mut file) = pieces.next_file(&mut unpacked).context(describe)? {
            self.mtime = self.mtime.max(file.entry.mtime);
            let path = file.path.clone();
            if let archive::Kind::Symlink { target } = &file.entry.kind {
                self.system.links(&path, &String::from_utf8_lossy(target));
            }
            if self.is_left_out(&path) {
                if file.entry.kind == archive::Kind::Directory {
                    self.held.insert(path, file.entry);
                } else {
                    io::copy(&mut file, &mut io::sink()).context(describe)?;
                }
                continue;
            }
            let is_directory = file.entry.kind == archive::Kind::Directory;
            if is_directory && self.tree.has(&path) {
                continue;
            }
            let entry = file.entry.clone();
            if in_layer {
                self.write_parents(&path).context(describe)?;
                self.tar.append(&entry, &mut file).context(describe)?;
                self.written.insert(path.clone());
            } else {
                io::copy(&mut file, &mut io::sink()).context(describe)?;
            }
            let learned = file.learned(&mut unpacked);
            if let Some(content) = learned.content.as_deref().filter(|_| self.system.notes(&path, "")) {
                self.system.takes(&path, "", content);
            }
            if let Some(dynamic) = learned.dynamic {
                self.tree.dynamics.insert(path.clone(), dynamic);
            }
            if let Some(other) = self.tree.nodes.get(&path).filter(|other| other.owner.as_ref() != "folder") {
                let packages = [other.owner.to_string(), package.name.clone()];
                self.overwritten.push(Finding::TwoOwners { path: path.clone(), packages });
            }
            self.tree.nodes.insert(
                path.clone(),
                Node { entry, content: learned.content.filter(|_| finish::is_read_by_rules(&path)), owner: package.name.as_str().into() },
            );
        }
        self.packages.push(unpacked);
        Ok(())
    }

    /// The packages, as dpkg's database and the files of the image say, and the keys of those that are not below.
    fn inventory(&self, below: &BTreeSet<&str>) -> (sbom::Inventory, BTreeSet<String>) {
        let (mut inventory, mut added) = (sbom::Inventory::default(), BTreeSet::new());
        inventory.distribution = self.system.distribution().cloned();
        for unpacked in &self.packages {
            let Some(mut package) = sbom::debian_package(&unpacked.text("control"), self.system.distribution()) else { continue };
            package.licence = self.system.licence(&package.name);
            package.checksums.insert(sbom::Algorithm::Sha256, unpacked.package.sha256.clone());
            if !below.contains(package.name.as_str()) {
                added.insert(package.key());
            }
            inventory.add(package);
        }
        sbom::connect_debian(&mut inventory);
        (inventory, added)
    }

    fn is_left_out(&self, path: &str) -> bool {
        finish::REPLACED.contains(&path) || self.exclude.is_match(path) && !self.keep.is_match(path)
    }

    /// Writes the folders above `path` that this layer has not got yet, as they are below or were left out.
    fn write_parents(&mut self, path: &str) -> Result<()> {
        for (at, _) in path.match_indices('/') {
            let parent = &path[..at];
            if self.written.contains(parent) {
                continue;
            }
            let known = self.tree.nodes.get(parent).map(|node| node.entry.clone()).or_else(|| self.held.get(parent).cloned());
            let entry = known.unwrap_or_else(|| Entry::directory(parent, 0o755, 0, 0, self.mtime));
            self.tar.append(&entry, io::empty())?;
            self.written.insert(parent.to_string());
            let node = || Node { entry, content: None, owner: "folder".into() };
            self.tree.nodes.entry(parent.to_string()).or_insert_with(node);
        }
        Ok(())
    }

    /// The tree so far as the rules would finish it.
    fn finished(&self) -> Result<(Tree, Vec<String>)> {
        let mut tree = self.tree.clone();
        let facts = Facts {
            base: self.layer.base,
            kind: self.layer.kind,
            architecture: &self.layer.lock.architecture,
            packages: &self.packages,
            made: Made { owner: "finish".into(), mtime: self.mtime },
        };
        let warnings = finish::finish(&mut tree, &facts)?;
        Ok((tree, warnings))
    }

    /// Writes what the rules made or changed, unless it is below already.
    fn write_made(&mut self, finished: &Tree, below: &Tree) -> Result<()> {
        for (path, node) in &finished.nodes {
            let same = |other: Option<&Node>| other.is_some_and(|other| same_but_for_time(node, other));
            if same(self.tree.nodes.get(path)) || same(below.nodes.get(path)) {
                continue;
            }
            for (at, _) in path.match_indices('/') {
                let parent = &path[..at];
                if let (false, Some(folder)) = (self.written.contains(parent), finished.nodes.get(parent)) {
                    self.tar.append(&folder.entry, io::empty())?;
                    self.written.insert(parent.to_string());
                }
            }
            if node.entry.kind == archive::Kind::Directory && self.written.contains(path) {
                continue;
            }
            self.tar.append(&node.entry, node.content.as_deref().unwrap_or_default()).context(|| format!("cannot write `{path}`"))?;
            self.written.insert(path.clone());
        }
        Ok(())
    }
}

fn same_but_for_time(one: &Node, other: &Node) -> bool {
    let timeless = |node: &Node| Entry { mtime: 0, ..node.entry.clone() };
    one.content == other.content && timeless(one) == timeless(other)
}

fn globs<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).context(|| format!("`{pattern}` is no pattern"))?);
    }
    set.build().context(|| "the patterns are too many")
}
