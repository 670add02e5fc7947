//! builder.toml: what a builder is made of (BIMG-16 to BIMG-19).

use crate::buildpack::{Group, Order, System, Target};
use crate::error::{Advice, Context, Error, Result};
use crate::lifecycle::documents::run::RunImageNames;
use crate::platform::packages::Packages;
use launcher::file::read_document;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What a builder is made of.
#[derive(Debug)]
pub struct Config {
    /// The folder that relative paths are relative to.
    pub folder: PathBuf,
    /// What it is for.
    pub description: String,
    /// Its buildpacks.
    pub buildpacks: Vec<Member>,
    /// Its extensions.
    pub extensions: Vec<Member>,
    /// The order, as it is written.
    pub order: Order,
    /// The buildpacks around every group.
    pub system: System,
    /// The image that buildpacks run in.
    pub build: Base,
    /// The run images that it offers.
    pub run_images: Vec<RunImageNames>,
    /// The description of the first run image, where that is composed from Debian packages.
    pub run_base: Option<PathBuf>,
    /// Debian packages that composed images have besides their own.
    pub packages: Packages,
    /// The ID of its stack, of older builders.
    pub stack: Option<String>,
    /// Its lifecycle.
    pub lifecycle: LifecycleSource,
    /// Files of `/cnb/build-config/env` by their names.
    pub environment: BTreeMap<String, String>,
    /// The machines that there is an image for.
    pub targets: Vec<Target>,
    /// What its author should know.
    pub warnings: Vec<String>,
}

/// An image that a builder stands on.
#[derive(Debug, PartialEq, Eq)]
pub enum Base {
    /// An image.
    Image(String),
    /// Composed from the Debian packages that this file describes.
    Composed(PathBuf),
}

/// Where the lifecycle comes from.
#[derive(Debug, PartialEq, Eq)]
pub enum LifecycleSource {
    /// It is this program.
    Own,
    /// The release of the reference.
    Version(String),
    /// A file or an image.
    Uri(String),
}

/// A buildpack or an extension of a builder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The ID that it must have.
    #[serde(default)]
    pub id: String,
    /// The version that it must have.
    #[serde(default)]
    pub version: String,
    /// Where it is.
    pub uri: Option<String>,
    /// The image that it is in.
    pub image: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Document {
    #[serde(default)]
    description: String,
    #[serde(default)]
    buildpacks: Vec<Member>,
    #[serde(default)]
    extensions: Vec<Member>,
    #[serde(default)]
    order: Vec<Group>,
    #[serde(default)]
    order_extensions: Vec<Group>,
    #[serde(default)]
    stack: Stack,
    #[serde(default)]
    lifecycle: Lifecycle,
    #[serde(default)]
    run: Run,
    #[serde(default)]
    build: Build,
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(default)]
    system: System,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Stack {
    id: String,
    build_image: String,
    run_image: String,
    run_image_mirrors: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Lifecycle {
    uri: String,
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Run {
    images: Vec<RunImageNames>,
    base: Option<PathBuf>,
    packages: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Build {
    image: String,
    base: Option<PathBuf>,
    packages: Vec<String>,
    env: Vec<Variable>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Variable {
    name: String,
    value: String,
    suffix: String,
    delim: String,
    #[serde(rename = "exec-env")]
    _exec_env: Vec<String>,
}

impl Config {
    /// Reads a builder.toml.
    ///
    /// # Errors
    /// When it cannot be read, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self> {
        let describe = || format!("cannot read `{}`", path.display());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::parse(&read_document(path).context(describe)?, folder).context(describe)
    }

    fn parse(text: &str, folder: &Path) -> Result<Self> {
        let document: Document = toml::from_str(text).context(|| "it is no builder.toml")?;
        let mut warnings = Vec::new();
        if document.order.is_empty() {
            warnings.push("the builder has no `order`: nothing can be built with it".into());
        }
        let Stack { id, build_image, run_image, run_image_mirrors } = document.stack;
        let packages = packages(&document.build, &document.run)?;
        let build = build(document.build.image, document.build.base.map(|base| folder.join(base)), build_image)?;
        Ok(Self {
            build,
            run_images: run_images(document.run.images, &id, run_image, run_image_mirrors)?,
            run_base: document.run.base.map(|base| folder.join(base)),
            packages,
            lifecycle: lifecycle(document.lifecycle)?,
            environment: environment(&document.build.env, &mut warnings)?,
            folder: folder.to_path_buf(),
            description: document.description,
            buildpacks: document.buildpacks,
            extensions: document.extensions,
            order: Order { order: document.order, extensions: document.order_extensions },
            system: document.system,
            stack: Some(id).filter(|id| !id.is_empty()),
            targets: document.targets,
            warnings,
        })
    }
}

fn build(image: String, base: Option<PathBuf>, stack: String) -> Result<Base> {
    match (image.is_empty(), base, stack.is_empty()) {
        (true, Some(base), true) => Ok(Base::Composed(base)),
        (_, Some(_), _) => Err(Error::new("`build.base` and an image of the build exclude each other")).hint("leave one of them out"),
        (true, None, true) => Err(Error::new("`build.image` is required")).hint("name the image that buildpacks run in, or a `build.base`"),
        (true, None, false) => Ok(Base::Image(stack)),
        (false, None, true) => Ok(Base::Image(image)),
        (false, None, false) if image == stack => Ok(Base::Image(image)),
        (false, None, false) => Err(Error::new("`build.image` and `stack.build-image` do not match")).hint("leave `[stack]` out"),
    }
}

/// Packages need an image that is composed of packages.
fn packages(build: &Build, run: &Run) -> Result<Packages> {
    for (table, packages, base) in [("build", &build.packages, &build.base), ("run", &run.packages, &run.base)] {
        if !packages.is_empty() && base.is_none() {
            return Err(Error::new(format!("`{table}.packages` is for an image that is composed"))).hint(format!("name a `{table}.base`"));
        }
    }
    let sorted = |packages: &[String]| packages.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    Ok(Packages { build: sorted(&build.packages), run: sorted(&run.packages) })
}

fn run_images(images: Vec<RunImageNames>, stack: &str, image: String, mirrors: Vec<String>) -> Result<Vec<RunImageNames>> {
    if images.iter().any(|names| names.image.is_empty()) {
        return Err(Error::new("`image` is required in each `[[run.images]]`"));
    }
    match images.first() {
        None if image.is_empty() || stack.is_empty() => {
            Err(Error::new("`run.images` are required")).hint("write `[[run.images]]` and `image = …`: the image that apps run on")
        }
        None => Ok(vec![RunImageNames { image, mirrors }]),
        Some(first) if !image.is_empty() && first.image != image => {
            Err(Error::new("the first of `run.images` and `stack.run-image` do not match")).hint("leave `[stack]` out")
        }
        Some(_) => Ok(images),
    }
}

fn lifecycle(lifecycle: Lifecycle) -> Result<LifecycleSource> {
    match (lifecycle.version, lifecycle.uri) {
        (version, uri) if version.is_empty() && uri.is_empty() => Ok(LifecycleSource::Own),
        (version, uri) if uri.is_empty() => Ok(LifecycleSource::Version(version.trim_start_matches('v').into())),
        (version, uri) if version.is_empty() => Ok(LifecycleSource::Uri(uri)),
        _ => Err(Error::new("`lifecycle` has a `version` and a `uri`")).hint("leave one of them out"),
    }
}

/// The files of variables by their names.
fn environment(variables: &[Variable], warnings: &mut Vec<String>) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for Variable { name, value, suffix, delim, _exec_env } in variables {
        if name.is_empty() || name.contains(['/', '=', '\0']) {
            return Err(Error::new(format!("`{name}` in `[[build.env]]` cannot be the name of a variable")));
        }
        if !["", "default", "override", "append", "prepend"].contains(&suffix.as_str()) {
            return Err(
                Error::new(format!("`{suffix}` is no `suffix` of a variable")).hint("it is `default`, `override`, `append` or `prepend`")
            );
        }
        if value.is_empty() {
            warnings.push(format!("the variable `{name}` in `[[build.env]]` is empty"));
        }
        if !delim.is_empty() {
            files.insert(format!("{name}.delim"), delim.clone());
        }
        let file = if suffix.is_empty() { name.clone() } else { format!("{name}.{suffix}") };
        if let Some(before) = files.insert(file, value.clone()) {
            warnings.push(format!("the variable `{name}` in `[[build.env]]` is set twice: `{before}` is lost"));
        }
    }
    let lacks = |variable: &&Variable| {
        ["append", "prepend"].contains(&variable.suffix.as_str()) && !files.contains_key(&format!("{}.delim", variable.name))
    };
    match variables.iter().find(lacks) {
        Some(variable) => Err(Error::new(format!(
            "the variable `{}` in `[[build.env]]` has the suffix `{}` and no `delim`",
            variable.name, variable.suffix
        ))
        .hint("write what stands between its values, as `delim = \":\"`")),
        None => Ok(files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, Path::new("dir"))
    }

    const RUN: &str = "[[run.images]]\nimage = 'run'\nmirrors = ['mirror']\n";

    /// BIMG-17, BIMG-18, BIMG-19.
    #[test]
    fn contradictions_are_told() {
        let build = "[build]\nimage = 'build'\n";
        let stack = |more: &str| format!("[stack]\nid = 's'\n{more}\n");
        for (text, why) in [
            (RUN.to_string(), "`build.image` is required"),
            (build.to_string(), "`run.images` are required"),
            (format!("{build}[stack]\nrun-image = 'run'\n"), "`run.images` are required"),
            (format!("{build}{RUN}{}", stack("build-image = 'other'")), "`build.image` and `stack.build-image` do not match"),
            (format!("{build}{RUN}{}", stack("run-image = 'other'")), "`stack.run-image` do not match"),
            (format!("{build}[[run.images]]\n"), "`image` is required"),
            (format!("{build}base = 'base.toml'\n{RUN}"), "exclude each other"),
            (format!("{build}packages = ['x']\n{RUN}"), "`build.packages` is for an image that is composed"),
            (format!("{build}{RUN}[lifecycle]\nuri = 'x'\nversion = '1'\n"), "a `version` and a `uri`"),
            (format!("{build}{RUN}[extra]\n"), "no builder.toml"),
            (format!("{build}{RUN}[[buildpacks]]\nurl = 'x'\n"), "no builder.toml"),
        ] {
            let error = format!("{:?}", parse(&text).unwrap_err());
            assert!(error.contains(why), "{text}: {error}");
        }
        let old = parse(&stack("build-image = 'build'\nrun-image = 'run'\nrun-image-mirrors = ['m']")).unwrap();
        assert_eq!(
            (old.build, old.run_images[0].mirrors[0].as_str(), old.lifecycle),
            (Base::Image("build".into()), "m", LifecycleSource::Own)
        );
        let composed = parse(&format!("[build]\nbase = 'base.toml'\n{RUN}[lifecycle]\nversion = 'v0.20.0'\n")).unwrap();
        assert_eq!(
            (composed.build, composed.lifecycle),
            (Base::Composed("dir/base.toml".into()), LifecycleSource::Version("0.20.0".into()))
        );
        assert!(composed.warnings[0].contains("no `order`"));
    }

    /// BIMG-16.
    #[test]
    fn variables_become_files() {
        let env = |variables: &[&str]| {
            let variables: String = variables.iter().map(|variable| format!("[[build.env]]\n{variable}\n")).collect();
            parse(&format!("[build]\nimage = 'build'\n{variables}{RUN}"))
        };
        let config = env(&[
            "name = 'A'\nvalue = '1'",
            "name = 'B'\nvalue = '2'\nsuffix = 'append'\ndelim = ':'",
            "name = 'C'\nsuffix = 'default'",
            "name = 'A'\nvalue = '3'",
        ])
        .unwrap();
        let files: Vec<(&str, &str)> = config.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(files, [("A", "3"), ("B.append", "2"), ("B.delim", ":"), ("C.default", "")]);
        assert_eq!(config.warnings.len(), 3);
        for (bad, why) in [
            ("name = ''", "cannot be the name"),
            ("name = 'A'\nsuffix = 'append'", "no `delim`"),
            ("name = 'A'\nsuffix = 'x'", "no `suffix`"),
        ] {
            let error = format!("{:?}", env(&[bad]).unwrap_err());
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
