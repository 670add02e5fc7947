//! A builder, an app and a run image, as a platform has them when it starts the phases one by one.

use crate::support::builder::HERE;
use crate::support::{Registry, cooper, succeed, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whom builds belong to; the system knows that user.
const USER: u32 = 65534;
const PHASES: [&str; 6] = ["analyzer", "detector", "restorer", "builder", "exporter", "creator"];
/// Leaves a layer of each kind; says what came back, and whether it sees a credential.
const BUILD: &str = r#"#!/bin/sh
set -e
app=$PWD
cd "$CNB_LAYERS_DIR"
echo "credentials: ${CNB_REGISTRY_AUTH-none}"
[ ! -f kept/file ] || echo "kept came back"
[ ! -f kept.sbom.cdx.json ] || echo "its SBOM came back"
mkdir -p kept tool data
[ -f kept/file ] || cp "$app/kept" kept/file
echo tool > tool/file
cp "$app/data" data/file
printf '[types]\ncache = true\n' > kept.toml
echo '{}' > kept.sbom.cdx.json
printf '[types]\ncache = true\nlaunch = true\n' > tool.toml
printf '[types]\nlaunch = true\n' > data.toml
printf '[[processes]]\ntype = "web"\ncommand = ["true"]\ndefault = true\n' > launch.toml
"#;

/// What a program said.
pub struct Ran {
    pub code: i32,
    pub said: String,
}

impl Ran {
    /// It ended as it should.
    pub fn well(self) -> String {
        assert_eq!(self.code, 0, "{}", self.said);
        self.said
    }
}

/// The folder of a build.
pub struct Bench {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// A registry with the run image `acme/run:1`, a builder that uses it, and the name of an app.
pub fn with_registry() -> (Registry, Bench, String) {
    let registry = Registry::start();
    push_run_image(&registry, "acme/run:1", "one", "oci");
    let bench = Bench::new(&[&registry.name("acme/run:1")]);
    let app = registry.name("team/app:1");
    (registry, bench, app)
}

impl Bench {
    /// A builder with one buildpack, whose run images are these.
    pub fn new(run_images: &[&str]) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() };
        fs::set_permissions(bench.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["app", "layers", "platform", "bin", "tmp"] {
            fs::create_dir(bench.path(name)).unwrap();
        }
        // The program is large, and on most machines in the same file system.
        if fs::hard_link(cooper(), bench.path("bin/lifecycle")).is_err() {
            fs::copy(cooper(), bench.path("bin/lifecycle")).unwrap();
        }
        fs::copy(env!("COOPER_LAUNCHER"), bench.path("bin/launcher")).unwrap();
        for name in PHASES.iter().chain(&["rebaser"]) {
            symlink("lifecycle", bench.path("bin").join(name)).unwrap();
        }
        let descriptor = "api = '0.12'\n[buildpack]\nid = 'acme/one'\nversion = '1'\nsbom-formats = ['application/vnd.cyclonedx+json']\n[[targets]]\nos = 'linux'\n";
        bench.write("buildpacks/acme_one/1/buildpack.toml", descriptor);
        bench.write("buildpacks/acme_one/1/bin/detect", "#!/bin/sh\n");
        bench.write("buildpacks/acme_one/1/bin/build", BUILD);
        bench.write("order.toml", "[[order]]\n[[order.group]]\nid = 'acme/one'\nversion = '1'\n");
        let (first, mirrors) = run_images.split_first().unwrap();
        bench.write("run.toml", &format!("[[images]]\nimage = '{first}'\nmirrors = {mirrors:?}\n"));
        bench.write("app/kept", &"something to keep ".repeat(1000));
        bench.write("app/data", "data");
        bench
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        write(&self.path(path), text);
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// A variable of all programs.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.into(), value.into()));
    }

    /// Starts a phase: the detector and the builder as the build's user, others as the tests' own.
    pub fn phase(&self, name: &str, arguments: &[&str]) -> Ran {
        let mut command = Command::new(self.path("bin").join(name));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", self.path("tmp")).stdin(Stdio::null());
        command.env("CNB_PLATFORM_API", "0.15").env("CNB_USER_ID", USER.to_string()).env("CNB_GROUP_ID", USER.to_string());
        for (variable, path) in [
            ("CNB_APP_DIR", "app"),
            ("CNB_LAYERS_DIR", "layers"),
            ("CNB_PLATFORM_DIR", "platform"),
            ("CNB_BUILDPACKS_DIR", "buildpacks"),
            ("CNB_ORDER_PATH", "order.toml"),
            ("CNB_RUN_PATH", "run.toml"),
        ] {
            command.env(variable, self.path(path));
        }
        command.envs(self.variables.iter().cloned());
        if ["exporter", "creator"].contains(&name) {
            command.arg("-launcher").arg(self.path("bin/launcher"));
        }
        let root = rustix::process::geteuid().is_root();
        if root && ["detector", "builder"].contains(&name) {
            command.uid(USER).gid(USER).env("HOME", "/");
        }
        if root {
            succeed(Command::new("chown").arg("-R").arg(format!("{USER}:{USER}")).args([
                self.path("layers"),
                self.path("app"),
                self.path("tmp"),
            ]));
        }
        let output = command.args(["-no-color", "-log-level", "debug"]).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Ran { code: output.status.code().unwrap(), said }
    }

    /// Starts a phase as root in a container of which the bench's folder is the root, with nothing but the Platform API and the user said.
    pub fn contained(&self, name: &str, arguments: &[&str]) -> Ran {
        fs::set_permissions(self.path("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        let mut command = Command::new("chroot");
        command.arg(self.path("")).arg(Path::new("/bin").join(name)).args(["-no-color", "-log-level", "debug"]).args(arguments);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("CNB_PLATFORM_API", "0.15");
        command.env("CNB_USER_ID", USER.to_string()).env("CNB_GROUP_ID", USER.to_string()).stdin(Stdio::null());
        let output = command.envs(self.variables.iter().cloned()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        Ran { code: output.status.code().unwrap(), said }
    }

    /// Runs the phases of a build on a new layers folder; what is given goes to those that know it.
    pub fn build(&self, image: &str, cache: &[&str]) -> String {
        self.clear();
        let mut said = self.phase("analyzer", &[image]).well();
        said += &self.phase("detector", &[]).well();
        said += &self.phase("restorer", cache).well();
        said += &self.phase("builder", &[]).well();
        said + &self.phase("exporter", &[cache, &[image]].concat()).well()
    }

    /// Empties the layers folder, as a platform does between builds.
    pub fn clear(&self) {
        fs::remove_dir_all(self.path("layers")).unwrap();
        fs::create_dir(self.path("layers")).unwrap();
    }

    /// What a TOML file says.
    pub fn toml(&self, path: &str) -> toml::Table {
        toml::from_str(&self.read(path)).unwrap()
    }
}

/// Puts a run image with one small layer into a registry; `text` makes it another one. Returns the digest of its layer's blob.
pub fn push_run_image(registry: &Registry, name: &str, text: &str, format: &str) -> String {
    push_image_for(HERE, registry, name, text, format)
}

/// The same for a processor.
pub fn push_image_for(architecture: &str, registry: &Registry, name: &str, text: &str, format: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let layer = write_layout_for(architecture, folder.path(), "etc/run-image", text);
    skopeo(
        registry,
        &["copy", "--quiet", "--format", format, "--dest-tls-verify=false"],
        &[&format!("oci:{}", folder.path().display()), &remote(registry, name)],
    );
    layer
}

/// Writes an image of one file as an OCI layout. Returns its layer's digest.
pub fn write_layout(folder: &Path, path: &str, text: &str) -> String {
    write_layout_for(HERE, folder, path, text)
}

fn write_layout_for(architecture: &str, folder: &Path, path: &str, text: &str) -> String {
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    let put = |bytes: &[u8], media_type: &str| {
        let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        fs::write(folder.join("blobs/sha256").join(&digest), bytes).unwrap();
        json!({ "mediaType": media_type, "size": bytes.len(), "digest": format!("sha256:{digest}") })
    };
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    let tar = tar.into_inner().unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&tar).unwrap();
    let layer = put(&gzip.finish().unwrap(), "application/vnd.oci.image.layer.v1.tar+gzip");
    let diff_id = put(&tar, "")["digest"].clone();
    let config = json!({
        "architecture": architecture, "os": "linux", "config": { "Env": ["PATH=/usr/bin:/bin"], "User": "1000:1000" },
        "rootfs": { "type": "layers", "diff_ids": [diff_id] }, "history": [{ "created_by": "a test" }],
    });
    let config = put(config.to_string().as_bytes(), "application/vnd.oci.image.config.v1+json");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer] });
    let manifest = put(manifest.to_string().as_bytes(), media_type);
    let index = json!({ "schemaVersion": 2, "manifests": [manifest] });
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    layer["digest"].as_str().unwrap().to_string()
}

/// The manifest that a registry has under a name, and the digest of its bytes.
pub fn manifest(registry: &Registry, name: &str) -> (Value, String) {
    let text = skopeo(registry, &["inspect", "--raw", "--tls-verify=false"], &[&remote(registry, name)]);
    let digest: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    (serde_json::from_str(&text).unwrap(), format!("sha256:{digest}"))
}

/// The configuration of an image.
pub fn config(registry: &Registry, name: &str) -> Value {
    let text = skopeo(registry, &["inspect", "--config", "--raw", "--tls-verify=false"], &[&remote(registry, name)]);
    serde_json::from_str(&text).unwrap()
}

fn remote(registry: &Registry, name: &str) -> String {
    format!("docker://{}", registry.name(name))
}

fn skopeo(registry: &Registry, options: &[&str], places: &[&str]) -> String {
    let mut command = Command::new("skopeo");
    command.args(options);
    if let Some((user, password)) = registry.password() {
        command.arg(if options[0] == "copy" { "--dest-creds" } else { "--creds" }).arg(format!("{user}:{password}"));
    }
    succeed(command.args(places))
}

/// Uploads of blobs among what a registry was asked.
pub fn uploads(requests: &[String]) -> Vec<&String> {
    requests.iter().filter(|request| request.starts_with("PUT ") && request.contains("/blobs/uploads/")).collect()
}

/// Where a registry keeps a blob.
pub fn blob_path(registry: &Registry, digest: &str) -> PathBuf {
    let hex = &digest["sha256:".len()..];
    registry.data().join("blobs/sha256").join(&hex[..2]).join(hex).join("data")
}

/// Whether a path is there.
pub fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
