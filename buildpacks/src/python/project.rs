//! Which files say what an app depends on.

use std::path::{Path, PathBuf};

/// How an app names its dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Project {
    /// `requirements.txt`.
    Requirements(PathBuf),
    /// `uv.lock`, beside its `pyproject.toml`.
    Locked(PathBuf),
    /// `pyproject.toml` alone.
    Declared(PathBuf),
}

impl Project {
    /// What the folder has: requirements.txt first, then uv.lock, then pyproject.toml.
    pub fn find(app: &Path) -> Option<Self> {
        let file = |name: &str| Some(app.join(name)).filter(|path| path.is_file());
        if let Some(path) = file("requirements.txt") {
            return Some(Self::Requirements(path));
        }
        let project = file("pyproject.toml")?;
        Some(file("uv.lock").map_or(Self::Declared(project), Self::Locked))
    }

    /// The app's folder.
    pub fn folder(&self) -> &Path {
        let (Self::Requirements(path) | Self::Locked(path) | Self::Declared(path)) = self;
        path.parent().unwrap_or(Path::new("."))
    }

    /// All files that say what is installed: for requirements also those that they include.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            Self::Requirements(path) => {
                let mut files = Vec::new();
                include(path, &mut files);
                files
            }
            Self::Locked(path) => vec![path.clone(), self.folder().join("pyproject.toml")],
            Self::Declared(path) => vec![path.clone()],
        }
    }

    /// Whether the app's own code is installed along, so that any change of it changes what is installed.
    pub fn installs_itself(&self) -> bool {
        match self {
            Self::Requirements(_) => {
                self.files().iter().filter_map(|file| std::fs::read_to_string(file).ok()).any(|text| text.lines().any(is_local))
            }
            Self::Locked(_) | Self::Declared(_) => has_build_system(&self.folder().join("pyproject.toml")),
        }
    }
}

fn include(path: &Path, files: &mut Vec<PathBuf>) {
    if files.iter().any(|known| known == path) {
        return;
    }
    files.push(path.to_path_buf());
    let Ok(text) = std::fs::read_to_string(path) else { return };
    for line in text.lines().map(str::trim) {
        let included =
            ["-r", "--requirement", "-c", "--constraint"].iter().find_map(|flag| line.strip_prefix(flag)?.strip_prefix([' ', '=', '\t']));
        if let Some(name) = included {
            include(&path.parent().unwrap_or(Path::new(".")).join(name.trim()), files);
        }
    }
}

fn is_local(line: &str) -> bool {
    let line = line.trim();
    let name = line.strip_prefix("-e").or_else(|| line.strip_prefix("--editable")).map_or(line, |rest| rest.trim_start_matches(['=', ' ']));
    name == "."
        || name.starts_with("./")
        || name.starts_with("../")
        || name.starts_with(".[")
        || name.starts_with("file:")
        || name.contains("@ file:")
}

fn has_build_system(pyproject: &Path) -> bool {
    let table = std::fs::read_to_string(pyproject).ok().and_then(|text| toml::from_str::<toml::Table>(&text).ok());
    table.is_some_and(|table| table.contains_key("build-system"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, content)| std::fs::write(folder.path().join(name), content).unwrap());
        folder
    }

    #[test]
    fn requirements_come_first_and_a_lock_before_its_project() {
        assert_eq!(Project::find(app(&[]).path()), None);
        assert!(matches!(Project::find(app(&[("requirements.txt", ""), ("pyproject.toml", "")]).path()), Some(Project::Requirements(_))));
        assert!(matches!(Project::find(app(&[("uv.lock", ""), ("pyproject.toml", "")]).path()), Some(Project::Locked(_))));
        assert!(matches!(Project::find(app(&[("pyproject.toml", "")]).path()), Some(Project::Declared(_))));
        assert_eq!(Project::find(app(&[("uv.lock", "")]).path()), None);
    }

    #[test]
    fn included_files_and_local_packages_count() {
        let folder = app(&[
            ("requirements.txt", "-r more.txt\nflask\n"),
            ("more.txt", "-c limits.txt\n-r requirements.txt\n"),
            ("limits.txt", "x<2\n"),
        ]);
        let project = Project::find(folder.path()).unwrap();
        assert_eq!(project.files().len(), 3);
        assert!(!project.installs_itself());
        for local in [".", "-e .", "./lib", "-e ../x", "a @ file:///x"] {
            assert!(Project::find(app(&[("requirements.txt", local)]).path()).unwrap().installs_itself(), "{local}");
        }
        assert!(Project::find(app(&[("pyproject.toml", "[build-system]\nrequires = []\n")]).path()).unwrap().installs_itself());
    }
}
