//! The image extension `cooper/debian-packages`: buildpacks require Debian packages for build and for run; it writes them down for
//! `cooper`, which composes them as layers, and as Dockerfiles for every other platform.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The name that buildpacks require.
pub const NAME: &str = "debian-packages";

/// The packages, for `cooper`.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    /// For the build image.
    #[serde(default)]
    pub build: BTreeSet<String>,
    /// For the run image.
    #[serde(default)]
    pub run: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Plan {
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    metadata: Packages,
}

/// Runs `bin/detect` or `bin/generate`.
pub fn run() -> ExitCode {
    let program = std::env::args_os()
        .next()
        .map(PathBuf::from)
        .and_then(|path| path.file_name().map(std::ffi::OsStr::to_os_string))
        .unwrap_or_default();
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("the lifecycle does not set {name}"));
    let result = match program.to_str() {
        Some("detect") => path("CNB_BUILD_PLAN_PATH").and_then(|plan| write(&plan, &format!("[[provides]]\nname = \"{NAME}\"\n"))),
        Some("generate") => path("CNB_BP_PLAN_PATH").and_then(|plan| generate(&plan, &path("CNB_OUTPUT_DIR")?)),
        _ => Err("start it as `detect` or `generate`".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn generate(plan: &Path, output: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(plan).map_err(|error| format!("cannot read the plan: {error}"))?;
    let packages = wanted(&text)?;
    write(&output.join("packages.toml"), &toml::to_string(&packages).map_err(|error| error.to_string())?)?;
    for (kind, packages) in [("build", &packages.build), ("run", &packages.run)] {
        if !packages.is_empty() {
            write(&output.join(format!("{kind}.Dockerfile")), &dockerfile(packages))?;
        }
    }
    Ok(())
}

fn wanted(plan: &str) -> Result<Packages, String> {
    let plan: Plan = toml::from_str(plan).map_err(|error| format!("cannot read the plan: {error}"))?;
    let mut all = Packages::default();
    for entry in plan.entries.into_iter().filter(|entry| entry.name == NAME) {
        all.build.extend(entry.metadata.build);
        all.run.extend(entry.metadata.run);
    }
    match all.build.iter().chain(&all.run).find(|name| !is_package(name)) {
        Some(name) => Err(format!("`{name}` cannot be the name of a Debian package")),
        None => Ok(all),
    }
}

/// Debian Policy, "Source": lower-case letters, digits, `+`, `-` and `.`.
pub fn is_package(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    first && name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte))
}

fn dockerfile(packages: &BTreeSet<String>) -> String {
    let names: Vec<&str> = packages.iter().map(String::as_str).collect();
    let install = format!(
        "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends {} && rm -rf /var/lib/apt/lists/*",
        names.join(" ")
    );
    format!("ARG base_image\nFROM ${{base_image}}\nUSER root\nRUN {install}\nARG user_id\nARG group_id\nUSER ${{user_id}}:${{group_id}}\n")
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("cannot write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_gathered_and_written_for_both_kinds_of_platform() {
        let folder = tempfile::tempdir().unwrap();
        let plan = folder.path().join("plan.toml");
        let entry = |metadata: &str| format!("[[entries]]\nname = \"debian-packages\"\n[entries.metadata]\n{metadata}\n");
        write(
            &plan,
            &(entry("run = ['python3']\nbuild = ['gcc', 'python3']") + &entry("run = ['libpq5']") + "[[entries]]\nname = 'other'\n"),
        )
        .unwrap();
        generate(&plan, folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("packages.toml"), "build = [\"gcc\", \"python3\"]\nrun = [\"libpq5\", \"python3\"]\n");
        assert!(
            read("run.Dockerfile").starts_with("ARG base_image\nFROM ${base_image}\n") && read("run.Dockerfile").contains("libpq5 python3")
        );
    }

    #[test]
    fn names_cannot_be_commands() {
        for bad in ["x; rm -rf /", "-o", "A", "", "a b", "$(x)"] {
            assert!(!is_package(bad), "{bad}");
        }
        assert!(is_package("libstdc++6") && is_package("python3.13"));
        assert!(wanted("[[entries]]\nname = 'debian-packages'\n[entries.metadata]\nrun = ['a;b']\n").is_err());
    }
}
