use super::*;
use crate::buildpack::{Modules, Target};
use launcher::environment::Environment;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

/// Extensions, and folders for what they write.
struct World {
    folder: tempfile::TempDir,
    api: Api,
    extensions: Vec<Descriptor>,
}

/// What was generated, or the exit code and the messages; and what was said.
type Outcome = (Result<(Plan, Analyzed), (u8, String)>, Vec<String>);

impl World {
    fn new(minor: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["app", "platform/env", "config", "extensions"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("platform/env/USERS"), "1").unwrap();
        Self { folder, api: Api::new(0, minor), extensions: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Adds an extension whose `bin/generate` is `script`, or one without the program.
    fn extension(mut self, id: &str, script: Option<&str>) -> Self {
        let folder = self.path("extensions").join(escape_id(id)).join("1");
        fs::create_dir_all(folder.join("bin")).unwrap();
        let text = format!("api = \"0.12\"\n[extension]\nid = \"{id}\"\nversion = \"1\"\n");
        fs::write(folder.join("extension.toml"), text).unwrap();
        if let Some(script) = script {
            fs::write(folder.join("bin/generate"), format!("#!/bin/sh\nset -e\ncd \"$CNB_OUTPUT_DIR\"\n{script}\n")).unwrap();
            fs::set_permissions(folder.join("bin/generate"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let modules = Modules { buildpacks: self.path("buildpacks"), extensions: self.path("extensions") };
        self.extensions.push(modules.find(buildpack::Kind::Extension, id, "1").unwrap());
        self
    }

    fn generate(&self, plan: &str) -> Outcome {
        let analyzed = Analyzed::parse(
            "[run-image]\nreference = 'r.test/run@sha256:1'\nimage = 'r.test/run'\n[run-image.target]\nos = 'linux'\narch = 'x'\n",
        );
        self.generate_from(plan, analyzed.unwrap(), "linux")
    }

    fn generate_from(&self, plan: &str, analyzed: Analyzed, os: &str) -> Outcome {
        let target = Target { os: os.into(), arch: "amd64".into(), ..Target::default() };
        let environment = Environment::for_build([("PATH".into(), std::env::var_os("PATH").unwrap())].into_iter());
        let (app, platform, build_config) = (self.path("app"), self.path("platform"), self.path("config"));
        let detect = DetectInput {
            app: &app,
            platform: &platform,
            build_config: &build_config,
            environment: &environment,
            target: &target,
            exec_env: "production",
        };
        let offered = RunImages::parse("[[images]]\nimage = 'r.test/run'\n[[images]]\nimage = 'r.test/known'\n").unwrap();
        let input = Input {
            extensions: &self.extensions,
            detect: &detect,
            generated: &self.path("generated"),
            platform_api: self.api,
            offered: &offered,
        };
        let said = Mutex::new(Vec::new());
        let log = |level: Level, line: &str| {
            if level != Level::Debug {
                said.lock().unwrap().push(line.to_string());
            }
        };
        let mut line = |line: &str| said.lock().unwrap().push(line.to_string());
        let generated = generate(&input, Plan::parse(plan).unwrap(), analyzed, &log, &mut line);
        let generated = generated
            .map_err(|error| (error.exit_code(), std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ")));
        (generated, said.into_inner().unwrap())
    }

    fn tree(&self) -> Vec<String> {
        let root = self.path("generated");
        let files = walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().map(|entry| entry.unwrap());
        let files = files.filter(|entry| !entry.file_type().is_dir());
        files.map(|entry| entry.path().strip_prefix(&root).unwrap().display().to_string()).collect()
    }
}

const BUILD: &str = "printf 'ARG base_image\\nFROM ${base_image}\\nRUN x\\n' > build.Dockerfile";
const RUN: &str = "printf 'ARG base_image\\nFROM ${base_image}\\nRUN x\\n' > run.Dockerfile";

/// GEN-01, GEN-02, GEN-03, GEN-04, GEN-21, DET-43.
#[test]
fn an_extension_sees_its_plan_and_what_it_met_is_gone() {
    let seen = r#"cat "$3"; echo "$1 $CNB_OUTPUT_DIR|$2 $CNB_PLATFORM_DIR|$CNB_BP_PLAN_PATH|$3" >&2; cd "$OLDPWD"; echo "$PWD $CNB_EXTENSION_DIR $CNB_TARGET_OS $CNB_EXEC_ENV $USERS""#;
    let world = World::new(15).extension("a/x", Some(seen)).extension("b", Some("cat $CNB_BP_PLAN_PATH"));
    let provider = |id: &str| format!("[[entries.providers]]\nid = '{id}'\nversion = '1'\nextension = true\n");
    let plan = format!(
        "[[entries]]\n{}{}[[entries.requires]]\nname = 'one'\n[[entries]]\n[[entries.providers]]\nid = 'c'\nversion = '1'\n[[entries.requires]]\nname = 'two'\n",
        provider("a/x"),
        provider("b")
    );
    let (generated, said) = world.generate(&plan);
    let plan = generated.unwrap().0;
    assert_eq!(plan.entries.len(), 1);
    assert_eq!(plan.entries[0].requires[0].name, "two");
    let output = world.path("generated/a_x").display().to_string();
    let platform = world.path("platform").display().to_string();
    assert_eq!(said.iter().filter(|line| line.contains("name = \"one\"")).count(), 1, "{said:?}");
    let line = said.iter().find(|line| line.starts_with(&output)).unwrap();
    let fields: Vec<&str> = line.split('|').collect();
    assert_eq!((fields[0], fields[1]), (format!("{output} {output}").as_str(), format!("{platform} {platform}").as_str()));
    assert_eq!(fields[2], fields[3]);
    let folder = world.path("extensions/a_x/1").display().to_string();
    assert!(said.contains(&format!("{} {folder} linux production 1", world.path("app").display())), "{said:?}");
}

/// GEN-05, GEN-06, GEN-07, GEN-08, GEN-13.
#[test]
fn the_tree_is_as_the_platform_wants_it() {
    let more = format!("{BUILD}; {RUN}; mkdir context.build; touch context.build/f; echo > extend-config.toml");
    let switch = "printf 'FROM r.test/known\\n' > run.Dockerfile";
    for (minor, expected) in [
        (
            13,
            vec![
                "a_x/build.Dockerfile",
                "a_x/context.build/f",
                "a_x/extend-config.toml",
                "a_x/run.Dockerfile.ignore",
                "b/run.Dockerfile",
                "ready/build.Dockerfile",
            ],
        ),
        (
            12,
            vec![
                "build/a_x/Dockerfile",
                "build/a_x/extend-config.toml",
                "build/ready/Dockerfile",
                "run/a_x/Dockerfile.ignore",
                "run/a_x/extend-config.toml",
                "run/b/Dockerfile",
            ],
        ),
    ] {
        let world = World::new(minor).extension("a/x", Some(&more)).extension("b", Some(switch)).extension("ready", None);
        let ready = world.path("extensions/ready/1/generate");
        fs::create_dir(&ready).unwrap();
        fs::write(ready.join("build.Dockerfile"), "ARG base_image\nFROM ${base_image}\nRUN x\n").unwrap();
        let (generated, said) = world.generate("");
        assert!(generated.is_ok(), "{generated:?} {said:?}");
        assert_eq!(world.tree(), expected, "{minor}");
    }
}

/// GEN-12, GEN-13, GEN-14, GEN-15, GEN-16, GEN-17.
#[test]
fn the_last_switch_decides() {
    let image = |minor: u64, dockerfiles: &[&str]| {
        let mut world = World::new(minor);
        for (number, text) in dockerfiles.iter().enumerate() {
            world = world.extension(&format!("e{number}"), Some(&format!("printf '{text}' > run.Dockerfile")));
        }
        let (generated, said) = world.generate("");
        let image = generated.unwrap().1.run_image.unwrap();
        (format!("{} {} {}", image.image, image.reference, image.extend), image.target.is_some(), said)
    };
    let same = "ARG base_image\\nFROM ${base_image}\\n";
    let extend = format!("{same}RUN x\\n");
    let warning = vec!["new runtime base image 'other' not found in run metadata".to_string()];
    assert_eq!(image(15, &[same]), ("r.test/run r.test/run@sha256:1 false".into(), true, vec![]));
    assert_eq!(image(15, &[&extend]), ("r.test/run r.test/run@sha256:1 true".into(), true, vec![]));
    assert_eq!(image(15, &["FROM other"]), ("other other false".into(), false, warning.clone()));
    assert_eq!(image(15, &["FROM other\\nUSER x\\n"]), ("other other true".into(), false, warning.clone()));
    assert_eq!(image(15, &[&extend, "FROM r.test/known"]), ("r.test/known r.test/known false".into(), false, vec![]));
    assert_eq!(image(15, &["FROM x", "FROM r.test/known", &extend]), ("r.test/known r.test/known true".into(), false, vec![]));
    assert_eq!(image(15, &["FROM r.test/run"]), ("r.test/run r.test/run@sha256:1 false".into(), true, vec![]));
    assert!(!image(11, &["FROM r.test/run"]).1);
}

/// EXIT-07, GEN-01, GEN-09, GEN-10, GEN-19, GEN-20.
#[test]
fn what_goes_wrong_has_its_exit_code() {
    for (script, code, message) in [
        ("exit 3", 91, "the extension `bad@1` failed"),
        ("echo FROM x > build.Dockerfile", 92, "build.Dockerfile did not start with required ARG command"),
        ("printf 'FROM x\\nFROM y\\n' > run.Dockerfile", 92, "run.Dockerfile is not permitted to use multistage build"),
        ("printf 'FROM x\\nNOPE\\n' > run.Dockerfile", 92, "line 2: unknown instruction 'NOPE'"),
        ("printf '[[run.args]]\\nname = \"user_id\"\\n' > extend-config.toml", 92, "arg with name \"user_id\" is not allowed"),
        ("echo '[' > extend-config.toml", 92, "reading extend config"),
        ("mkdir context context.run", 92, "a context for one image only"),
        ("ln -s /etc/passwd run.Dockerfile", 92, "it is a symbolic link"),
    ] {
        let world = World::new(15).extension("bad", Some(script)).extension("after", Some("echo reached"));
        let (generated, said) = world.generate("");
        let (found, text) = generated.unwrap_err();
        assert_eq!(found, code, "{script}: {text}");
        assert!(text.contains(message), "{script}: {text}");
        assert_eq!(said.contains(&"reached".to_string()), code == 92 && !text.contains("bad"), "{said:?}");
    }
    let allowed = "printf '[[run.args]]\\nname = \"base_image\"\\nvalue = \"x\"\\n' > extend-config.toml; mkdir context.build context.run";
    assert!(World::new(15).extension("good", Some(allowed)).generate("").0.is_ok());
}

/// GEN-18, GEN-22.
#[test]
fn windows_is_refused_and_unknown_keys_are_not() {
    let world = World::new(15).extension("e", Some("echo reached"));
    let (generated, said) = world.generate_from("", Analyzed::default(), "windows");
    assert_eq!((generated.unwrap_err().0, said), (92, vec![]));
    let analyzed = Analyzed::parse("[build-image]\nreference = 'x'\nextend = true\n").unwrap();
    let (generated, _) = world.generate_from("", analyzed, "linux");
    assert_eq!(generated.unwrap().1.build_image.as_deref(), Some("x"));
}
