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
    let (mut launch_bom, mut build_bom) = (Vec::new(), Vec::new());
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
        let bom = outcome.launch_bom.iter().chain(&outcome.build_bom).next();
        if bom.is_some() && !buildpack::has_sboms(descriptor, input.layers)? {
            // BLD-28.
            log(Level::Warning, DEPRECATED_BOM);
        }
        plan = plan.without_met(&given, &outcome.unmet);
        launch_bom.extend(outcome.launch_bom);
        build_bom.extend(outcome.build_bom);
        for kind in outcome.launch.ignored_working_dirs {
            let why = "process working directory isn't supported in this buildpack api version";
            log(Level::Warning, &format!("{why}. Ignoring working directory for process '{kind}'"));
        }
        metadata.labels.extend(outcome.launch.labels);
        metadata.slices.extend(outcome.launch.slices);
        outcome.launch.processes.into_iter().for_each(|process| add_process(&mut metadata, process, log));
    }
    if input.platform_api >= Api::new(0, 8) {
        for descriptor in &descriptors {
            buildpack::copy_sboms(descriptor, input.layers)?;
        }
    }
    metadata.processes.sort_by(|one, other| one.kind.cmp(&other.kind));
    if input.platform_api >= Api::new(0, 9) {
        write_legacy_sboms(&sbom, [("launch", &std::mem::take(&mut launch_bom)), ("build", &build_bom)])?;
    }
    write_metadata(&metadata, &launch_bom, input.platform_api, input.layers)?;
    Ok(metadata)
}

/// Later processes take the place of earlier ones of their type (BLD-20, BLD-21).
fn add_process(metadata: &mut BuildMetadata, process: Process, log: &Log) {
    if process.default {
        metadata.default_process_type = Some(process.kind.clone());
    } else if metadata.default_process_type.as_ref() == Some(&process.kind) {
        log(
            Level::Warning,
            &format!("redefining the following default process type with a process not marked as default: {}", process.kind),
        );
        metadata.default_process_type = None;
    }
    metadata.processes.retain(|earlier| earlier.kind != process.kind);
    metadata.processes.push(process);
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
mod tests {
    use super::*;
    use crate::buildpack::GroupElement;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Mutex;

    struct World(tempfile::TempDir);

    impl World {
        fn new(buildpacks: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in ["app", "layers", "platform/env", "config"] {
                fs::create_dir_all(folder.path().join(name)).unwrap();
            }
            for (id, script) in buildpacks {
                let root = folder.path().join("buildpacks").join(id).join("1");
                fs::create_dir_all(root.join("bin")).unwrap();
                fs::write(root.join("buildpack.toml"), format!("api = '0.12'\n[buildpack]\nid = '{id}'\nversion = '1'\n")).unwrap();
                fs::write(root.join("bin/build"), format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
                fs::set_permissions(root.join("bin/build"), fs::Permissions::from_mode(0o755)).unwrap();
            }
            Self(folder)
        }

        fn build(&self, ids: &[&str], plan: &str) -> (Result<BuildMetadata>, Vec<String>) {
            self.build_for(15, ids, plan)
        }

        fn build_for(&self, api: u64, ids: &[&str], plan: &str) -> (Result<BuildMetadata>, Vec<String>) {
            let path = |name: &str| self.0.path().join(name);
            let modules = Modules { buildpacks: path("buildpacks"), extensions: path("none") };
            let element = |id: &&str| GroupElement { id: (*id).into(), version: "1".into(), api: "0.12".into(), homepage: None };
            let group = GroupDocument { group: ids.iter().map(element).collect(), extensions: vec![] };
            let target = Target { os: "linux".into(), arch: "amd64".into(), ..Target::default() };
            let (app, layers, platform, config) = (path("app"), path("layers"), path("platform"), path("config"));
            let input = Input {
                modules: &modules,
                group: &group,
                plan: Plan::parse(plan).unwrap(),
                app: &app,
                layers: &layers,
                platform: &platform,
                build_config: &config,
                target: &target,
                exec_env: "production",
                environment: Environment::for_build(std::env::vars_os()),
                platform_api: Api::new(0, api),
            };
            let lines = Mutex::new(Vec::new());
            let result = build(input, &|_, _| (), &mut |line| lines.lock().unwrap().push(line.to_string()));
            (result, lines.into_inner().unwrap())
        }
    }

    /// BLD-02, BLD-03, BLD-04, BLD-05, BLD-07, BLD-08, BLD-10, BLD-13, ENV-04, EXIT-21.
    #[test]
    fn buildpacks_run_in_order_and_see_earlier_layers() {
        let first = "mkdir -p $CNB_LAYERS_DIR/tool/bin $CNB_LAYERS_DIR/tool/env.build $CNB_LAYERS_DIR/gone\nprintf '[types]\\nbuild = true\\n' > $1/tool.toml\ntouch $1/gone.toml\nprintf v > $1/tool/env.build/VALUE\nprintf '#!/bin/sh\\necho tool' > $1/tool/bin/tool; chmod +x $1/tool/bin/tool\nprintf '[[unmet]]\\nname = \"y\"\\n' > $1/build.toml\ngrep -c entries $CNB_BP_PLAN_PATH";
        let second = "tool; echo $VALUE >&2; cat $3; echo ${CNB_REGISTRY_AUTH:-none} $CNB_TARGET_ARCH $(basename $CNB_LAYERS_DIR)";
        let world = World::new(&[("a", first), ("b", second)]);
        let entry = |name: &str| {
            format!(
                "[[entries]]\n[[entries.providers]]\nid = 'a'\n[[entries.providers]]\nid = 'b'\n[[entries.requires]]\nname = '{name}'\n"
            )
        };
        let (result, lines) = world.build(&["a", "b"], &format!("{}{}", entry("x"), entry("y")));
        result.unwrap();
        let plan = lines.iter().filter(|line| line.contains("name")).collect::<Vec<_>>();
        assert_eq!(plan, ["name = \"y\""]);
        for line in ["tool", "v", "none amd64 b"] {
            assert!(lines.iter().any(|said| said == line), "{line} in {lines:?}");
        }
        let layers = world.0.path().join("layers/a");
        assert!(layers.join("gone.ignore").exists() && !layers.join("gone").exists());
    }

    /// BLD-02, EXIT-05.
    #[test]
    fn the_first_failure_stops_the_build() {
        let world = World::new(&[("a", "exit 7"), ("b", "touch ran")]);
        let (result, _) = world.build(&["a", "b"], "");
        assert_eq!(result.unwrap_err().exit_code(), 51);
        assert!(!world.0.path().join("app/ran").exists());
    }

    /// BLD-20, BLD-22, BLD-24, BLD-27, BLD-29, BLD-01.
    #[test]
    fn processes_labels_and_slices_are_gathered() {
        let a = "printf '[[processes]]\\ntype = \"web\"\\ncommand = [\"a\"]\\ndefault = true\\n[[processes]]\\ntype = \"job\"\\ncommand = [\"j\"]\\n[[labels]]\\nkey = \"k\"\\nvalue = \"a\"\\n[[slices]]\\npaths = [\"s\"]\\n' > $1/launch.toml";
        let b =
            "printf '[[processes]]\\ntype = \"web\"\\ncommand = [\"b\"]\\n[[labels]]\\nkey = \"k\"\\nvalue = \"b\"\\n' > $1/launch.toml";
        let world = World::new(&[("a", a), ("b", b)]);
        fs::create_dir_all(world.0.path().join("layers/sbom/junk")).unwrap();
        let metadata = world.build(&["a", "b"], "").0.unwrap();
        let processes: Vec<_> = metadata
            .processes
            .iter()
            .map(|process| (process.kind.as_str(), process.command[0].as_str(), process.buildpack_id.as_str()))
            .collect();
        assert_eq!(processes, [("job", "j", "a"), ("web", "b", "b")]);
        assert_eq!((metadata.default_process_type.clone(), metadata.labels.len(), metadata.slices.len()), (None, 2, 1));
        let layers = world.0.path().join("layers");
        assert_eq!(fs::read_to_string(layers.join("sbom/launch/sbom.legacy.json")).unwrap(), "null\n");
        assert!(!layers.join("sbom/junk").exists());
        let written: BuildMetadata = toml::from_str(&fs::read_to_string(layers.join("config/metadata.toml")).unwrap()).unwrap();
        assert_eq!(written.processes.len(), 2);
        let only_a = World::new(&[("a", a)]).build(&["a"], "").0.unwrap();
        assert_eq!(only_a.default_process_type.as_deref(), Some("web"));
    }
}
