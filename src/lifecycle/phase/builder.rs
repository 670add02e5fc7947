//! The builder as a program.

use super::detector::{refuse_root, target};
use super::{Inputs, Phase, read};
use crate::buildpack::{GroupDocument, Modules, Plan};
use crate::error::{Advice, Context, Result};
use crate::lifecycle::builder;
use launcher::environment::Environment;

/// Exit code where the build goes wrong other than in `bin/build` (EXIT-05).
const BUILD_WENT_WRONG: u8 = 52;

/// Runs the buildpacks of the group and writes `metadata.toml`.
pub(super) fn run(inputs: &Inputs, phase: &Phase) -> Result<()> {
    inputs.images(0..=0)?;
    phase.ensure_privileges(|| refuse_root("build"))?;
    build(inputs, phase)
}

/// Builds, whoever this process is.
pub(super) fn build(inputs: &Inputs, phase: &Phase) -> Result<()> {
    let group = GroupDocument::parse(&read(&inputs.path("group"), "group")?).context(|| "failed to read group file")?;
    super::exporter::check_apis(&group)?;
    let plan = Plan::parse(&read(&inputs.path("plan"), "plan")?).context(|| "failed to read plan file")?;
    let (app, layers, platform, build_config) =
        (inputs.path("app"), inputs.path("layers"), inputs.path("platform"), inputs.path("build-config"));
    let modules = Modules { buildpacks: inputs.path("buildpacks"), extensions: inputs.path("extensions") };
    let (target, exec_env) = (target(inputs, phase)?, inputs.exec_env()?);
    let input = builder::Input {
        modules: &modules,
        group: &group,
        plan,
        app: &app,
        layers: &layers,
        platform: &platform,
        build_config: &build_config,
        target: &target,
        exec_env: &exec_env,
        environment: Environment::for_build(phase.environment.iter().cloned()),
        platform_api: inputs.api,
    };
    let (log, mut line) = (|level, line: &str| phase.log(level, line), |line: &str| phase.output.buildpack_line(line));
    let built = phase.timed("Builder", || builder::build(input, &log, &mut line));
    match built {
        Err(error) if error.exit_code() == 1 => Err(error).code(BUILD_WENT_WRONG),
        other => other.map(drop),
    }
}
