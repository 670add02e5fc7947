//! New buildpacks and extensions that do the least that makes sense, to start from.

use crate::buildpack::{Kind, Target};
use crate::error::{Advice, Context, Error, Result};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// What a new module is.
pub struct Skeleton<'a> {
    /// Whether it is a buildpack or an extension.
    pub kind: Kind,
    /// Its ID.
    pub id: &'a str,
    /// Its version.
    pub version: &'a str,
    /// The Buildpack API that it speaks.
    pub api: &'a str,
    /// What it works on.
    pub targets: &'a [Target],
    /// What its programs are written in.
    pub language: Language,
}

/// What programs are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Shell scripts.
    #[default]
    Bash,
    /// Rust, on libcnb.rs.
    Rust,
}

/// A file of a new module: its path, its text, its permissions.
type File = (&'static str, String, u32);

const DETECT: &str = include_str!("skeleton/bash.detect");
const BUILD: &str = include_str!("skeleton/bash.build");
const GENERATE: &str = include_str!("skeleton/bash.generate");
const CARGO: &str = include_str!("skeleton/rust.Cargo.toml");
const MAIN: &str = include_str!("skeleton/rust.main");
const COMPILE: &str = include_str!("skeleton/rust.compile");

/// A test of a new buildpack.
const TEST: &str = include_str!("skeleton/buildpack.test.toml");

/// A test of a new extension.
const TEST_OF_EXTENSION: &str = include_str!("skeleton/extension.test.toml");

/// Writes a new module into `folder`, which must be empty or not there. Returns the files.
///
/// # Errors
/// When the ID is none, the folder is not empty, or cannot be written.
pub fn write(skeleton: &Skeleton, folder: &Path) -> Result<Vec<PathBuf>> {
    let (kind, id) = (skeleton.kind, skeleton.id);
    super::validate::check_id(id)
        .map_err(|why| Error::new(format!("`{id}` cannot be the ID of a {}: {why}", kind.name())).hint("write NAMESPACE/NAME"))?;
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Error::new(format!("the folder `{}` is not empty", folder.display()))).hint("name another one with `--path`");
    }
    let mut written = Vec::new();
    for (name, text, mode) in files(skeleton)? {
        let path = folder.join(name);
        let describe = || format!("cannot write `{}`", path.display());
        fs::create_dir_all(path.parent().unwrap_or(folder)).context(describe)?;
        fs::write(&path, text).context(describe)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).context(describe)?;
        written.push(path);
    }
    Ok(written)
}

fn files(skeleton: &Skeleton) -> Result<Vec<File>> {
    let named = |text: &str| {
        let name = skeleton.id.rsplit('/').next().unwrap_or_default();
        text.replace("THE_ID", skeleton.id).replace("THE_NAME", &name.replace('.', "-")).replace("THE_VERSION", skeleton.version)
    };
    let descriptor = descriptor(skeleton)?;
    let mut files: Vec<File> = match (skeleton.language, skeleton.kind) {
        (Language::Bash, kind) => {
            let (program, text) = match kind {
                Kind::Buildpack => ("bin/build", BUILD),
                Kind::Extension => ("bin/generate", GENERATE),
            };
            vec![(kind.file(), descriptor, 0o644), ("bin/detect", DETECT.into(), 0o755), (program, named(text), 0o755)]
        }
        (Language::Rust, Kind::Buildpack) => vec![
            ("Cargo.toml", named(CARGO), 0o644),
            ("src/main.rs", named(MAIN), 0o644),
            ("compile", named(COMPILE), 0o755),
            (".gitignore", "target\nbuildpack/bin\n".into(), 0o644),
            ("buildpack/buildpack.toml", descriptor, 0o644),
        ],
        (Language::Rust, Kind::Extension) => {
            return Err(Error::new("an extension cannot be written on libcnb.rs, which is for buildpacks")).hint("leave `--language` out");
        }
    };
    let test = match skeleton.kind {
        Kind::Buildpack => TEST,
        Kind::Extension => TEST_OF_EXTENSION,
    };
    files.push(("tests/hello/test.toml", named(test), 0o644));
    files.push(("tests/hello/app/hello.txt", "hello\n".into(), 0o644));
    Ok(files)
}

fn descriptor(skeleton: &Skeleton) -> Result<String> {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let mut text = format!(
        "api = {}\n\n[{}]\nid = {}\nversion = {}\n",
        quoted(skeleton.api),
        skeleton.kind.name(),
        quoted(skeleton.id),
        quoted(skeleton.version)
    );
    for target in skeleton.targets {
        let fields = [("os", &target.os), ("arch", &target.arch), ("variant", &target.variant)];
        let fields: String =
            fields.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name} = {}\n", quoted(value))).collect();
        write!(text, "\n[[targets]]\n{fields}").context(|| "cannot write a descriptor")?;
        for distro in &target.distros {
            write!(text, "[[targets.distros]]\nname = {}\nversion = {}\n", quoted(&distro.name), quoted(&distro.version))
                .context(|| "cannot write a descriptor")?;
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The crates of the one are those of the other, so that they are compiled without a network in tests.
    #[test]
    fn a_new_buildpack_in_rust_is_on_the_libcnb_of_our_own() {
        let version = |text: &str| {
            let table: toml::Table = toml::from_str(text).unwrap();
            table["dependencies"]["libcnb"]["version"].as_str().unwrap().to_string()
        };
        let own = include_str!("../../../buildpacks/Cargo.toml");
        assert_eq!(version(CARGO), version(own));
    }
}
