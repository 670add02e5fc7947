//! Generation: the extensions of the group write what they want of the images (CNB Platform Specification, detector; Image Extension
//! Specification, generation). Start with [`generate`].

use super::documents::analyzed::{Analyzed, RunImage};
use super::documents::run::RunImages;
use super::extender::dockerfile::Effect;
use super::extender::{Dockerfile, ExtendConfig, Kind, is_folder, read};
use super::log::{Level, Log};
use crate::buildpack::{self, Descriptor, DetectInput, GenerateInput, Line, Plan, escape_id};
use crate::error::{Context, Error, Result};
use launcher::api::Api;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Exit code where generation goes wrong other than in `bin/generate` (EXIT-07).
const GENERATE_WENT_WRONG: u8 = 92;

/// What generation needs.
pub struct Input<'a> {
    /// The extensions, in order.
    pub extensions: &'a [Descriptor],
    /// What each is given to see.
    pub detect: &'a DetectInput<'a>,
    /// Where the images' Dockerfiles go.
    pub generated: &'a Path,
    /// The Platform API that the platform speaks.
    pub platform_api: Api,
    /// The run images on offer.
    pub offered: &'a RunImages,
}

/// A Dockerfile that an extension wrote.
struct Written {
    extension: String,
    kind: Kind,
    path: PathBuf,
    effect: Effect,
    ignored: bool,
}

/// Lets the extensions write, checks what they wrote, and puts it where the extender looks for it. Returns what is left of the plan, and what
/// is known of the run image now (GEN-01 to GEN-22).
///
/// # Errors
/// When a program of an extension fails (exit code 91), or what it wrote is not valid (92).
pub fn generate(input: &Input, plan: Plan, analyzed: Analyzed, log: &Log, line: &mut Line) -> Result<(Plan, Analyzed)> {
    let generated = generate_all(input, plan, analyzed, log, line);
    generated.map_err(|error| if error.exit_code() == 1 { error.code(GENERATE_WENT_WRONG) } else { error })
}

fn generate_all(input: &Input, mut plan: Plan, analyzed: Analyzed, log: &Log, line: &mut Line) -> Result<(Plan, Analyzed)> {
    if input.detect.target.os == "windows" {
        return Err(Error::new("image extensions cannot be applied to Windows images").hint("use a builder without extensions"));
    }
    let scratch = tempfile::Builder::new().prefix("cnb-extensions-generated.").tempdir().context(|| "cannot make a folder to work in")?;
    let place = if in_place(input) { input.generated } else { scratch.path() };
    let mut written = Vec::new();
    for extension in input.extensions {
        log(Level::Debug, &format!("Running generate for extension {}", extension.full_name()));
        let output = place.join(escape_id(&extension.id));
        fs::create_dir_all(&output).context(|| format!("cannot make `{}`", output.display()))?;
        let given = plan.of(&extension.id, true);
        let detect = input.detect;
        let generate = GenerateInput {
            app: detect.app,
            platform: detect.platform,
            build_config: detect.build_config,
            environment: detect.environment,
            target: detect.target,
            exec_env: detect.exec_env,
            plan: &given,
            output: &output,
        };
        buildpack::generate(extension, &generate, line)?;
        written.extend(check(&extension.id, place, log)?);
        plan = plan.without_met(&given, &BTreeSet::new());
    }
    let analyzed = choose_run_image(input, &mut written, analyzed, log);
    put_in_place(input, &written, place)?;
    Ok((plan, analyzed))
}

/// GEN-05, GEN-06.
fn in_place(input: &Input) -> bool {
    input.platform_api >= Api::new(0, 13)
}

/// GEN-09 to GEN-11, GEN-19, GEN-20.
fn check(extension: &str, place: &Path, log: &Log) -> Result<Vec<Written>> {
    let folder = PathBuf::from(escape_id(extension));
    let describe = |file: &str| format!("failed to parse {file} for extension {extension}");
    ExtendConfig::parse(&read(place, &folder.join(ExtendConfig::FILE))?.unwrap_or_default()).context(|| describe(ExtendConfig::FILE))?;
    let mut written = Vec::new();
    for kind in [Kind::Run, Kind::Build] {
        let path = folder.join(kind.dockerfile());
        let Some(text) = read(place, &path)? else { continue };
        let effect = Dockerfile::parse(&text).and_then(|file| file.check(kind, &mut |warning| log(Level::Warning, warning)));
        let effect = effect.context(|| describe(kind.dockerfile()))?;
        written.push(Written { extension: extension.into(), kind, path: place.join(path), effect, ignored: false });
    }
    let folder = place.join(&folder);
    let is_there = |name: &str| is_folder(&folder.join(name));
    if is_there("context") && (is_there("context.build") || is_there("context.run")) {
        return Err(Error::new(format!("the extension {extension} wrote `context` and a context for one image only"))
            .hint("image-specific context dir is provided together with a shared context: write either"));
    }
    Ok(written)
}

/// GEN-12 to GEN-18.
fn choose_run_image(input: &Input, written: &mut [Written], mut analyzed: Analyzed, log: &Log) -> Analyzed {
    let (mut switched, mut extend) = (None, false);
    for dockerfile in written.iter_mut().rev().filter(|dockerfile| dockerfile.kind == Kind::Run) {
        if switched.is_some() {
            dockerfile.ignored = true;
            continue;
        }
        extend |= dockerfile.effect.extends;
        switched.clone_from(&dockerfile.effect.switches_to);
    }
    let current = analyzed.run_image.as_ref().map_or("", |image| image.image.as_str());
    if let Some(name) = switched.filter(|name| input.platform_api < Api::new(0, 12) || name != current) {
        if !input.offered.images.iter().any(|image| image.contains(&name)) {
            log(Level::Warning, &format!("new runtime base image '{name}' not found in run metadata"));
        }
        log(Level::Debug, &format!("Updating analyzed metadata with new run image '{name}'"));
        analyzed.run_image = Some(RunImage { reference: name.clone(), image: name, extend, target: None });
    }
    if let (true, Some(image)) = (extend, &mut analyzed.run_image) {
        image.extend = true;
    }
    analyzed
}

/// Ignored files get the suffix `.ignore`; platforms before 0.13 want each Dockerfile in a folder of its own (GEN-05, GEN-13).
fn put_in_place(input: &Input, written: &[Written], place: &Path) -> Result<()> {
    for dockerfile in written {
        let suffix = if dockerfile.ignored { ".ignore" } else { "" };
        let describe = || format!("failed to copy Dockerfile at {}", dockerfile.path.display());
        if in_place(input) {
            if dockerfile.ignored {
                fs::rename(&dockerfile.path, format!("{}{suffix}", dockerfile.path.display())).context(describe)?;
            }
            continue;
        }
        let id = escape_id(&dockerfile.extension);
        let target = input.generated.join(dockerfile.kind.name()).join(&id);
        fs::create_dir_all(&target).context(describe)?;
        fs::copy(&dockerfile.path, target.join(format!("Dockerfile{suffix}"))).context(describe)?;
        match fs::copy(place.join(&id).join(ExtendConfig::FILE), target.join(ExtendConfig::FILE)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            other => drop(other.context(describe)?),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
