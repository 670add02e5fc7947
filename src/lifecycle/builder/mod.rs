//! The builder: runs the buildpacks of the group one after the other and gathers what they say about the image (CNB Platform
//! Specification, builder). Start with [`build`].

use super::documents::build_metadata::{bom_json, processes_for};
use super::documents::metadata_toml::metadata_toml;
use super::log::{Level, Log};
use crate::buildpack::{
    self, Api, BomEntry, BuildInput, BuildMetadata, Descriptor, GroupDocument, Kind, Line, Modules, Plan, Process, Target,
};
use crate::error::{Context, Result};
use crate::image::to_json;
use launcher::environment::Environment;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const DEPRECATED_BOM: &str = "BOM table is deprecated in this buildpack api version, though it remains supported for backwards \
    compatibility. Buildpack authors should write BOM information to <layer>.sbom.<ext>, launch.sbom.<ext>, or build.sbom.<ext>.";

/// What the builder needs.
pub struct Input<'a> {
    /// Where buildpacks are.
    pub modules: &'a Modules,
    /// Who takes part.
    pub group: &'a GroupDocument,
    /// What they require of each other.
    pub plan: Plan,
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
    /// The lifecycle's own environment, filtered.
    pub environment: Environment,
    /// The Platform API that the platform speaks.
    pub platform_api: Api,
}

/// Runs `bin/build` of each buildpack, copies their SBOM files, and returns what the image is to be like (BLD-01 to BLD-31).
///
/// # Errors
/// When a buildpack fails (exit code 51), or what it wrote is not as it should be.
pub fn build(input: Input, log: &Log, line: &mut Line) -> Result<BuildMetadata> {
    let sbom = input.layers.join("sbom");
    remove(&sbom)?;
    let descriptors = input.group.group.iter().map(|buildpack| input.modules.find(Kind::Buildpack, &buildpack.id, &buildpack.version));
    let descriptors: Vec<Descriptor> = descriptors.collect::<Result<_>>()?;
    let mut metadata =
        BuildMetadata { buildpacks: input.group.group.clone(), extensions: input.group.extensions.clone(), ..BuildMetadata::default() };
    let (mut plan, mut environment) = (input.plan, input.environment);
    let (mut launch_bom, mut build_bom, mut sboms) = (Vec::new(), Vec::new(), Vec::new());
    let mut processes = Processes::default();
    for descriptor in &descriptors {
        log(Level::Debug, &format!("Running build for buildpack {}", descriptor.full_name()));
        let given = plan.of(&descriptor.id, false);
        let build_input = BuildInput {
            app: input.app,
            layers: input.layers,
            platform: input.platform,
            build_config: input.build_config,
            target: input.target,
            exec_env: input.exec_env,
            plan: &given,
        };
        let outcome = buildpack::build(descriptor, &build_input, &mut environment, line)
            .context(|| format!("cannot build with the buildpack `{}`", descriptor.full_name()))?;
        plan = plan.without_met(&given, &outcome.unmet);
        if outcome.sboms.is_empty() && !(outcome.launch_bom.is_empty() && outcome.build_bom.is_empty()) {
            // BLD-28.
            log(Level::Warning, DEPRECATED_BOM);
        }
        launch_bom.extend(outcome.launch_bom);
        build_bom.extend(outcome.build_bom);
        metadata.labels.extend(outcome.launch.labels);
        metadata.slices.extend(outcome.launch.slices);
        for kind in outcome.launch.ignored_working_dirs {
            let why = "process working directory isn't supported in this buildpack api version";
            log(Level::Warning, &format!("{why}. Ignoring working directory for process '{kind}'"));
        }
        processes.add(outcome.launch.processes, log);
        sboms.extend(outcome.sboms);
    }
    if input.platform_api >= Api::new(0, 8) {
        buildpack::copy_sboms(&sboms, input.layers)?;
    }
    metadata.default_process_type = processes.default;
    metadata.processes = processes.by_type.into_values().collect();
    if input.platform_api >= Api::new(0, 9) {
        write_legacy_sboms(&sbom, [("launch", &std::mem::take(&mut launch_bom)), ("build", &build_bom)])?;
    }
    write_metadata(&metadata, &launch_bom, input.platform_api, input.layers)?;
    Ok(metadata)
}

/// The processes of the buildpacks so far, and which of them is the default.
#[derive(Default)]
struct Processes {
    by_type: BTreeMap<String, Process>,
    default: Option<String>,
}

impl Processes {
    /// Adds those of one buildpack; they take the place of earlier ones of their type (BLD-20 to BLD-22).
    fn add(&mut self, processes: Vec<Process>, log: &Log) {
        for process in processes {
            let kind = process.kind.clone();
            if process.default {
                self.default = Some(kind.clone());
            } else if self.default.as_ref() == Some(&kind) {
                let message = "redefining the following default process type with a process not marked as default";
                log(Level::Warning, &format!("{message}: {kind}"));
                self.default = None;
            }
            let buildpack = process.buildpack_id.clone();
            if self.by_type.insert(kind.clone(), process).is_some_and(|earlier| earlier.buildpack_id == buildpack) {
                log(
                    Level::Warning,
                    &format!("launch.toml of `{buildpack}` has the process type `{kind}` more than once; the last one counts"),
                );
            }
        }
    }
}

/// Platforms expect these files even where nothing is in them (BLD-29).
fn write_legacy_sboms(sbom: &Path, entries: [(&str, &[BomEntry]); 2]) -> Result<()> {
    for (kind, entries) in entries {
        let path = sbom.join(kind).join("sbom.legacy.json");
        fs::create_dir_all(sbom.join(kind)).context(|| format!("cannot make `{}`", sbom.display()))?;
        // Both are in layers: the reference ends them with a line feed.
        let text = [to_json(&bom_json(entries)), b"\n".to_vec()].concat();
        fs::write(&path, text).context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

fn write_metadata(metadata: &BuildMetadata, bom: &[BomEntry], api: Api, layers: &Path) -> Result<()> {
    let folder = layers.join("config");
    let metadata = BuildMetadata { processes: processes_for(&metadata.processes, api), ..metadata.clone() };
    let text = metadata_toml(&metadata, bom, api);
    fs::create_dir_all(&folder).context(|| format!("cannot make `{}`", folder.display()))?;
    fs::write(folder.join("metadata.toml"), text).context(|| format!("cannot write into `{}`", folder.display()))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).context(|| format!("cannot remove `{}`", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
