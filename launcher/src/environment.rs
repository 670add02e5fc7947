//! The environment that layers and platform make (CNB Buildpack Specification, environment).

use crate::file;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Folders of a layer, and the list of paths that each is put in front of, at build time (ENV-03).
const BUILD_PATHS: [(&str, &str); 5] =
    [("bin", "PATH"), ("lib", "LD_LIBRARY_PATH"), ("lib", "LIBRARY_PATH"), ("include", "CPATH"), ("pkgconfig", "PKG_CONFIG_PATH")];
/// The same when an app is launched (ENV-24).
const LAUNCH_PATHS: [(&str, &str); 2] = [("bin", "PATH"), ("lib", "LD_LIBRARY_PATH")];
/// What a build sees of the lifecycle's own environment, besides lists of paths (ENV-01, ENV-02).
const BUILD_INHERITED: [&str; 9] =
    ["CNB_STACK_ID", "HOME", "HOSTNAME", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];
/// What an app does not see of the launcher's environment (ENV-21, ENV-22).
const LAUNCH_HIDDEN: [&str; 5] = ["CNB_APP_DIR", "CNB_DEPRECATION_MODE", "CNB_LAYERS_DIR", "CNB_PLATFORM_API", "CNB_PROCESS_TYPE"];
const LAUNCHER_FOLDERS: [&[u8]; 2] = [b"/cnb/lifecycle", b"/cnb/process"];

/// The kernel refuses to start a program with a variable of more bytes than this.
const LARGEST_VARIABLE: u64 = 128 << 10;

/// Variables, and the rules by which they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    paths: &'static [(&'static str, &'static str)],
}

/// What a file in an `env` folder without a suffix does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// It replaces the value, as in layers (ENV-26).
    Override,
    /// It sets the value where there is none, as in the operator's configuration (ENV-16).
    Default,
}

impl Environment {
    /// What buildpacks see of the lifecycle's own environment.
    pub fn for_build(own: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let seen = |name: &OsStr| BUILD_INHERITED.iter().any(|known| *known == name) || BUILD_PATHS.iter().any(|(_, list)| *list == name);
        Self { variables: own.filter(|(name, _)| seen(name)).collect(), paths: &BUILD_PATHS }
    }

    /// What an app sees of the container's environment.
    pub fn for_launch(own: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut variables: BTreeMap<OsString, OsString> =
            own.filter(|(name, _)| !LAUNCH_HIDDEN.iter().any(|hidden| *hidden == name)).collect();
        if let Some(path) = variables.get_mut(OsStr::new("PATH")) {
            let kept: Vec<&[u8]> =
                path.as_bytes().split(|byte| *byte == b':').filter(|folder| !LAUNCHER_FOLDERS.contains(folder)).collect();
            *path = OsStr::from_bytes(&kept.join(&b':')).to_os_string();
        }
        Self { variables, paths: &LAUNCH_PATHS }
    }

    /// A variable's value.
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.variables.get(name.as_ref()).map(OsString::as_os_str)
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.variables.insert(name.into(), value.into());
    }

    /// All variables, sorted by name.
    pub fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// Puts a layer's folders in front of the lists of paths (ENV-04, ENV-06).
    pub fn add_layer_paths(&mut self, layer: &Path) {
        for (folder, list) in self.paths {
            let folder = layer.join(folder);
            if folder.is_dir() {
                self.prepend(OsStr::new(list), folder.as_os_str(), OsStr::new(":"));
            }
        }
    }

    /// Applies the files of an `env` folder in byte order of their names (ENV-07 to ENV-11). A folder that is missing changes nothing.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn add_files(&mut self, folder: &Path, plain: Plain) -> io::Result<()> {
        for path in files(folder)? {
            let bytes = path.file_name().unwrap_or_default().as_bytes();
            let at = bytes.iter().position(|byte| *byte == b'.').unwrap_or(bytes.len());
            let name = OsStr::from_bytes(&bytes[..at]);
            if !can_be_variable(name) {
                continue;
            }
            let is_unset = self.get(name).is_none_or(OsStr::is_empty);
            let delimiter = || {
                let path = folder.join(OsStr::from_bytes(&[name.as_bytes(), b".delim"].concat()));
                if path.exists() { content(&path) } else { Ok(OsString::new()) }
            };
            match (&bytes[at..], plain) {
                (b"", Plain::Override) | (b".override", _) => self.set(name, content(&path)?),
                (b"", Plain::Default) | (b".default", _) if !is_unset => {}
                (b"", Plain::Default) | (b".default", _) => self.set(name, content(&path)?),
                (b".append", _) => self.append(name, &content(&path)?, &delimiter()?),
                (b".prepend", _) => self.prepend(name, &content(&path)?, &delimiter()?),
                _ => {}
            }
        }
        Ok(())
    }

    /// This environment with the user's variables: in front of lists of paths, in place of everything else (ENV-13, ENV-14).
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn with_platform(&self, folder: &Path) -> io::Result<Self> {
        let mut with = self.clone();
        for path in files(folder)? {
            let name = path.file_name().unwrap_or_default();
            if BUILD_PATHS.iter().any(|(_, list)| *list == name) {
                with.prepend(name, &content(&path)?, OsStr::new(":"));
            } else if can_be_variable(name) {
                with.set(name, content(&path)?);
            }
        }
        Ok(with)
    }

    fn append(&mut self, name: &OsStr, value: &OsStr, delimiter: &OsStr) {
        let old = self.get(name).unwrap_or_default().to_os_string();
        self.set(name, joined(&old, delimiter, value));
    }

    fn prepend(&mut self, name: &OsStr, value: &OsStr, delimiter: &OsStr) {
        let old = self.get(name).unwrap_or_default().to_os_string();
        self.set(name, joined(value, delimiter, &old));
    }
}

fn joined(first: &OsStr, delimiter: &OsStr, second: &OsStr) -> OsString {
    if first.is_empty() || second.is_empty() {
        return OsStr::from_bytes(&[first.as_bytes(), second.as_bytes()].concat()).to_os_string();
    }
    OsStr::from_bytes(&[first.as_bytes(), delimiter.as_bytes(), second.as_bytes()].concat()).to_os_string()
}

/// Whether the kernel can hand a program a variable of this name.
pub(crate) fn can_be_variable(name: &OsStr) -> bool {
    !name.is_empty() && !name.as_bytes().iter().any(|byte| matches!(byte, b'=' | 0))
}

/// The files of a folder, links followed, sorted by name. Pipes and devices are none.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(entries(folder)?.into_iter().filter(|path| path.is_file()).collect())
}

/// A file's content verbatim, which becomes a value.
fn content(path: &Path) -> io::Result<OsString> {
    let content = file::read(path, LARGEST_VARIABLE).and_then(|content| match content.contains(&0) {
        true => Err(io::Error::new(io::ErrorKind::InvalidData, "no variable can hold a NUL byte")),
        false => Ok(OsString::from_vec(content)),
    });
    content.map_err(|error| io::Error::new(error.kind(), format!("cannot read `{}`: {error}", path.display())))
}

/// The entries of a folder, sorted by name; none where there is no folder. A file of that name is none: `exec.d/web` may be a program for
/// every process or the folder of one process's programs.
///
/// # Errors
/// When the folder cannot be read.
pub fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(io::Error::new(error.kind(), format!("cannot read `{}`: {error}", folder.display()))),
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> impl Iterator<Item = (OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect::<Vec<_>>().into_iter()
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        folder
    }

    fn text(environment: &Environment, name: &str) -> Option<String> {
        environment.get(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// ENV-01, ENV-02, ENV-21, ENV-22, ENV-23, LCH-34.
    #[test]
    fn only_some_variables_are_inherited() {
        let build =
            Environment::for_build(of(&[("FOO", "1"), ("HOME", "/h"), ("PATH", "/bin"), ("https_proxy", "p"), ("CNB_REGISTRY_AUTH", "x")]));
        assert_eq!(build.variables().map(|(name, _)| name.to_str().unwrap()).collect::<Vec<_>>(), ["HOME", "PATH", "https_proxy"]);
        let launch = Environment::for_launch(of(&[
            ("FOO", "1"),
            ("CNB_APP_DIR", "/x"),
            ("CNB_EXEC_ENV", "test"),
            ("PATH", "/cnb/process:/a:/cnb/lifecycle:/b"),
        ]));
        assert_eq!(launch.variables().map(|(name, _)| name.to_str().unwrap()).collect::<Vec<_>>(), ["CNB_EXEC_ENV", "FOO", "PATH"]);
        assert_eq!(text(&launch, "PATH").unwrap(), "/a:/b");
    }

    /// ENV-07, ENV-08, ENV-09, ENV-10, ENV-11, ENV-26.
    #[test]
    fn suffixes_say_how_a_value_changes() {
        let files = [
            ("A", "new\n"),
            ("B.append", "2"),
            ("B.delim", "-"),
            ("C.prepend", "0"),
            ("D.default", "d"),
            ("E.default", "e"),
            ("F.append", "f"),
            ("F.delim", ","),
            ("G.other", "g"),
            ("H.override", "$X"),
            ("sub/X", "x"),
        ];
        let folder = folder(&files);
        let mut environment = Environment::for_launch(of(&[("A", "old"), ("B", "1"), ("C", "1"), ("D", "old"), ("E", "")]));
        environment.add_files(folder.path(), Plain::Override).unwrap();
        let values: Vec<_> = ["A", "B", "C", "D", "E", "F", "G", "H", "X"].map(|name| text(&environment, name)).into_iter().collect();
        let some = |value: &str| Some(value.to_string());
        assert_eq!(values, [some("new\n"), some("1-2"), some("01"), some("old"), some("e"), some("f"), None, some("$X"), None]);
    }

    /// ENV-13, ENV-14, ENV-15, ENV-16.
    #[test]
    fn the_users_variables_win_and_do_not_stay() {
        let platform = folder(&[("PATH", "/opt"), ("FOO", "user"), ("A.B", "dot")]);
        let operator = folder(&[("FOO", "operator"), ("BAR", "operator"), ("BAZ.override", "operator")]);
        let build = Environment::for_build(of(&[("PATH", "/bin")]));
        let mut with = build.with_platform(platform.path()).unwrap();
        with.add_files(operator.path(), Plain::Default).unwrap();
        assert_eq!(
            ["PATH", "FOO", "A.B", "BAR", "BAZ"].map(|name| text(&with, name).unwrap()),
            ["/opt:/bin", "user", "dot", "operator", "operator"]
        );
        assert_eq!(text(&build, "PATH").unwrap(), "/bin");
    }

    /// ENV-03, ENV-04, ENV-05, ENV-06, ENV-24.
    #[test]
    fn layers_come_in_front_of_lists_of_paths() {
        let layers = folder(&[("a/bin/x", ""), ("a/include/x", ""), ("b/bin/x", "")]);
        let mut build = Environment::for_build(of(&[("PATH", "/bin")]));
        let mut launch = Environment::for_launch(of(&[]));
        for layer in ["a", "b"] {
            build.add_layer_paths(&layers.path().join(layer));
            launch.add_layer_paths(&layers.path().join(layer));
        }
        let path = |name: &str| layers.path().join(name).display().to_string();
        assert_eq!(text(&build, "PATH").unwrap(), format!("{}:{}:/bin", path("b/bin"), path("a/bin")));
        assert_eq!(text(&build, "CPATH").unwrap(), path("a/include"));
        assert_eq!((text(&launch, "CPATH"), text(&launch, "PATH")), (None, Some(format!("{}:{}", path("b/bin"), path("a/bin")))));
    }
}
