//! Builds the programs that go into images (the launcher, the first-party buildpacks) so that this program can carry them.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const LAUNCHER: (&str, &str) = ("cooper-launcher", "launcher");
const BUILDPACKS: (&str, &str) = ("cooper-buildpacks", "buildpacks");

/// Processors that the launcher is built for, in Rust's words and in those of images.
const PROCESSORS: [(&str, &str); 2] = [("x86_64", "amd64"), ("aarch64", "arm64")];

fn main() {
    for path in ["build.rs", "Cargo.toml", "Cargo.lock", ".cargo/config.toml", "launcher/src", "launcher/Cargo.toml", "buildpacks", "sbom"]
    {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=COOPER_DEFAULT_DEBIAN_MIRROR");
    let output = PathBuf::from(variable("OUT_DIR"));
    let (target, profile) = (variable("TARGET"), if variable("PROFILE") == "release" { "release" } else { "debug" });
    let folder = target_folder(&output, &target);
    // A folder of its own: the outer build holds the lock of the other one.
    let embedded = folder.join("embedded");
    carry("COOPER_BUILDPACKS", &built(BUILDPACKS, &target, &embedded));
    launchers(&embedded, &output, &target);
    for package in ["cooper", "cooper-launcher"] {
        let written = std::fs::write(output.join(format!("{package}.crates")), crates(package, &target));
        assert!(written.is_ok(), "cannot write what `{package}` is made of: {written:?}");
    }
    link(&folder, &target, profile);
}

/// Tells the program where something is that it is to carry.
fn carry(name: &str, path: &Path) {
    println!("cargo::rustc-env={name}={}", path.display());
}

/// The launcher for every processor whose musl target is installed: then it has the same bytes wherever it is built. Else, for this processor,
/// one with the C library of this machine, and an empty file for others.
fn launchers(embedded: &Path, output: &Path, target: &str) {
    let native = target.split('-').next().unwrap_or(target);
    let libraries = Command::new(variable("RUSTC")).args(["--print", "target-libdir"]).output().map(|output| output.stdout);
    let libraries = PathBuf::from(String::from_utf8_lossy(&libraries.unwrap_or_default()).trim());
    // <sysroot>/lib/rustlib/<target>/lib
    let installed = libraries.ancestors().nth(2).unwrap_or(&libraries);
    let components = installed.join("components");
    if components.is_file() {
        println!("cargo::rerun-if-changed={}", components.display());
    }
    for (processor, name) in PROCESSORS {
        let musl = format!("{processor}-unknown-linux-musl");
        let program = if installed.join(&musl).join("lib").is_dir() {
            built(LAUNCHER, &musl, embedded)
        } else if processor == native {
            built(LAUNCHER, target, embedded)
        } else {
            let none = output.join(format!("no-launcher-{name}"));
            assert!(std::fs::write(&none, "").is_ok(), "cannot write `{}`", none.display());
            none
        };
        carry(&format!("COOPER_LAUNCHER_{}", name.to_uppercase()), &program);
        if processor == native {
            carry("COOPER_LAUNCHER", &program);
        }
    }
}

/// Builds a program for images. For musl no C compiler is needed: Rust brings the library and a linker along.
fn built((package, program): (&str, &str), target: &str, embedded: &Path) -> PathBuf {
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--locked", "--profile", "embedded", "--package", package, "--target", target]);
    if target.ends_with("-musl") {
        cargo.env(format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_")), "rust-lld");
    }
    let status = cargo.arg("--target-dir").arg(embedded).env("CARGO_ENCODED_RUSTFLAGS", flags().join("\x1f")).status();
    assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "cannot build `{program}` for {target}: {status:?}");
    embedded.join(target).join("embedded").join(program)
}

/// The flags of `.cargo/config.toml`, and what keeps the folders of this machine out of the programs.
fn flags() -> Vec<String> {
    let mut flags = vec!["-Ctarget-feature=+crt-static".into(), "--cfg=getrandom_backend=\"linux_getrandom\"".into()];
    let home = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let sources = home.map(|home| home.join("registry/src")).and_then(|sources| std::fs::read_dir(sources).ok());
    // Each registry has a folder, which is called as the registry is.
    for source in sources.into_iter().flatten().flatten() {
        flags.push(format!("--remap-path-prefix={}=/crates", source.path().display()));
    }
    flags.sort();
    flags
}

/// Cargo for a build of its own: what the outer build says of itself must not change these programs.
fn cargo() -> Command {
    let mut cargo = Command::new(variable("CARGO"));
    cargo.current_dir(variable("CARGO_MANIFEST_DIR"));
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
    cargo
}

/// The crates that a program is linked of, for its SBOM: each a line of name, version and licence.
fn crates(package: &str, target: &str) -> String {
    let mut cargo = cargo();
    cargo.args(["tree", "--quiet", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}|{l}"]);
    let output = cargo.args(["--package", package, "--target", target]).output();
    let listed = output.as_ref().ok().filter(|output| output.status.success());
    let listed = listed.unwrap_or_else(|| panic!("cannot list what `{package}` is made of: {output:?}"));
    let text = String::from_utf8_lossy(&listed.stdout);
    let line = |line: &str| {
        let (named, licence) = line.trim_end_matches(" (*)").split_once('|')?;
        let mut words = named.split(' ');
        Some(format!("{} {} {}\n", words.next()?, words.next()?.trim_start_matches('v'), licence.replace('/', " OR ")))
    };
    text.lines().filter_map(line).collect::<BTreeSet<_>>().into_iter().collect()
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
