//! The programs that are compared: ours, and the reference's where `PEER_LIFECYCLE` names a folder with its programs `lifecycle` and
//! `launcher`.

use super::case::{Case, Step, write};
use super::extended;
use crate::support::cooper;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The user that programs run as where the tests run as root. `creator` wants one that the system knows.
pub const USER: u32 = 65534;
const PHASES: [&str; 8] = ["analyzer", "detector", "restorer", "builder", "exporter", "creator", "rebaser", "lifecycle"];
/// What a build consists of.
const BUILD: [&str; 5] = ["analyzer", "detector", "restorer", "builder", "exporter"];

/// Where a set of programs is.
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    /// Ours.
    pub fn ours() -> &'static Self {
        static OURS: OnceLock<Programs> = OnceLock::new();
        OURS.get_or_init(|| Self::gather("ours", cooper(), Path::new(env!("COOPER_LAUNCHER"))))
    }

    /// The reference's, where there are any.
    pub fn of_the_peer() -> Option<&'static Self> {
        static PEER: OnceLock<Option<Programs>> = OnceLock::new();
        let gather = || {
            let folder = PathBuf::from(std::env::var_os("PEER_LIFECYCLE")?);
            Some(Self::gather("peer", &folder.join("lifecycle"), &folder.join("launcher")))
        };
        PEER.get_or_init(gather).as_ref()
    }

    /// Other users must reach the programs, which a build's own folder may not allow.
    fn gather(whose: &str, lifecycle: &Path, launcher: &Path) -> Self {
        fs::create_dir_all(super::base()).unwrap();
        forget_ended_runs();
        let folder = super::base().join(format!(".{whose}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (name, source) in [(".program", lifecycle), ("launcher", launcher)] {
            if fs::hard_link(source, folder.join(name)).is_err() {
                fs::copy(source, folder.join(name)).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
            }
        }
        for name in PHASES {
            symlink(".program", folder.join(name)).unwrap();
        }
        Self { folder }
    }

    /// One program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Starts one program of a step; names of images begin with `prefix`.
    pub fn start(&self, case: &Case, step: &Step, name: &str, folder: &Path, prefix: &str) -> Output {
        let mut command = Command::new(self.folder.join(name));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", folder.join("tmp")).current_dir(folder).stdin(Stdio::null());
        let api = step.api.as_ref().unwrap_or(&case.api);
        if !api.is_empty() {
            command.env("CNB_PLATFORM_API", api);
        }
        let in_folder = |path: &str| folder.join(path);
        command.env("CNB_APP_DIR", in_folder("app")).env("CNB_LAYERS_DIR", in_folder("layers"));
        let arguments: Vec<OsString> = step.arguments.clone().unwrap_or_default().into_iter().map(OsString::from).collect();
        if name == "launcher" {
            command.arg0(step.name.as_ref().map_or(OsStr::new("/cnb/lifecycle/launcher"), OsStr::new)).args(arguments);
        } else {
            variables(&mut command, folder);
            if case.registry {
                command.env_remove("CNB_USE_LAYOUT").env_remove("CNB_LAYOUT_DIR");
            }
            if ["exporter", "creator"].contains(&name) {
                command.arg("-launcher").arg(self.folder.join("launcher"));
            }
            match &step.arguments {
                Some(_) => command.args(arguments),
                None if ["analyzer", "exporter", "creator"].contains(&name) => command.arg(format!("{prefix}app")),
                None => &mut command,
            };
        }
        command.envs(&case.environment).envs(&step.environment);
        if rustix::process::geteuid().is_root() && !step.root {
            command.uid(USER).gid(USER);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("goroutine "), "the reference crashes, which is no answer to compare with: {said}");
        output
    }
}

/// The programs that a step starts, one after the other.
pub fn names(step: &Step) -> Vec<&str> {
    if step.run == "build" { BUILD.to_vec() } else { vec![step.run.as_str()] }
}

/// Changes what the step changes before, and gives the case's folder to the user that works in it.
pub fn prepare(step: &Step, folder: &Path) {
    for path in &step.empty {
        fs::remove_dir_all(folder.join(path)).unwrap();
        fs::create_dir_all(folder.join(path)).unwrap();
    }
    for (path, text) in &step.files {
        write(folder, path, text);
    }
    if let Some(name) = &step.extended {
        extended::leave(&folder.join("layout"), name, &folder.join("layers/extended/run"));
    }
    if rustix::process::geteuid().is_root() {
        for entry in walkdir::WalkDir::new(folder) {
            std::os::unix::fs::lchown(entry.unwrap().path(), Some(USER), Some(USER)).unwrap();
        }
    }
}

/// Where the phases find everything.
fn variables(command: &mut Command, folder: &Path) {
    for (name, path) in [
        ("CNB_PLATFORM_DIR", "platform"),
        ("CNB_BUILDPACKS_DIR", "cnb/buildpacks"),
        ("CNB_EXTENSIONS_DIR", "cnb/extensions"),
        ("CNB_BUILD_CONFIG_DIR", "cnb/build-config"),
        ("CNB_ORDER_PATH", "cnb/order.toml"),
        ("CNB_RUN_PATH", "cnb/run.toml"),
        ("CNB_STACK_PATH", "cnb/stack.toml"),
        ("CNB_SYSTEM_PATH", "cnb/system.toml"),
        ("CNB_LAYOUT_DIR", "layout"),
    ] {
        command.env(name, folder.join(path));
    }
    command.env("CNB_USE_LAYOUT", "true").env("CNB_EXPERIMENTAL_MODE", "quiet");
    command.env("CNB_USER_ID", USER.to_string()).env("CNB_GROUP_ID", USER.to_string());
}

/// Programs of test runs that are over.
fn forget_ended_runs() {
    for entry in fs::read_dir(super::base()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let pid = name.strip_prefix('.').and_then(|name| name.rsplit_once('-')).map(|(_, pid)| pid.to_string());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}
