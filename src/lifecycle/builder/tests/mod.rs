//! Builds with real buildpacks: small scripts.

mod documents;
mod environment;
mod hostile;

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
            let root = folder.path().join("buildpacks").join(id.replace('/', "_")).join("1");
            fs::create_dir_all(root.join("bin")).unwrap();
            fs::write(root.join("buildpack.toml"), format!("api = '0.12'\n[buildpack]\nid = '{id}'\nversion = '1'\n")).unwrap();
            fs::write(root.join("bin/build"), format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
            fs::set_permissions(root.join("bin/build"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(folder)
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.0.path().join(path)
    }

    fn file(&self, path: &str, content: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Makes a buildpack speak another API, or adds lines to its description.
    fn describe(&self, id: &str, api: &str, more: &str) -> &Self {
        let file = format!("buildpacks/{}/1/buildpack.toml", id.replace('/', "_"));
        self.file(&file, &format!("api = '{api}'\n[buildpack]\nid = '{id}'\nversion = '1'\n{more}\n"))
    }

    fn build(&self, ids: &[&str], plan: &str) -> (Result<BuildMetadata>, Vec<String>) {
        let built = self.build_with(ids, plan, &Case::default());
        (built.result, built.lines)
    }

    fn build_with(&self, ids: &[&str], plan: &str, case: &Case) -> Built {
        let modules = Modules { buildpacks: self.path("buildpacks"), extensions: self.path("none") };
        let element = |id: &&str| GroupElement { id: (*id).into(), version: "1".into(), api: "0.12".into(), homepage: None };
        let extension = GroupElement { id: "ext".into(), version: "2".into(), api: "0.10".into(), homepage: None };
        let group = GroupDocument { group: ids.iter().map(element).collect(), extensions: vec![extension] };
        let (app, layers, platform, config) = (self.path("app"), self.path("layers"), self.path("platform"), self.path("config"));
        let own = case.environment.iter().map(|(name, value)| (name.into(), value.into()));
        let input = Input {
            modules: &modules,
            group: &group,
            plan: Plan::parse(plan).unwrap(),
            app: &app,
            layers: &layers,
            platform: &platform,
            build_config: &config,
            target: &case.target,
            exec_env: "production",
            environment: Environment::for_build(std::iter::once(("PATH".into(), "/usr/bin:/bin".into())).chain(own)),
            platform_api: Api::new(0, case.platform_api),
        };
        let (lines, warnings) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let log = |level, line: &str| {
            if level == Level::Warning {
                warnings.lock().unwrap().push(line.to_string());
            }
        };
        let result = build(input, &log, &mut |line| lines.lock().unwrap().push(line.to_string()));
        Built { result, lines: lines.into_inner().unwrap(), warnings: warnings.into_inner().unwrap() }
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| format!("{path}: {error}"))
    }
}

struct Case {
    platform_api: u64,
    environment: Vec<(&'static str, &'static str)>,
    target: Target,
}

impl Default for Case {
    fn default() -> Self {
        let target = Target { os: "linux".into(), arch: "amd64".into(), ..Target::default() };
        Self { platform_api: 15, environment: vec![], target }
    }
}

struct Built {
    result: Result<BuildMetadata>,
    lines: Vec<String>,
    warnings: Vec<String>,
}

/// The failure with its causes, in one line; empty where there is none.
fn why<T>(result: Result<T>) -> String {
    let error = result.err();
    error.map(|error| std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ")).unwrap_or_default()
}

/// BLD-02, BLD-03, BLD-04, BLD-05, BLD-07, BLD-08, BLD-10, BLD-13, ENV-04, EXIT-21.
#[test]
fn buildpacks_run_in_order_and_see_earlier_layers() {
    let first = "mkdir -p $CNB_LAYERS_DIR/tool/bin $CNB_LAYERS_DIR/tool/env.build $CNB_LAYERS_DIR/gone\nprintf '[types]\\nbuild = true\\n' > $1/tool.toml\ntouch $1/gone.toml\nprintf v > $1/tool/env.build/VALUE\nprintf '#!/bin/sh\\necho tool' > $1/tool/bin/tool; chmod +x $1/tool/bin/tool\nprintf '[[unmet]]\\nname = \"y\"\\n' > $1/build.toml\ngrep -c entries $CNB_BP_PLAN_PATH";
    let second = "tool; echo $VALUE >&2; cat $3; echo ${CNB_REGISTRY_AUTH:-none} $CNB_TARGET_ARCH $(basename $CNB_LAYERS_DIR)";
    let world = World::new(&[("a", first), ("b", second)]);
    let entry = |name: &str| {
        format!("[[entries]]\n[[entries.providers]]\nid = 'a'\n[[entries.providers]]\nid = 'b'\n[[entries.requires]]\nname = '{name}'\n")
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
    let b = "printf '[[processes]]\\ntype = \"web\"\\ncommand = [\"b\"]\\n[[labels]]\\nkey = \"k\"\\nvalue = \"b\"\\n' > $1/launch.toml";
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
