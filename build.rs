//! Builds the programs that go into images (the launcher, the first-party buildpacks) so that this program can carry them.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAMS: [(&str, &str, &str); 2] =
    [("cooper-launcher", "launcher", "COOPER_LAUNCHER"), ("cooper-buildpacks", "buildpacks", "COOPER_BUILDPACKS")];

fn main() {
    for path in ["build.rs", "Cargo.toml", "Cargo.lock", ".cargo/config.toml", "launcher/src", "launcher/Cargo.toml", "buildpacks"] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=COOPER_DEFAULT_DEBIAN_MIRROR");
    let output = PathBuf::from(variable("OUT_DIR"));
    let (target, profile) = (variable("TARGET"), if variable("PROFILE") == "release" { "release" } else { "debug" });
    let folder = target_folder(&output, &target);
    // A folder of its own: the outer build holds the lock of the other one.
    let embedded = folder.join("embedded");
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(variable("CARGO_MANIFEST_DIR")).args(["build", "--quiet", "--locked", "--profile", "embedded", "--target", &target]);
    cargo.arg("--target-dir").arg(&embedded);
    for (package, _, _) in PROGRAMS {
        cargo.args(["--package", package]);
    }
    // What the outer build says of itself must not change these programs.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let of_outer = name.starts_with("CARGO_")
            && !["CARGO_HOME", "CARGO_NET_OFFLINE"].contains(&name.as_str())
            && !name.starts_with("CARGO_REGISTR")
            && !name.starts_with("CARGO_HTTP");
        if of_outer
            || ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "RUSTFLAGS", "OUT_DIR", "TARGET", "PROFILE"]
                .contains(&name.as_str())
        {
            cargo.env_remove(name);
        }
    }
    let status = cargo.status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "cannot build the programs for images: {status:?}");
    for (_, program, variable) in PROGRAMS {
        let built = embedded.join(&target).join("embedded").join(program);
        assert!(built.is_file(), "`{}` was not built", built.display());
        println!("cargo::rustc-env={variable}={}", built.display());
    }
    link(&folder, &target, profile);
}

/// The folder that holds the output of all targets: above `<target>/<profile>/build/<package>/out`.
fn target_folder(output: &Path, target: &str) -> PathBuf {
    let parent = output.ancestors().nth(4).unwrap_or(output);
    // Build scripts run for the host: their folder has no target in its path.
    if parent.file_name().is_some_and(|name| name == target) {
        parent.parent().unwrap_or(parent).to_path_buf()
    } else {
        parent.to_path_buf()
    }
}

/// Naming a target in `.cargo/config.toml` moves the program to `<target>/<profile>`; people look for it in `<profile>`.
fn link(folder: &Path, target: &str, profile: &str) {
    let place = folder.join(profile).join("cooper");
    if std::fs::symlink_metadata(&place).is_err() {
        let made = std::fs::create_dir_all(folder.join(profile))
            .and_then(|()| std::os::unix::fs::symlink(format!("../{target}/{profile}/cooper"), &place));
        if let Err(error) = made {
            println!("cargo::warning=cannot link `{}`: {error}", place.display());
        }
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
