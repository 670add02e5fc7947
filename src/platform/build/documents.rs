//! What buildpacks wrote of their layers, for people who write buildpacks: the documents, small folders that say something, and the names of all
//! other files.

use crate::error::{Context, Result};
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Folders of a layer that mean something to the lifecycle: they are copied whole.
const MEANINGFUL: [&str; 5] = ["env", "env.build", "env.launch", "exec.d", "profile.d"];
/// The end of the name of a layer's list of files.
const LIST: &str = ".files";

/// Copies all documents below `layers`, and for each layer writes a list `LAYER.files` of lines `MODE PATH`.
///
/// # Errors
/// When something cannot be read or written.
pub(super) fn copy(layers: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).context(|| format!("cannot make `{}`", to.display()))?;
    for entry in WalkDir::new(layers).min_depth(1).sort_by_file_name() {
        let entry = entry.context(|| "cannot read the layers")?;
        let relative = entry.path().strip_prefix(layers).context(|| "a path outside of the layers")?;
        // The walk follows no links: what it finds is inside.
        let (source, target) = (entry.path(), to.join(relative));
        let describe = || format!("cannot write `{}`", target.display());
        if entry.file_type().is_dir() && is_layer(layers, relative) {
            fs::write(beside(&target, LIST), list(source)?).context(describe)?;
        }
        if entry.file_type().is_dir() && is_wanted(layers, relative) {
            fs::create_dir_all(&target).context(describe)?;
        } else if entry.file_type().is_file() && relative.parent().is_some_and(|folder| is_wanted(layers, folder)) {
            fs::copy(source, &target).context(describe)?;
        }
    }
    Ok(())
}

/// `BUILDPACK/LAYER`, which has a file `BUILDPACK/LAYER.toml`.
fn is_layer(layers: &Path, relative: &Path) -> bool {
    relative.components().count() == 2 && named(layers, relative)
}

fn named(layers: &Path, relative: &Path) -> bool {
    beside(&layers.join(relative), ".toml").is_file()
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(ending);
    name.into()
}

/// Whether a folder is copied: all but what is in layers, and there the meaningful ones.
fn is_wanted(layers: &Path, relative: &Path) -> bool {
    let mut parts = relative.components();
    let (Some(buildpack), Some(layer)) = (parts.next(), parts.next()) else { return true };
    let layer = Path::new(buildpack.as_os_str()).join(layer);
    match parts.next() {
        None => true,
        Some(folder) if is_layer(layers, &layer) => MEANINGFUL.iter().any(|name| folder.as_os_str() == *name),
        Some(_) => true,
    }
}

fn list(layer: &Path) -> Result<String> {
    let mut text = String::new();
    for entry in WalkDir::new(layer).min_depth(1).sort_by_file_name() {
        let entry = entry.context(|| "cannot read a layer")?;
        let path = entry.path().strip_prefix(layer).context(|| "a path outside of the layer")?.display();
        let kind = entry.file_type();
        let line = if kind.is_symlink() {
            let target = fs::read_link(entry.path()).context(|| "cannot read a link")?;
            format!("link {path} -> {}", target.display())
        } else if kind.is_dir() {
            continue;
        } else {
            let mode = entry.metadata().context(|| "cannot read a layer")?.permissions().mode() & 0o777;
            format!("{mode:o} {path}")
        };
        writeln!(text, "{line}").context(|| "cannot write a list")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_copied_and_other_files_are_listed() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (path, text) in [
            ("group.toml", "g"),
            ("acme_x/launch.toml", "l"),
            ("acme_x/deps.toml", "d"),
            ("acme_x/deps/bin/tool", "large"),
            ("acme_x/deps/env.launch/web/A", "1"),
            ("config/metadata.toml", "m"),
            ("sbom/launch/acme_x/deps/sbom.cdx.json", "{}"),
        ] {
            fs::create_dir_all(from.path().join(path).parent().unwrap()).unwrap();
            fs::write(from.path().join(path), text).unwrap();
        }
        std::os::unix::fs::symlink("bin", from.path().join("acme_x/deps/also")).unwrap();
        copy(from.path(), to.path()).unwrap();
        let read = |path: &str| fs::read_to_string(to.path().join(path)).unwrap_or_default();
        assert_eq!([read("group.toml"), read("acme_x/deps.toml"), read("acme_x/deps/env.launch/web/A")], ["g", "d", "1"]);
        assert_eq!([read("config/metadata.toml"), read("sbom/launch/acme_x/deps/sbom.cdx.json")], ["m", "{}"]);
        assert_eq!(read("acme_x/deps.files"), "link also -> bin\n644 bin/tool\n644 env.launch/web/A\n");
        assert!(!to.path().join("acme_x/deps/bin").exists());
    }
}
