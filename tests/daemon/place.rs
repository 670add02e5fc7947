//! A builder, an app and an engine.

use crate::reference::programs::{Programs, USER};
use crate::support::{Engine, run, succeed, write};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const BUILD: &str = r#"#!/bin/sh
set -eu
printf '[types]\nlaunch = true\n' > "$1/settings.toml"
mkdir -p "$1/settings"
cp "$CNB_BUILDPACK_DIR/settings" "$1/settings/file"
# Made once; later builds only say that they want it again.
[ -f "$1/tool.toml" ] || { mkdir "$1/tool"; echo tool > "$1/tool/file"; }
printf '[types]\nlaunch = true\n[metadata]\nversion = "1"\n' > "$1/tool.toml"
printf '{}' > "$1/tool.sbom.cdx.json"
printf '[[processes]]\ntype = "web"\ncommand = ["tool"]\ndefault = true\n' > "$1/launch.toml"
sleep "$(cat "$CNB_BUILDPACK_DIR/seconds")"
"#;
const DESCRIPTOR: &str =
    "api = \"0.12\"\n[buildpack]\nid = \"test/x\"\nversion = \"1\"\nsbom-formats = [\"application/vnd.cyclonedx+json\"]\n";

/// A builder with one buildpack, an app, and an engine with a run image.
pub struct Place {
    pub folder: tempfile::TempDir,
    pub engine: &'static Engine,
    /// What the names of its images begin with.
    pub name: &'static str,
}

impl Place {
    pub fn new(name: &'static str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), engine: Engine::shared(), name };
        fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for folder in ["layers", "cache", "launch-cache", "tmp", "platform", "cnb/build-config", "cnb/extensions"] {
            fs::create_dir_all(place.path(folder)).unwrap();
        }
        place.write("app/main.txt", "hello\n");
        place.write("cnb/order.toml", "[[order]]\n[[order.group]]\nid = \"test/x\"\nversion = \"1\"\n");
        place.write("cnb/run.toml", &format!("[[images]]\nimage = \"{name}-run\"\n"));
        place.buildpack("buildpack.toml", DESCRIPTOR);
        place.buildpack("bin/detect", "#!/bin/sh\n");
        place.buildpack("bin/build", BUILD);
        place.buildpack("settings", "one\n");
        place.buildpack("seconds", "0\n");
        place.import_run_image("first");
        succeed(Command::new("chown").arg("-R").arg(USER.to_string()).arg(place.folder.path()));
        place
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        write(&self.path(path), text);
    }

    pub fn buildpack(&self, path: &str, text: &str) {
        self.write(&format!("cnb/buildpacks/test_x/1/{path}"), text);
    }

    pub fn import_run_image(&self, release: &str) {
        let labels = "LABEL io.buildpacks.base.distro.name=test io.buildpacks.base.release=";
        let instructions = ["ENV PATH=/usr/bin:/bin", &format!("{labels}{release}")];
        self.engine.import(&format!("{}-run", self.name), &[("etc/release", release), ("etc/name", self.name)], &instructions);
    }

    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(Programs::ours().program(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", self.path("tmp")).current_dir("/").stdin(Stdio::null());
        for (variable, path) in [
            ("CNB_APP_DIR", "app"),
            ("CNB_LAYERS_DIR", "layers"),
            ("CNB_PLATFORM_DIR", "platform"),
            ("CNB_BUILDPACKS_DIR", "cnb/buildpacks"),
            ("CNB_EXTENSIONS_DIR", "cnb/extensions"),
            ("CNB_BUILD_CONFIG_DIR", "cnb/build-config"),
            ("CNB_ORDER_PATH", "cnb/order.toml"),
            ("CNB_RUN_PATH", "cnb/run.toml"),
            ("CNB_CACHE_DIR", "cache"),
        ] {
            command.env(variable, self.path(path));
        }
        command.env("CNB_PLATFORM_API", "0.15").env("DOCKER_HOST", self.engine.host()).env("CNB_NO_COLOR", "true");
        command.env("CNB_USER_ID", USER.to_string()).env("CNB_GROUP_ID", USER.to_string());
        if ["exporter", "creator"].contains(&program) {
            command.arg("-launcher").arg(Programs::ours().program("launcher"));
        }
        if ["detector", "builder"].contains(&program) {
            command.uid(USER).gid(USER);
        } else {
            command.arg("-daemon");
        }
        command.args(arguments);
        command
    }

    /// The name of an image of this place.
    pub fn image(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    /// Builds the app by `creator` with empty layers, as a platform does.
    pub fn create(&self, arguments: &[&str]) -> String {
        succeed(Command::new("rm").arg("-rf").arg(self.path("layers")));
        fs::create_dir(self.path("layers")).unwrap();
        succeed(self.command("creator", arguments).arg(self.image("app")))
    }

    pub fn document(&self, path: &str) -> toml::Table {
        toml::from_str(&fs::read_to_string(self.path(path)).unwrap()).unwrap()
    }

    pub fn id(&self, name: &str) -> String {
        self.engine.inspect(&self.image(name), "{{.Id}}").trim_start_matches("sha256:").to_string()
    }

    pub fn layers(&self, name: &str) -> Vec<String> {
        self.engine.inspect(&self.image(name), "{{range .RootFS.Layers}}{{.}} {{end}}").split_whitespace().map(str::to_string).collect()
    }

    pub fn label(&self, name: &str, label: &str) -> String {
        self.engine.inspect(&self.image(name), &format!("{{{{index .Config.Labels {label:?}}}}}"))
    }

    /// What the label says of the layer `tool`.
    pub fn tool(&self) -> String {
        let label: serde_json::Value = serde_json::from_str(&self.label("app", "io.buildpacks.lifecycle.metadata")).unwrap();
        label["buildpacks"][0]["layers"]["tool"]["sha"].as_str().unwrap().to_string()
    }

    /// A file of an image.
    pub fn file(&self, name: &str, path: &str) -> String {
        let container = succeed(&mut self.engine.docker(&["create", &self.image(name)]));
        let target = self.path("tmp/file");
        let copied = run(self.engine.docker(&["cp", &format!("{}:{path}", container.trim())]).arg(&target));
        succeed(&mut self.engine.docker(&["rm", container.trim()]));
        assert!(copied.status.success(), "{path}: {}", String::from_utf8_lossy(&copied.stderr));
        fs::read_to_string(target).unwrap()
    }

    /// Whether the engine was asked for the whole of an image.
    pub fn was_saved(&self, id: &str) -> bool {
        self.engine.log().contains(&format!("images/sha256:{id}/get"))
    }

    pub fn cached(&self) -> Vec<String> {
        let folder = fs::read_dir(self.path("launch-cache/committed")).unwrap();
        let mut names: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}
