//! The detector as a program.

use super::{Inputs, Phase, read, run_image, write};
use crate::buildpack::{Descriptor, DetectInput, GroupDocument, GroupElement, Modules, Order, Plan, System, Target};
use crate::error::{Context, Error, Result};
use crate::lifecycle::documents::analyzed::Analyzed;
use crate::lifecycle::log::Level;
use crate::lifecycle::{detector, generator};
use launcher::api::Api;
use launcher::environment::Environment;
use launcher::file::read_document;
use std::path::Path;

/// Finds the group, runs its extensions, and writes `group.toml` and `plan.toml` (DET-40, DET-41, DET-43).
pub(super) fn run(inputs: &Inputs, phase: &Phase) -> Result<()> {
    inputs.images(0..=0)?;
    phase.ensure_privileges(|| refuse_root("detect"))?;
    detect(inputs, phase, Extensions::Generate)
}

/// What becomes of the extensions of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extensions {
    /// They write their Dockerfiles.
    Generate,
    /// They are only found.
    Find,
}

/// Detects, whoever this process is.
pub(super) fn detect(inputs: &Inputs, phase: &Phase, extensions: Extensions) -> Result<()> {
    let target = target(inputs, phase)?;
    let order = order(inputs, phase).context(|| "failed to initialize detector")?;
    if !order.extensions.is_empty() && inputs.api < Api::new(0, 13) {
        // API-13.
        phase.allow_experimental(inputs, "Dockerfiles")?;
    }
    let environment = Environment::for_build(phase.environment.iter().cloned());
    let (app, platform, build_config, exec_env) =
        (inputs.path("app"), inputs.path("platform"), inputs.path("build-config"), inputs.exec_env()?);
    let modules = Modules { buildpacks: inputs.path("buildpacks"), extensions: inputs.path("extensions") };
    let detect = DetectInput {
        app: &app,
        platform: &platform,
        build_config: &build_config,
        environment: &environment,
        target: &target,
        exec_env: &exec_env,
    };
    let input = detector::Input { modules: &modules, order: &order, detect, platform_api: inputs.api };
    let detected = phase.timed("Detector", || detector::detect(&input, &|level, line| phase.log(level, line)));
    let detected = detected.map_err(|error| nothing_passed(error, phase))?;
    let group = GroupDocument { group: elements(&detected.buildpacks), extensions: elements(&detected.extensions) };
    write(&inputs.path("group"), &toml::to_string(&group).context(|| "cannot write the group")?)?;
    write_plan(&detected.plan, inputs)?;
    if extensions == Extensions::Find || detected.extensions.is_empty() {
        return Ok(());
    }
    let input = generator::Input {
        extensions: &detected.extensions,
        detect: &input.detect,
        generated: &inputs.path("generated"),
        platform_api: inputs.api,
        offered: &run_image::offered(inputs, phase)?,
    };
    let (log, mut line) = (|level: Level, line: &str| phase.log(level, line), |line: &str| phase.output.buildpack_line(line));
    let analyzed = analyzed(inputs, phase)?;
    let generated = phase.timed("Generator", || generator::generate(&input, detected.plan, analyzed, &log, &mut line));
    let (plan, analyzed) = generated?;
    write(&inputs.path("analyzed"), &analyzed.to_toml()?)?;
    write_plan(&plan, inputs)
}

fn write_plan(plan: &Plan, inputs: &Inputs) -> Result<()> {
    write(&inputs.path("plan"), &toml::to_string(plan).context(|| "cannot write the plan")?)
}

/// The groups to try, with the system's buildpacks around them since Platform API 0.15 (DET-37).
fn order(inputs: &Inputs, phase: &Phase) -> Result<Order> {
    let order = Order::parse(&read(&inputs.path("order"), "order")?).context(|| "reading order")?;
    let path = inputs.path("system");
    if inputs.api < Api::new(0, 15) || !path.exists() {
        return Ok(order);
    }
    let system = System::parse(&read(&path, "system")?).context(|| format!("reading system: failed to read `{}`", path.display()))?;
    Ok(system.around(order, &mut |line| phase.log(Level::Debug, &line)))
}

/// DET-13: platforms look for these lines.
fn nothing_passed(error: Error, phase: &Phase) -> Error {
    let reason = match error.exit_code() {
        detector::NOTHING_PASSED => "no buildpacks participating",
        detector::SOMETHING_WENT_WRONG => "buildpack(s) failed with err",
        _ => return error,
    };
    phase.output.error(&Error::new(error.to_string()));
    if let Some(hint) = error.nearest_hint() {
        phase.output.error(&Error::new(hint));
    }
    Error::new(reason).code(error.exit_code())
}

fn elements(descriptors: &[Descriptor]) -> Vec<GroupElement> {
    let element = |descriptor: &Descriptor| GroupElement {
        id: descriptor.id.clone(),
        version: descriptor.version.clone(),
        api: descriptor.api.to_string(),
        homepage: descriptor.homepage.clone(),
    };
    descriptors.iter().map(element).collect()
}

/// What the run image is, by the analyzer's word; its distribution by that of this image where it says nothing (DET-33, DET-44).
pub(super) fn target(inputs: &Inputs, phase: &Phase) -> Result<Target> {
    let mut target = analyzed(inputs, phase)?.run_image.and_then(|image| image.target).unwrap_or_default().for_buildpacks();
    if target.distros.is_empty() {
        phase.log(Level::Info, "target distro name/version labels not found, reading /etc/os-release file");
        target.add_distro(of_this_image());
    }
    if target.os.is_empty() {
        target.os = "linux".into();
    }
    if target.arch.is_empty() {
        target.arch = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" }.into();
    }
    Ok(target)
}

/// What the analyzer found; nothing where it did not run (DET-44).
fn analyzed(inputs: &Inputs, phase: &Phase) -> Result<Analyzed> {
    let path = inputs.path("analyzed");
    match read_document(&path) {
        Ok(text) => Analyzed::parse(&text).context(|| format!("failed to read analyzed file `{}`", path.display())),
        Err(_) => {
            phase.log(Level::Warning, &format!("No analyzed metadata found at path \"{}\"", path.display()));
            Ok(Analyzed::default())
        }
    }
}

fn of_this_image() -> Option<(String, String)> {
    let text = read_document(Path::new("/etc/os-release")).ok()?;
    let value = |key: &str| {
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(|value| value.trim_matches(['"', '\'']).to_string())
    };
    Some((value("ID")?, value("VERSION_ID").unwrap_or_default()))
}

/// EXIT-16.
pub(super) fn refuse_root(action: &str) -> Result<()> {
    if rustix::process::geteuid().is_root() { Err(Error::new(format!("failed to {action}: refusing to run as root"))) } else { Ok(()) }
}
