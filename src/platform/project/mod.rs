//! `project.toml`: what the app's authors say of its build (CNB Project Descriptor, schemas 0.1 to 0.3; PRJ rows). What a command line says comes
//! before it. Start with [`Project::read`].

mod inline;
mod schema;
mod source;

pub use inline::Inline;
pub use source::{is_changed, metadata};

use super::environment::Variable;
use crate::error::{Advice, Context, Result};
use crate::output::Output;
use launcher::file::read_document;
use std::path::{Path, PathBuf};

/// The file beside the source.
const FILE: &str = "project.toml";

/// What the file says; nothing where there is none.
#[derive(Debug, Default)]
pub struct Project {
    /// The folder that its paths start from.
    pub folder: PathBuf,
    /// The builder to build with.
    pub builder: Option<String>,
    /// Patterns of what goes into the build.
    pub include: Option<Vec<String>>,
    /// Patterns of what does not.
    pub exclude: Option<Vec<String>>,
    /// Variables of the build.
    pub environment: Vec<Variable>,
    /// The buildpacks to build with, instead of the builder's order.
    pub group: Vec<Module>,
    /// Buildpacks before each group of the builder's order.
    pub pre: Vec<Module>,
    /// Buildpacks after each group of the builder's order.
    pub post: Vec<Module>,
    /// Version and address of the source, where the file declares them.
    pub declared: source::Declared,
}

/// A buildpack of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Module {
    /// What a user would write after `--buildpack`: `ID`, `ID@VERSION` or where it is (PRJ-11).
    Named(String),
    /// One whose program stands in the file.
    Inline(Inline),
}

impl Project {
    /// Reads the file that is named, which must be there, or else that of the source's folder. `exec_env` is the execution environment of the
    /// build: entries for others are left out (PRJ-01, PRJ-19).
    ///
    /// # Errors
    /// When it cannot be read or makes no sense.
    pub fn read(named: Option<&Path>, source: &Path, exec_env: &str, output: &Output) -> Result<Self> {
        let path = named.map_or_else(|| source.join(FILE), Path::to_path_buf);
        let text = match read_document(&path) {
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            other => other.context(|| format!("cannot read the project file `{}`", path.display())).hint("name a project.toml")?,
        };
        let mut warn = |line: &str| output.warn(&format!("{}: {line}", path.display()));
        let describe = || format!("cannot use the project file `{}`", path.display());
        let mut project = Self::parse(&text, exec_env, &mut warn).context(describe)?;
        if named.is_some() {
            project.environment.splice(0..0, schema::packages(&text).context(describe)?);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self { folder: folder.to_path_buf(), ..project })
    }
}
