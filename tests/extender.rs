//! The extender as a program, as root in a container of the image that it extends: a mount namespace whose root is an overlay of the
//! composed build image, with volumes as platforms mount them.

use crate::support::{Machine, cooper, run, succeed};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Volumes of a container, and the image that it is of.
struct Container {
    folder: tempfile::TempDir,
    lower: PathBuf,
    layers: usize,
}

/// Makes the container and starts the extender in it.
const SCRIPT: &str = r#"
cd "$1"; lower=$2; program=$3; shift 3
mkdir -p up work root kaniko layers app platform/env
mount -t overlay overlay -o "lowerdir=$lower,upperdir=up,workdir=work,userxattr" root
cd root
mkdir -p proc dev sys tmp kaniko layers workspace platform cnb/lifecycle cnb/buildpacks opt
touch cnb/lifecycle/extender
mount -t proc proc proc
mount --bind /dev/null dev/null 2>/dev/null || { touch dev/null; mount --bind /dev/null dev/null; }
for pair in kaniko:kaniko layers:layers app:workspace platform:platform buildpacks:cnb/buildpacks; do
  mount --bind "../${pair%%:*}" "${pair##*:}"
done
mount --bind "$program" cnb/lifecycle/extender
exec chroot . /cnb/lifecycle/extender "$@"
"#;

impl Container {
    fn new(dockerfiles: &[(&str, &str)]) -> Self {
        let machine = Machine::shared();
        machine.prepare();
        let (manifest, config, lower) = build_image(&machine);
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let container = Self { folder, lower, layers: document(&machine, &manifest)["layers"].as_array().unwrap().len() };
        let base = container.path("kaniko/cache/base").join(&manifest);
        fs::create_dir_all(base.join("blobs/sha256")).unwrap();
        for digest in [&manifest, &config] {
            fs::copy(machine.store.join("blobs/sha256").join(&digest[7..]), base.join("blobs/sha256").join(&digest[7..])).unwrap();
        }
        let descriptor = serde_json::json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1, "digest": manifest });
        fs::write(base.join("index.json"), serde_json::json!({ "schemaVersion": 2, "manifests": [descriptor] }).to_string()).unwrap();
        let generated = container.path("layers/generated/acme_ext");
        for folder in [&generated.join("context.run"), &container.path("app"), &container.path("buildpacks/acme_bp/1/bin")] {
            fs::create_dir_all(folder).unwrap();
        }
        for (name, text) in dockerfiles {
            fs::write(generated.join(name), text).unwrap();
        }
        let reference = format!("reference = \"r.test/base@{manifest}\"\n");
        fs::write(container.path("layers/analyzed.toml"), format!("[build-image]\n{reference}[run-image]\n{reference}extend = true\n"))
            .unwrap();
        let group =
            "[[group]]\nid = 'acme/bp'\nversion = '1'\napi = '0.10'\n[[group-extensions]]\nid = 'acme/ext'\nversion = '1'\napi = '0.10'\n";
        fs::write(container.path("layers/group.toml"), group).unwrap();
        fs::write(container.path("layers/plan.toml"), "").unwrap();
        container
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn extend(&self, arguments: &[&str]) -> Output {
        self.start(arguments, &[("container", "test")])
    }

    fn start(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--fork", "sh", "-e", "-c", SCRIPT, "sh"]);
        command.arg(self.folder.path()).arg(&self.lower).arg(cooper()).args(["-no-color", "-uid", "1001", "-gid", "1000"]).args(arguments);
        command.env_clear().env("CNB_PLATFORM_API", "0.15").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(environment.iter().copied());
        run(&mut command)
    }

    /// The only image that the extender left, with the folder of its layout.
    fn extended(&self) -> (PathBuf, Value, Value) {
        let all: Vec<PathBuf> = fs::read_dir(self.path("layers/extended/run")).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(all.len(), 1);
        let read =
            |digest: &str| -> Value { serde_json::from_slice(&fs::read(all[0].join("blobs/sha256").join(&digest[7..])).unwrap()).unwrap() };
        let index: Value = serde_json::from_slice(&fs::read(all[0].join("index.json")).unwrap()).unwrap();
        let manifest = read(index["manifests"][0]["digest"].as_str().unwrap());
        let config = read(manifest["config"]["digest"].as_str().unwrap());
        (all[0].clone(), manifest, config)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(Command::new("chmod").args(["-R", "u+rwx"]).arg(self.folder.path()).status());
    }
}

fn document(machine: &Machine, digest: &str) -> Value {
    serde_json::from_slice(&fs::read(machine.store.join("blobs/sha256").join(&digest[7..])).unwrap()).unwrap()
}

/// Digests of the composed build image's manifest and configuration, and its unpacked layer.
fn build_image(machine: &Machine) -> (String, String, PathBuf) {
    let index: Value = serde_json::from_slice(&fs::read(machine.store.join("index.json")).unwrap()).unwrap();
    let named = |entry: &&Value| {
        let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap_or_default();
        let digest = entry["digest"].as_str().unwrap();
        name.contains("cooper/trixie-build:") && document(machine, digest)["layers"].as_array().unwrap().len() == 1
    };
    let manifest = index["manifests"].as_array().unwrap().iter().find(named).unwrap()["digest"].as_str().unwrap().to_string();
    let config = document(machine, &manifest)["config"]["digest"].as_str().unwrap().to_string();
    let tar = document(machine, &config)["rootfs"]["diff_ids"][0].as_str().unwrap()[7..].to_string();
    let places = [format!("{tar}.owned"), tar].map(|name| machine.store.join("layers").join(name).join("tree"));
    (manifest, config, places.into_iter().find(|place| place.is_dir()).expect("the build image is unpacked"))
}

/// The members of a layer, owner before each.
fn members(layout: &Path, manifest: &Value, number: usize) -> BTreeMap<String, String> {
    let digest = manifest["layers"][number]["digest"].as_str().unwrap();
    let listed = succeed(Command::new("tar").args(["--numeric-owner", "-tvzf"]).arg(layout.join("blobs/sha256").join(&digest[7..])));
    let fields = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>();
    listed.lines().map(fields).map(|fields| (fields[5..].join(" "), format!("{} {}", fields[0], fields[1]))).collect()
}

/// `cap_net_bind_service` in the form of `security.capability`.
const CAPABILITY: [u8; 20] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The members of a layer that have those capabilities.
fn capable(blob: &Path) -> Vec<String> {
    let mut tar = tar::Archive::new(flate2::read::MultiGzDecoder::new(fs::File::open(blob).unwrap()));
    let mut found = Vec::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut records = entry.pax_extensions().unwrap().into_iter().flatten().map(Result::unwrap);
        if records.any(|record| record.key_bytes() == b"SCHILY.xattr.security.capability" && record.value_bytes() == CAPABILITY) {
            found.push(path);
        }
    }
    found
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

const RUN: &str = r#"ARG base_image
FROM ${base_image}
ARG build_id
ARG user_id
ARG group_id
ARG GIVEN
USER root
RUN <<EOF
echo "$user_id|$group_id|$GIVEN" > /opt/args
mkdir /opt/new
echo x > /opt/new/file
ln /opt/new/file /opt/new/again
chown 7:8 /opt/new/file
rm /usr/bin/wc
rm -r /usr/share/base-files
touch /workspace/not /layers/not /platform/not /kaniko/not /tmp
EOF
COPY --chown=1000:1000 file /opt/copied
WORKDIR /opt/empty
RUN echo $build_id > /opt/id; cp --preserve=all /opt/copied /opt/capable
USER ${user_id}:${group_id}
LABEL io.buildpacks.rebasable=true
"#;

/// EXT-01, EXT-02, EXT-03, EXT-04, EXT-05, EXT-06, EXT-07, EXT-08, EXT-11, EXT-12, EXT-13, EXT-15, IN-33, EXP-04.
#[test]
fn the_run_image_is_extended_in_its_container() {
    let config = "[[run.args]]\nname = 'GIVEN'\nvalue = 'by the extension'\n[[build.args]]\nname = 'GIVEN'\nvalue = 'no'\n";
    let files = [("run.Dockerfile", RUN), ("build.Dockerfile", "broken"), ("extend-config.toml", config), ("context.run/file", "f")];
    let container = Container::new(&files);
    let context = container.path("layers/generated/acme_ext/context.run/file");
    rustix::fs::setxattr(context, "security.capability", &CAPABILITY, rustix::fs::XattrFlags::empty()).unwrap();
    let output = container.extend(&["-kind", "run"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(!text(&output).contains("Using cache"), "{}", text(&output));
    let (layout, manifest, config) = container.extended();
    let layers = manifest["layers"].as_array().unwrap();
    assert_eq!(layers.len(), container.layers + 4);
    let blobs = fs::read_dir(layout.join("blobs/sha256")).unwrap().count();
    assert_eq!(blobs, 4 + 2, "the layers of the base are not there");
    let first = members(&layout, &manifest, container.layers);
    let expected = [
        ("opt/args", "-rw-r--r-- 0/0"),
        ("opt/new", "drwxr-xr-x 0/0"),
        ("opt/new/again", "-rw-r--r-- 7/8"),
        ("opt/new/file link to opt/new/again", "hrw-r--r-- 7/8"),
        ("usr/bin/.wh.wc", "---------- 0/0"),
        ("usr/share/.wh.base-files", "---------- 0/0"),
    ];
    for (path, owner) in expected {
        assert_eq!(first.get(path).map(String::as_str), Some(owner), "{path}: {first:#?}");
    }
    let forbidden = ["workspace", "layers", "platform", "kaniko", "proc", "cnb", "dev"];
    assert!(first.keys().all(|path| !forbidden.iter().any(|name| path.starts_with(name))), "{first:#?}");
    let second = members(&layout, &manifest, container.layers + 1);
    assert_eq!(second.get("opt/copied").unwrap(), "-rw-r--r-- 1000/1000");
    let blob = |number: usize| layout.join("blobs/sha256").join(&layers[number]["digest"].as_str().unwrap()[7..]);
    assert_eq!(capable(&blob(container.layers)), [""; 0]);
    assert_eq!(capable(&blob(container.layers + 1)), ["opt/copied"]);
    assert_eq!(capable(&blob(container.layers + 3)), ["opt/capable"]);
    let arguments = succeed(Command::new("tar").arg("-xzOf").arg(blob(container.layers)).arg("opt/args"));
    let user = config["config"]["User"].as_str().unwrap().replace(':', "|");
    assert_eq!(arguments, format!("{user}|by the extension\n"));
    assert_eq!(config["config"]["Labels"]["io.buildpacks.rebasable"], "true");
    assert_eq!(config["created"], "0001-01-01T00:00:00Z");
    let history = &config["history"].as_array().unwrap()[container.layers + 1]["created_by"];
    assert_eq!(history, "Layer: 'COPY --chown=1000:1000 file /opt/copied', Created by extension: acme/ext");

    // Another container of the same image.
    for folder in ["layers/extended", "up", "work"] {
        fs::remove_dir_all(container.path(folder)).unwrap();
    }
    let again = container.extend(&["-kind", "run"]);
    assert!(again.status.success(), "{}", text(&again));
    assert_eq!(text(&again).matches("Using cache").count(), 3, "{}", text(&again));
    let layers_again = container.extended().1["layers"].as_array().unwrap().clone();
    assert_eq!(layers_again[..container.layers + 3], layers[..container.layers + 3]);
    assert_ne!(layers_again.last(), layers.last());
    assert!(container.path("up/opt/new/again").is_file(), "what was cached is in the container");

    for folder in ["layers/extended", "up", "work"] {
        fs::remove_dir_all(container.path(folder)).unwrap();
    }
    let expired = container.extend(&["-kind", "run", "-kaniko-cache-ttl", "0"]);
    assert!(expired.status.success() && !text(&expired).contains("Using cache"), "{}", text(&expired));
}

/// EXT-09, EXT-10.
#[test]
fn the_build_image_is_extended_and_the_build_runs_in_it() {
    let dockerfile = "ARG base_image\nFROM ${base_image}\nUSER root\nENV CNB_STACK_ID=a=b=c\nRUN echo made > /opt/made\nUSER 1001:1000\n";
    let container = Container::new(&[("build.Dockerfile", dockerfile)]);
    let buildpack = container.path("buildpacks/acme_bp/1");
    fs::write(buildpack.join("buildpack.toml"), "api = '0.10'\n[buildpack]\nid = 'acme/bp'\nversion = '1'\n").unwrap();
    let script = "#!/bin/sh\necho \"$(id -u):$(id -g) $CNB_STACK_ID $(cat /opt/made) $HOME\"\nexit ${FAIL:-0}\n";
    fs::write(buildpack.join("bin/build"), script).unwrap();
    fs::set_permissions(buildpack.join("bin/build"), fs::Permissions::from_mode(0o755)).unwrap();
    chown(container.path("layers"), Some(0), Some(0)).unwrap();
    let output = container.extend(&["-kind", "build"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("1001:1000 a=b=c made /home/"), "{}", text(&output));
    assert!(container.path("layers/config/metadata.toml").is_file());
    fs::create_dir_all(container.path("platform/env")).unwrap();
    fs::write(container.path("platform/env/FAIL"), "7").unwrap();
    let output = container.extend(&["-kind", "build"]);
    assert_eq!(output.status.code(), Some(51), "{}", text(&output));
}

/// EXIT-06, EXT-02, EXT-14, EXT-16, IN-32.
#[test]
fn an_extender_that_fails_says_why() {
    let container = Container::new(&[("run.Dockerfile", "ARG base_image\nFROM ${base_image}\nUSER root\nRUN exit 3\n")]);
    let refused = |output: Output, code: i32, expected: &str| {
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        assert!(text(&output).contains(expected), "{}", text(&output));
    };
    refused(container.extend(&["-kind", "foo"]), 3, "`foo` is no kind of image");
    refused(container.start(&["-kind", "run"], &[]), 102, "the extender should only be run inside of a container");
    refused(container.extend(&["-kind", "run"]), 102, "the command `/bin/sh -c exit 3` returned a non-zero code: 3");
    fs::write(container.path("layers/generated/acme_ext/run.Dockerfile"), "ARG base_image\nFROM ${base_image}\nUSER 0\n").unwrap();
    refused(container.extend(&["-kind", "run"]), 102, "the final user ID is 0 (root)");
    fs::write(container.path("layers/analyzed.toml"), "[run-image]\nreference = 'r.test/base:latest'\n").unwrap();
    refused(container.extend(&["-kind", "run"]), 102, "failed to get digest for reference 'r.test/base:latest'");
}
