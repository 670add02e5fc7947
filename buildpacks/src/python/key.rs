//! What the virtual environment was made from, as one hash: while it is the same, nothing has to be installed.

use super::install::UV_VERSION;
use super::problem::Problem;
use super::project::Project;
use super::settings::Settings;
use sha2::{Digest, Sha256};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Changes when this buildpack makes something else of the same.
const RULES: &str = "2";

/// The hash over everything that decides what is installed.
pub fn of(project: &Project, settings: &Settings, python: &str) -> Result<String, Problem> {
    let mut hash = Sha256::new();
    let mut add = |name: &[u8], content: &[u8]| {
        for part in [name, content] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    };
    add(RULES.as_bytes(), UV_VERSION.as_bytes());
    add(b"python", python.as_bytes());
    for (name, value) in &settings.variables {
        add(name.as_bytes(), value.as_bytes());
    }
    for file in project.files() {
        let content = std::fs::read(&file).unwrap_or_default();
        add(file.strip_prefix(project.folder()).unwrap_or(&file).as_os_str().as_bytes(), &content);
    }
    if project.installs_itself() {
        add_folder(project.folder(), project.folder(), &mut add)?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn add_folder(root: &Path, folder: &Path, add: &mut impl FnMut(&[u8], &[u8])) -> Result<(), Problem> {
    let failed = |error| Problem::Io("read", folder.to_path_buf(), error);
    let mut entries: Vec<_> = std::fs::read_dir(folder).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        if kind.is_dir() {
            add_folder(root, &path, add)?;
        } else if kind.is_file() {
            let content = std::fs::read(&path).map_err(|error| Problem::Io("read", path.clone(), error))?;
            add(path.strip_prefix(root).unwrap_or(&path).as_os_str().as_bytes(), &content);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_changes_with_what_decides() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
        write("requirements.txt", "flask\n");
        write("app.py", "1");
        let key = |python: &str| of(&Project::find(folder.path()).unwrap(), &Settings::default(), python).unwrap();
        let first = key("3.13");
        write("app.py", "2");
        assert_eq!(key("3.13"), first);
        assert_ne!(key("3.12"), first);
        write("requirements.txt", "flask\n.\n");
        let local = key("3.13");
        write("app.py", "3");
        assert!(local != first && key("3.13") != local);
    }
}
