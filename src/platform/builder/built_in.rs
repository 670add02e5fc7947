//! The built-in builders: their images are composed from Debian packages, their buildpacks are carried by this program.

use super::{Builder, Locks, RunLock};
use crate::buildpack::escape_id;
use crate::debian::{Kind, Lock, Mirrors};
use crate::error::{Advice, Context, Result};
use crate::image::{Digest, Platform};
use crate::lifecycle::documents::run::{RunImageNames, RunImages};
use crate::output::Output;
use crate::platform::base_image::{BaseImage, Described, Distribution};
use crate::platform::compiled::with_compiled_python;
use crate::platform::embedded::{BUILDERS, BUILDPACKS, BuiltIn, MODULES};
use crate::platform::images::Images;
use crate::store::Store;
use serde::Serialize;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a builder is made of, for people and programs.
#[derive(Debug, Serialize)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its buildpacks and extensions, as `ID@VERSION`.
    pub buildpacks: Vec<String>,
    /// The packages of its build image.
    pub build: Lock,
    /// The packages of its run image.
    pub run: Lock,
}

/// The name of the default builder.
pub fn default_name() -> &'static str {
    BUILDERS[0].name
}

/// Whether a built-in builder has this name.
pub fn has(name: &str) -> bool {
    BUILDERS.iter().any(|builder| builder.name == name)
}

/// Opens a built-in builder; composes its images at the first use, from packages that are chosen then or that `locks` name.
///
/// # Errors
/// When there is no such builder, or its images cannot be composed.
pub fn open<'a>(name: &str, locks: Option<Arc<Locks>>, mirrors: &'a Mirrors, images: &Images<'a>) -> Result<Builder<'a>> {
    let built_in = find(name)?;
    let distribution = Distribution::new(built_in.described(), images.platform, mirrors, images.store, images.output)?.with(locks)?;
    // Both locks before either image: the index that they are chosen from is let go when an image is composed.
    [Kind::Build, Kind::Run].iter().try_for_each(|kind| distribution.lock(*kind, &[]).map(drop))?;
    let (build, run) = (distribution.image(Kind::Build, &[])?, distribution.image(Kind::Run, &[])?);
    let run_names = RunImageNames { image: run.name.familiar(), mirrors: Vec::new() };
    Ok(Builder {
        name: built_in.name.into(),
        distribution: Some(distribution),
        build: build.into(),
        run: run.into(),
        run_images: RunImages { images: vec![run_names] },
        cnb: vec![cnb(built_in, images.store)?],
        modules: MODULES.iter().map(|module| (format!("{}@{}", module.id, module.version), module_digest(module.descriptor))).collect(),
    })
}

/// Says what a built-in builder is made of, for a platform.
///
/// # Errors
/// When there is no such builder, or its packages cannot be chosen.
pub fn inspect(name: &str, platform: &Platform, mirrors: &Mirrors, store: &Store, output: &Output) -> Result<Description> {
    let built_in = find(name)?;
    let distribution = Distribution::new(built_in.described(), platform, mirrors, store, output)?;
    Ok(Description {
        name: built_in.name.into(),
        buildpacks: MODULES.iter().map(|module| format!("{}@{}", module.id, module.version)).collect(),
        build: distribution.lock(Kind::Build, &[])?,
        run: distribution.lock(Kind::Run, &[])?,
    })
}

/// Chooses a built-in builder's packages for a platform anew, from the newest indexes of all its archives but `left_out`. Returns one line for
/// each package that changed.
///
/// # Errors
/// When there is no such builder or archive, or no mirror has its indexes.
pub fn update(
    name: &str,
    platform: &Platform,
    left_out: &[String],
    mirrors: &Mirrors,
    store: &Store,
    output: &Output,
) -> Result<Vec<String>> {
    let built_in = find(name)?;
    let distribution = Distribution::new(built_in.described(), platform, mirrors, store, output)?;
    let mut changes = Vec::new();
    for (kind, before, after) in distribution.update(left_out)? {
        let version = |lock: &Option<Lock>, name: &str| {
            lock.as_ref().and_then(|lock| lock.packages.iter().find(|package| package.name == name)).map(|package| package.version.clone())
        };
        for package in &after.packages {
            let old = version(&before, &package.name);
            if old.as_ref() != Some(&package.version) {
                changes.push(format!("{}: {} {} -> {}", kind.name(), package.name, old.unwrap_or_else(|| "none".into()), package.version));
            }
        }
    }
    Ok(changes)
}

/// Which versions a run image's packages have.
#[derive(Clone)]
pub enum Versions {
    /// Those that were chosen last.
    Kept,
    /// The newest in the archives' newest indexes.
    Newest,
    /// Those of a lock.
    Locked(Arc<RunLock>),
}

/// The run image of a built-in builder with these packages, and its lock.
///
/// # Errors
/// When there is no such builder, the lock is for another image, or the image cannot be composed.
pub fn run_image(name: &str, packages: &[String], versions: &Versions, mirrors: &Mirrors, images: &Images) -> Result<(BaseImage, RunLock)> {
    let built_in = find(name)?;
    let distribution = Distribution::new(built_in.described(), images.platform, mirrors, images.store, images.output)?;
    match versions {
        Versions::Kept => {}
        Versions::Newest => drop(distribution.update(&[])?),
        Versions::Locked(lock) => {
            lock.check(name, packages, &images.platform.architecture)?;
            distribution.keep(Kind::Run, &lock.base, packages, &lock.whole)?;
        }
    }
    let image = with_compiled_python(distribution.image(Kind::Run, packages)?, images.store, images.output)?;
    let (base, whole) = (distribution.lock(Kind::Run, &[])?, image.lock.clone());
    Ok((image, RunLock { builder: name.into(), packages: packages.to_vec(), base, whole }))
}

impl BuiltIn {
    pub(super) fn described(&self) -> Described<'static> {
        Described { name: self.name, text: self.base }
    }
}

pub(super) fn find(name: &str) -> Result<&'static BuiltIn> {
    BUILDERS
        .iter()
        .find(|builder| builder.name == name)
        .context(|| format!("there is no builder `{name}`"))
        .hint(format!("the built-in ones are {}", names()))
}

/// All their names, for people.
pub fn names() -> String {
    BUILDERS.map(|builder| builder.name).join(" and ")
}

/// The builder's `/cnb`: order, buildpacks, extensions, and a place for the lifecycle (CNB Platform Specification, builders). Made once for
/// each version of its content.
fn cnb(builder: &BuiltIn, store: &Store) -> Result<PathBuf> {
    // The version of what is written besides.
    let mut content = [b"2".as_slice(), builder.order.as_bytes(), BUILDPACKS].concat();
    MODULES.iter().for_each(|module| content.extend_from_slice(module.descriptor.as_bytes()));
    let place = store.root().join("builders").join(&Digest::of(&content).hex()[..32]);
    if !place.is_dir() {
        let scratch = store.scratch()?;
        let folder = scratch.path().join("builder");
        write_cnb(builder, &folder.join("cnb")).context(|| format!("cannot make the builder `{}`", builder.name))?;
        fs::create_dir_all(store.root().join("builders")).context(|| "cannot make the builders' folder")?;
        match fs::rename(&folder, &place) {
            Err(_) if place.is_dir() => {}
            other => other.context(|| format!("cannot make `{}`", place.display()))?,
        }
    }
    Ok(place)
}

fn write_cnb(builder: &BuiltIn, cnb: &Path) -> Result<()> {
    let program = cnb.join("lifecycle/buildpacks");
    for folder in ["lifecycle", "buildpacks", "extensions", "build-config/env"] {
        make_folder(&cnb.join(folder))?;
    }
    fs::write(cnb.join("order.toml"), builder.order)?;
    // It offers no run image but its own, which is named when it is composed.
    fs::write(cnb.join("run.toml"), "")?;
    write_program(&program, BUILDPACKS)?;
    // This program itself is put here when a phase runs.
    write_program(&cnb.join("lifecycle/lifecycle"), b"")?;
    for phase in ["detector", "builder"] {
        symlink("lifecycle", cnb.join("lifecycle").join(phase))?;
    }
    for module in MODULES {
        let folder = cnb.join(module.folder).join(escape_id(module.id)).join(module.version);
        make_folder(&folder.join("bin"))?;
        fs::write(folder.join(module.file), module.descriptor)?;
        for name in module.programs {
            symlink("/cnb/lifecycle/buildpacks", folder.join("bin").join(name))?;
        }
    }
    Ok(())
}

/// The digest of what a module is: its description, and the program that all of them are in.
fn module_digest(descriptor: &str) -> Digest {
    Digest::of(&[descriptor.as_bytes(), BUILDPACKS].concat())
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path)?;
    for ancestor in path.ancestors().take_while(|ancestor| ancestor.file_name().is_some_and(|name| name != "builder")) {
        fs::set_permissions(ancestor, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

pub(super) fn write_program(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content)?;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
}
