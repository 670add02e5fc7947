//! A built-in builder as a builder.toml with all that it names, so that it becomes an ordinary image that other platforms build with. There nobody
//! composes packages into its images: they have what its buildpacks always ask for, and what the user names.

use super::built_in::{find, write_program};
use super::config::Config;
use crate::buildpack::{Group, Order, OrderEntry, escape_id};
use crate::debian::{Kind, Lock, Mirrors};
use crate::error::{Context, Result};
use crate::image::{Platform, Reference};
use crate::output::Output;
use crate::platform::base_image::Distribution;
use crate::platform::embedded::{BUILDPACKS, BuiltIn, INSTALLED_PACKAGES, MODULES, Module};
use crate::platform::packages::Packages;
use crate::store::Store;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// What is exported.
pub struct Export<'a> {
    /// The built-in builder.
    pub builder: &'a str,
    /// What its run image is called.
    pub run_image: &'a Reference,
    /// More Debian packages of both images.
    pub packages: &'a [String],
    /// More Debian packages of the build image alone.
    pub build_packages: &'a [String],
}

/// Where Debian packages are chosen from, and kept.
pub struct Archives<'a> {
    /// Where they come from.
    pub mirrors: &'a Mirrors,
    /// The store.
    pub store: &'a Store,
    /// What a person sees.
    pub output: &'a Output,
}

#[derive(Serialize)]
struct Document<'a> {
    description: String,
    buildpacks: Vec<Member>,
    order: Vec<Group>,
    build: Base<'a>,
    run: Run<'a>,
}

#[derive(Serialize)]
struct Member {
    uri: String,
}

#[derive(Serialize)]
struct Base<'a> {
    base: &'a str,
    packages: Vec<String>,
}

#[derive(Serialize)]
struct Run<'a> {
    base: &'a str,
    packages: Vec<String>,
    images: [Named; 1],
}

#[derive(Serialize)]
struct Named {
    image: String,
}

/// What [`INSTALLED_PACKAGES`] reads: the names of the images' packages.
#[derive(Serialize)]
struct Installed {
    build: BTreeSet<String>,
    run: BTreeSet<String>,
}

/// Writes a built-in builder into an empty folder, for a platform.
///
/// # Errors
/// When there is no such builder or package, or the folder cannot be written.
pub fn write(export: &Export, folder: &Path, platform: &Platform, archives: &Archives) -> Result<Config> {
    let built_in = find(export.builder)?;
    let describe = || format!("cannot write the builder `{}`", built_in.name);
    let packages = packages(built_in, export);
    let document = Document {
        description: description(built_in),
        buildpacks: buildpacks().map(|module| Member { uri: folder_name(module) }).collect(),
        order: order(built_in)?,
        build: Base { base: "base.toml", packages: packages.build.clone() },
        run: Run { base: "base.toml", packages: packages.run.clone(), images: [Named { image: export.run_image.familiar() }] },
    };
    let config = folder.join("builder.toml");
    fs::write(folder.join("base.toml"), built_in.base).context(describe)?;
    fs::write(&config, toml::to_string(&document).context(describe)?).context(describe)?;
    let installed = installed(&packages, built_in, platform, archives)?;
    for module in buildpacks() {
        let place = folder.join(folder_name(module));
        write_module(module, &place).context(describe)?;
        if module.id == INSTALLED_PACKAGES.id {
            fs::write(place.join("installed.toml"), toml::to_string(&installed).context(describe)?).context(describe)?;
        }
    }
    Config::read(&config)
}

/// The extension is replaced: other platforms could not run what it writes, for the images have no apt.
fn buildpacks() -> impl Iterator<Item = &'static Module> {
    MODULES.iter().filter(|module| module.folder == "buildpacks").chain([&INSTALLED_PACKAGES])
}

fn folder_name(module: &Module) -> String {
    escape_id(module.id)
}

fn order(built_in: &BuiltIn) -> Result<Vec<Group>> {
    let mut order = Order::parse(built_in.order)?.order;
    let installed =
        OrderEntry { id: INSTALLED_PACKAGES.id.into(), version: INSTALLED_PACKAGES.version.into(), optional: true, exec_env: Vec::new() };
    order.iter_mut().for_each(|group| group.group.insert(0, installed.clone()));
    Ok(order)
}

fn description(built_in: &BuiltIn) -> String {
    format!("Cooperage's builder {}: Python and Procfile apps on Debian", built_in.name)
}

/// The packages that the images get besides their own.
fn packages(built_in: &BuiltIn, export: &Export) -> Packages {
    let own = built_in.exported;
    let sorted = |names: &mut dyn Iterator<Item = String>| names.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    let of_both = || own.run.iter().map(ToString::to_string).chain(export.packages.iter().cloned());
    let of_build = own.build.iter().map(ToString::to_string).chain(export.build_packages.iter().cloned());
    Packages { run: sorted(&mut of_both()), build: sorted(&mut of_both().chain(of_build)) }
}

/// All packages that the images have with those.
fn installed(packages: &Packages, built_in: &BuiltIn, platform: &Platform, archives: &Archives) -> Result<Installed> {
    let distribution = Distribution::new(built_in.described(), platform, archives.mirrors, archives.store, archives.output)?;
    let names = |lock: Lock| lock.packages.into_iter().map(|package| package.name).collect();
    let names_of = |kind, packages: &[String]| distribution.lock(kind, packages).map(names);
    Ok(Installed { build: names_of(Kind::Build, &packages.build)?, run: names_of(Kind::Run, &packages.run)? })
}

/// Each buildpack has the program itself: it stays whole where a platform takes it out of the builder.
fn write_module(module: &Module, folder: &Path) -> Result<()> {
    let [link, program] = module.programs;
    let programs = folder.join("bin");
    fs::create_dir_all(&programs)?;
    fs::write(folder.join(module.file), module.descriptor)?;
    write_program(&programs.join(program), BUILDPACKS)?;
    Ok(symlink(program, programs.join(link))?)
}
