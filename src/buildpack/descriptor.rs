//! `buildpack.toml` and `extension.toml` (CNB Buildpack Specification).

use super::module_toml::{INCOMPATIBLE_BUILDPACK, ModuleToml, Stack};
use super::order::Group;
use super::{Target, escape_id};
use crate::error::{Context, Error, Result};
use launcher::api::Api;
use launcher::file::read_document;
use std::path::{Path, PathBuf};

/// Whether something is a buildpack or an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A buildpack.
    Buildpack,
    /// An image extension.
    Extension,
}

impl Kind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Buildpack => "buildpack",
            Self::Extension => "extension",
        }
    }

    /// The name of its descriptor.
    pub fn file(self) -> &'static str {
        match self {
            Self::Buildpack => "buildpack.toml",
            Self::Extension => "extension.toml",
        }
    }

    /// The folder of its like in an image.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Buildpack => "/cnb/buildpacks",
            Self::Extension => "/cnb/extensions",
        }
    }
}

/// A buildpack or extension, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Which of the two it is.
    pub kind: Kind,
    /// The Buildpack API that it speaks.
    pub api: Api,
    /// Its ID.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Where to read more.
    pub homepage: Option<String>,
    /// Whether the user's variables are kept from its processes (DESC-05).
    pub clear_env: bool,
    /// The execution environments that it is for; all where it is empty.
    pub exec_env: Vec<String>,
    /// Media types of the SBOM files that it writes.
    pub sbom_formats: Vec<String>,
    /// What it works on; anything where it is empty.
    pub targets: Vec<Target>,
    /// The groups that a composite buildpack stands for.
    pub order: Vec<Group>,
    /// Its folder.
    pub root: PathBuf,
}

/// The folders that buildpacks and extensions are in (DESC-01).
#[derive(Clone, Debug)]
pub struct Modules {
    /// Where buildpacks are.
    pub buildpacks: PathBuf,
    /// Where extensions are.
    pub extensions: PathBuf,
}

impl Modules {
    /// Reads the descriptor of a buildpack or extension.
    ///
    /// # Errors
    /// When it is not there, or its file is not a descriptor.
    pub fn find(&self, kind: Kind, id: &str, version: &str) -> Result<Descriptor> {
        let folder = match kind {
            Kind::Buildpack => &self.buildpacks,
            Kind::Extension => &self.extensions,
        };
        let root = folder.join(folder_of(id, version)?);
        let path = root.join(kind.file());
        let text = read_document(&path).context(|| format!("cannot read `{}`", path.display()))?;
        Descriptor::parse(&text, kind, &root).map_err(|error| match error.exit_code() {
            // API-07.
            INCOMPATIBLE_BUILDPACK => {
                Error::from_cause(format!("failed to set API for {kind:?} '{id}@{version}'"), error).code(INCOMPATIBLE_BUILDPACK)
            }
            _ => Error::from_cause(format!("cannot read `{}`", path.display()), error),
        })
    }
}

/// Where a buildpack or extension is below the folder of them all (DESC-01).
///
/// # Errors
/// When that would be elsewhere.
pub fn folder_of(id: &str, version: &str) -> Result<PathBuf> {
    let escaped = escape_id(id);
    if [escaped.as_str(), version].iter().any(|part| part.is_empty() || part.contains('/') || *part == "." || *part == "..") {
        return Err(Error::new(format!("`{id}@{version}` cannot be the name of a buildpack")));
    }
    Ok(Path::new(&escaped).join(version))
}

impl Descriptor {
    /// Reads a descriptor. `root` is the folder that it is in.
    ///
    /// # Errors
    /// When the text is not one, or speaks an API that this program does not (exit code 12).
    pub fn parse(text: &str, kind: Kind, root: &Path) -> Result<Self> {
        let file = ModuleToml::parse(text, kind)?;
        let api = file.spoken_api()?;
        if kind == Kind::Extension && !file.order.is_empty() {
            return Err(Error::new("an extension cannot have an order"));
        }
        let info = file.info;
        let targets =
            if file.targets.is_empty() && file.order.is_empty() { implied_targets(kind, api, root, &file.stacks) } else { file.targets };
        Ok(Self {
            kind,
            api,
            id: info.id,
            version: info.version,
            homepage: Some(info.homepage).filter(|homepage| !homepage.is_empty()),
            clear_env: info.clear_env,
            exec_env: info.exec_env,
            sbom_formats: file.sbom_formats,
            targets,
            order: file.order,
            root: root.to_path_buf(),
        })
    }

    /// Whether it may take part in this execution environment (DESC-10, DET-35, DET-36).
    pub fn is_for(&self, exec_env: &str) -> bool {
        self.api < Api::new(0, 12) || self.exec_env.is_empty() || self.exec_env.iter().any(|env| env == "*" || env == exec_env)
    }

    /// `ID@VERSION`.
    pub fn full_name(&self) -> String {
        format!("{}@{}", self.id, self.version)
    }
}

/// Targets of a descriptor that names none (DESC-13 to DESC-16).
fn implied_targets(kind: Kind, api: Api, root: &Path, stacks: &[Stack]) -> Vec<Target> {
    let linux = || Target { os: "linux".into(), ..Target::default() };
    let ubuntu = || super::target::Distro { name: "ubuntu".into(), version: "18.04".into() };
    let target = |stack: &Stack| match stack.id.as_str() {
        "io.buildpacks.stacks.bionic" if api >= Api::new(0, 10) || stacks.len() == 1 => {
            Some(Target { arch: "amd64".into(), distros: vec![ubuntu()], ..linux() })
        }
        "*" => Some(Target::default()),
        _ => None,
    };
    let of_stacks: Vec<Target> = stacks.iter().filter_map(target).filter(|_| kind == Kind::Buildpack).collect();
    if !of_stacks.is_empty() {
        return of_stacks;
    }
    let programs: &[&str] = match kind {
        Kind::Buildpack => &["bin/build"],
        Kind::Extension => &["bin/detect", "bin/generate"],
    };
    if programs.iter().any(|program| root.join(program).exists()) { vec![linux()] } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Descriptor> {
        Descriptor::parse(text, Kind::Buildpack, Path::new("/none"))
    }

    /// DESC-02, DESC-09, DESC-10, DESC-12, DESC-18.
    #[test]
    fn both_spellings_mean_the_same() {
        let text = |exec_env: &str, variant: &str| {
            format!(
                "api = '0.12'\njunk = 1\n[buildpack]\nid = 'a/b'\nversion = '1'\n{exec_env}\n[[targets]]\nos = 'linux'\n{variant} = 'v8'\n"
            )
        };
        let reference = parse(&text("exec-env = ['test']", "arch-variant")).unwrap();
        let specification = parse(&text("[[buildpack.exec-env]]\nname = 'test'", "variant")).unwrap();
        assert_eq!(reference, specification);
        assert!(reference.is_for("test") && !reference.is_for("production"));
    }

    /// API-07, DESC-17.
    #[test]
    fn unknown_apis_have_their_own_exit_code() {
        for api in ["0.6", "0.13", "", "x"] {
            let error = parse(&format!("api = '{api}'\n[buildpack]\nid = 'a'\n")).unwrap_err();
            assert_eq!(
                (error.exit_code(), error.to_string()),
                (12, format!("buildpack API version '{api}' is incompatible with the lifecycle"))
            );
        }
        let extension = "api = '0.12'\n[extension]\nid = 'a'\n[[order]]\n[[order.group]]\nid = 'b'\n";
        assert!(Descriptor::parse(extension, Kind::Extension, Path::new("/none")).is_err());
    }

    /// DESC-13, DESC-14, DESC-15.
    #[test]
    fn targets_are_implied_by_stacks_and_programs() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::fs::write(folder.path().join("bin/build"), "").unwrap();
        let targets = |stacks: &str, root: &Path| {
            Descriptor::parse(&format!("api = '0.12'\n[buildpack]\nid = 'a'\n{stacks}"), Kind::Buildpack, root).unwrap().targets
        };
        let old = |stacks: &str| parse(&format!("api = '0.9'\n[buildpack]\nid = 'a'\n{stacks}")).unwrap().targets.len();
        let bionic = "[[stacks]]\nid = 'io.buildpacks.stacks.bionic'\n";
        assert_eq!([old(bionic), old(&format!("{bionic}[[stacks]]\nid = 'other'\n"))], [1, 0]);
        assert_eq!(targets(&format!("{bionic}[[stacks]]\nid = '*'\n"), Path::new("/none")).len(), 2);
        assert_eq!(targets("[[stacks]]\nid = '*'\n", folder.path()), [Target::default()]);
        assert_eq!(targets("[[stacks]]\nid = 'io.buildpacks.stacks.bionic'\n", folder.path())[0].distros[0].version, "18.04");
        assert_eq!(targets("", folder.path())[0].os, "linux");
        assert_eq!(targets("", Path::new("/none")), []);
    }

    /// DESC-16, DESC-17.
    #[test]
    fn extensions_with_programs_are_for_linux() {
        let folder = tempfile::tempdir().unwrap();
        let parse = || {
            let text = "api = '0.12'\n[extension]\nid = 'a'\nclear-env = true\nexec-env = ['test']\n[[stacks]]\nid = '*'\n";
            Descriptor::parse(text, Kind::Extension, folder.path()).unwrap()
        };
        std::fs::create_dir(folder.path().join("generate")).unwrap();
        assert_eq!(parse().targets, []);
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::fs::write(folder.path().join("bin/generate"), "").unwrap();
        let extension = parse();
        assert_eq!((extension.targets[0].os.as_str(), extension.clear_env, extension.is_for("production")), ("linux", true, false));
    }

    /// DESC-02, DESC-11: everything that the specification has, and what it has not.
    #[test]
    fn the_whole_of_a_descriptor_is_read() {
        let text = "api = '0.12'\n[buildpack]\nid = 'a/b'\nname = 'A'\nversion = '1.2.3'\nhomepage = 'https://a.test'\nclear-env = true\n\
            description = 'd'\nkeywords = ['k']\nsbom-formats = ['application/spdx+json']\njunk = {x = 1}\n[[buildpack.licenses]]\ntype = 'MIT'\n\
            [[targets]]\narch = 'arm64'\n[[targets.distros]]\nname = 'debian'\n[metadata]\nx = 1\n";
        let descriptor = parse(text).unwrap();
        assert_eq!((descriptor.full_name().as_str(), descriptor.homepage.as_deref()), ("a/b@1.2.3", Some("https://a.test")));
        assert!(descriptor.clear_env && descriptor.sbom_formats == ["application/spdx+json"]);
        let any_os = Target { os: "windows".into(), arch: "arm64".into(), distros: vec![], variant: "v8".into() };
        assert!(!descriptor.targets[0].accepts(&any_os) && descriptor.targets[0].arch == "arm64" && descriptor.targets[0].os.is_empty());
    }

    /// DESC-01.
    #[test]
    fn modules_are_found_by_id_and_version() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("a_b/1.0.0");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::write(root.join("buildpack.toml"), "api = '0.12'\n[buildpack]\nid = 'a/b'\nversion = '1.0.0'\n").unwrap();
        let modules = Modules { buildpacks: folder.path().into(), extensions: folder.path().into() };
        assert_eq!(modules.find(Kind::Buildpack, "a/b", "1.0.0").unwrap().root, root);
        assert!(modules.find(Kind::Extension, "a/b", "1.0.0").is_err() && modules.find(Kind::Buildpack, "a/b", "2").is_err());
        std::fs::File::create(root.join("buildpack.toml")).unwrap().set_len(1 << 30).unwrap();
        assert!(format!("{:?}", modules.find(Kind::Buildpack, "a/b", "1.0.0").unwrap_err()).contains("larger than"));
    }

    #[test]
    fn names_cannot_reach_out_of_the_folder() {
        let modules = Modules { buildpacks: "/none".into(), extensions: "/none".into() };
        for (id, version) in [("..", "1"), ("a", ".."), ("a", "../b"), ("", "1"), ("a", "")] {
            assert!(modules.find(Kind::Buildpack, id, version).unwrap_err().to_string().contains("cannot be the name"));
        }
    }
}
