//! Lets one buildpack build (CNB Buildpack Specification, build).

use super::bom::{BomBuildpack, BomEntry, bom};
use super::detect::{add_target, pairs, seen};
use super::launch::unmet;
use super::run::{Line, Program};
use super::sbom::{SbomFile, sbom_files};
use super::{Api, BuildpackPlan, Descriptor, LaunchToml, LayerToml, Target, escape_id, layer_names};
use crate::error::{Advice, Context, Error, Result};
use launcher::environment::{Environment, Plain};
use launcher::file::read_document;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// Exit code where `bin/build` fails (EXIT-05).
const BUILD_FAILED: u8 = 51;

/// What a build needs besides the buildpack.
pub struct BuildInput<'a> {
    /// The app's folder.
    pub app: &'a Path,
    /// The folder of all layers.
    pub layers: &'a Path,
    /// The platform's folder.
    pub platform: &'a Path,
    /// The operator's variables.
    pub build_config: &'a Path,
    /// What the run image is.
    pub target: &'a Target,
    /// The execution environment.
    pub exec_env: &'a str,
    /// What the buildpack is asked for.
    pub plan: &'a BuildpackPlan,
}

/// What a buildpack did.
#[derive(Debug, Default)]
pub struct BuildOutcome {
    /// What it says about the image.
    pub launch: LaunchToml,
    /// What it left to a later buildpack.
    pub unmet: BTreeSet<String>,
    /// The old bill of materials of what is in the image.
    pub launch_bom: Vec<BomEntry>,
    /// The old bill of materials of what the build used.
    pub build_bom: Vec<BomEntry>,
    /// Its SBOM files.
    pub sboms: Vec<SbomFile>,
}

/// Runs `bin/build`, reads what it wrote, and adds its layers to `environment` for the buildpacks after it (BLD-02 to BLD-18, ENV-04).
///
/// # Errors
/// When the program fails (exit code 51), or what it wrote is not as it should be.
pub fn build(descriptor: &Descriptor, input: &BuildInput, environment: &mut Environment, line: &mut Line) -> Result<BuildOutcome> {
    let layers = input.layers.join(escape_id(&descriptor.id));
    fs::create_dir_all(&layers).context(|| format!("cannot make `{}`", layers.display()))?;
    run(descriptor, input, environment, &layers, line)?;
    let launch_text = read_if_there(&layers.join("launch.toml"))?.unwrap_or_default();
    let launch = LaunchToml::parse(&launch_text, &descriptor.id, descriptor.api)?;
    let build_text = read_if_there(&layers.join("build.toml"))?.unwrap_or_default();
    let unmet = unmet(&build_text)?;
    let myself = BomBuildpack { id: descriptor.id.clone(), version: descriptor.version.clone() };
    let launch_bom = bom(&launch_text, &myself).context(|| "launch.toml is not what it should be")?;
    let build_bom = bom(&build_text, &myself).context(|| "build.toml is not what it should be")?;
    if let Some(unknown) = unmet.iter().find(|name| !input.plan.entries.iter().any(|entry| &entry.name == *name)) {
        return Err(Error::new(format!("unmet.name '{unknown}' must match a requested dependency")));
    }
    add_layers(&layers, environment)?;
    let sboms = sbom_files(descriptor, input.layers)?;
    Ok(BuildOutcome { launch, unmet: unmet.into_iter().collect(), launch_bom, build_bom, sboms })
}

/// Reads what each layer is for; later buildpacks see those for the build (BLD-11 to BLD-13, ENV-04).
fn add_layers(layers: &Path, environment: &mut Environment) -> Result<()> {
    for name in layer_names(layers)? {
        let types = LayerToml::read(&layers.join(format!("{name}.toml")))?.types;
        let folder = layers.join(&name);
        if !types.launch && !types.build && !types.cache {
            ignore(&folder)?;
        } else if types.build {
            environment.add_layer_paths(&folder);
            environment.add_files(&folder.join("env"), Plain::Override)?;
            environment.add_files(&folder.join("env.build"), Plain::Override)?;
        }
    }
    Ok(())
}

fn run(descriptor: &Descriptor, input: &BuildInput, own: &Environment, layers: &Path, line: &mut Line) -> Result<()> {
    let plan = tempfile::Builder::new().prefix("plan.").suffix(".toml").tempfile().context(|| "cannot make a file for the plan")?;
    let text = toml::to_string(input.plan).context(|| "cannot write the plan")?;
    fs::write(plan.path(), text).context(|| "cannot write the plan")?;
    let mut environment = seen(descriptor, own, input.platform, input.build_config)?;
    environment.set("CNB_BUILDPACK_DIR", &descriptor.root);
    if descriptor.api >= Api::new(0, 8) {
        environment.set("CNB_PLATFORM_DIR", input.platform);
        environment.set("CNB_BP_PLAN_PATH", plan.path());
        environment.set("CNB_LAYERS_DIR", layers);
    }
    add_target(&mut environment, descriptor.api, input.target, input.exec_env);
    let arguments: Vec<OsString> = vec![layers.into(), input.platform.into(), plan.path().into()];
    let path = descriptor.root.join("bin/build");
    let program = Program { path: &path, arguments, environment: pairs(&environment), directory: input.app, user: None };
    let status = program.run(line).code(BUILD_FAILED)?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(format!("the buildpack `{}` failed: {status}", descriptor.full_name())))
        .hint("its own messages above say why")
        .code(BUILD_FAILED)
}

/// A layer that is for nothing is put out of sight at once (BLD-13).
fn ignore(folder: &Path) -> Result<()> {
    let mut ignored = folder.as_os_str().to_os_string();
    ignored.push(".ignore");
    match fs::rename(folder, &ignored) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context(|| format!("cannot put `{}` aside", folder.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match read_document(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(|| format!("cannot read `{}`", path.display())),
    }
}
