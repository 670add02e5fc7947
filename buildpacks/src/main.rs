//! The first-party buildpacks and extensions in one program. Which of them this is stands in the descriptor of the folder that the
//! lifecycle names; which part of it, in the name that the program was started under.

mod debian_packages;
mod installed_packages;
mod procfile;
mod python;
mod system_packages;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    if folder("CNB_EXTENSION_DIR").is_some() {
        return debian_packages::run();
    }
    let id = folder("CNB_BUILDPACK_DIR").and_then(|folder| id(&folder.join("buildpack.toml")));
    match id.as_deref() {
        Some("cooper/python") => libcnb::libcnb_runtime(&python::Python),
        Some("cooper/system-packages") => libcnb::libcnb_runtime(&system_packages::SystemPackages),
        Some("cooper/installed-packages") => libcnb::libcnb_runtime(&installed_packages::InstalledPackages),
        Some("cooper/procfile") => libcnb::libcnb_runtime(&procfile::Procfile),
        other => eprintln!(
            "`{}` is none of these buildpacks: a CNB lifecycle starts them, with CNB_BUILDPACK_DIR set",
            other.unwrap_or_default()
        ),
    }
    ExitCode::FAILURE
}

/// Says what went wrong, and ends.
fn end<P: std::fmt::Display + std::fmt::Debug>(error: libcnb::Error<P>) -> ! {
    match error {
        libcnb::Error::BuildpackError(problem) => eprintln!("{problem}"),
        other => eprintln!("{other}"),
    }
    std::process::exit(1);
}

fn id(descriptor: &std::path::Path) -> Option<String> {
    let table: toml::Table = toml::from_str(&std::fs::read_to_string(descriptor).ok()?).ok()?;
    Some(table.get("buildpack")?.get("id")?.as_str()?.to_string())
}
