//! Lets an image extension write Dockerfiles (CNB Image Extension Specification, generation).

use super::detect::{add_target, pairs, seen};
use super::run::{Line, Program};
use super::{BuildpackPlan, Descriptor, Target};
use crate::error::{Advice, Context, Error, Result};
use launcher::environment::Environment;
use std::ffi::OsString;
use std::path::Path;

/// Exit code where `bin/generate` fails (EXIT-07).
const GENERATE_FAILED: u8 = 91;

/// What generation needs besides the extension.
pub struct GenerateInput<'a> {
    /// The app's folder.
    pub app: &'a Path,
    /// The platform's folder.
    pub platform: &'a Path,
    /// The operator's variables.
    pub build_config: &'a Path,
    /// The lifecycle's own environment, filtered.
    pub environment: &'a Environment,
    /// What the run image is.
    pub target: &'a Target,
    /// The execution environment.
    pub exec_env: &'a str,
    /// What the extension is asked for.
    pub plan: &'a BuildpackPlan,
    /// Where it writes; an existing folder.
    pub output: &'a Path,
}

/// Runs `bin/generate`, or copies what the extension brings ready-made (GEN-01 to GEN-03, GEN-07, GEN-08).
///
/// # Errors
/// When the program fails (exit code 91) or cannot be run (92).
pub fn generate(descriptor: &Descriptor, input: &GenerateInput, line: &mut Line) -> Result<()> {
    let path = descriptor.root.join("bin/generate");
    if !path.exists() {
        return copy_folder(&descriptor.root.join("generate"), input.output);
    }
    let plan = tempfile::NamedTempFile::new().context(|| "cannot make a file for the plan")?;
    let text = toml::to_string(input.plan).context(|| "cannot write the plan")?;
    std::fs::write(plan.path(), text).context(|| "cannot write the plan")?;
    let mut environment = seen(descriptor, input.environment, input.platform, input.build_config)?;
    environment.set("CNB_EXTENSION_DIR", &descriptor.root);
    environment.set("CNB_OUTPUT_DIR", input.output);
    environment.set("CNB_PLATFORM_DIR", input.platform);
    environment.set("CNB_BP_PLAN_PATH", plan.path());
    add_target(&mut environment, descriptor.api, input.target, input.exec_env);
    let arguments: Vec<OsString> = vec![input.output.into(), input.platform.into(), plan.path().into()];
    let status = Program { path: &path, arguments, environment: pairs(&environment), directory: input.app, user: None }.run(line)?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::new(format!("the extension `{}` failed: {status}", descriptor.full_name()))).code(GENERATE_FAILED)
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for path in launcher::environment::entries(from).context(|| format!("cannot read `{}`", from.display()))? {
        let target = to.join(path.file_name().unwrap_or_default());
        let describe = || format!("cannot copy `{}`", path.display());
        if path.is_dir() {
            std::fs::create_dir_all(&target).context(describe)?;
            copy_folder(&path, &target)?;
        } else {
            std::fs::copy(&path, &target).context(describe)?;
        }
    }
    Ok(())
}
