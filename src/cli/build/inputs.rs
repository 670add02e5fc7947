//! Options that say what is built.

use crate::cli::Session;
use crate::error::Result;
use crate::output::{Output, Verbosity, human_bytes};
use crate::platform::app::{self, Inputs as Listed, Rules, Source};
use crate::platform::build::checked_exec_env;
use crate::platform::environment::Variable;
use crate::platform::project::Project;
use crate::store::Store;
use std::path::{Path, PathBuf};

/// What is built.
#[derive(clap::Args)]
pub(super) struct Inputs {
    /// Folder with the source code, or a zip, jar or war file of one [default: .].
    #[arg(long, short, value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// Project file, instead of the source's own `project.toml`.
    #[arg(long, short, value_name = "FILE")]
    pub descriptor: Option<PathBuf>,
    /// Build nothing: list the files that would go into the build with their sizes, and what is left out by which rule of `project.toml` or
    /// `.cooperignore`.
    #[arg(long)]
    pub list_inputs: bool,
    /// Environment variable of the build, as `NAME=VALUE`, or `NAME` to hand over this shell's value; repeatable.
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub env: Vec<String>,
    /// File with one environment variable of the build on each line; repeatable.
    #[arg(long, value_name = "FILE")]
    pub env_file: Vec<PathBuf>,
    /// What the image is for: buildpacks for another execution environment are left out.
    #[arg(long, value_name = "NAME", default_value = "production")]
    pub exec_env: String,
}

/// The source, and what its authors say of it.
pub(super) struct Opened {
    pub source: Source,
    pub project: Project,
    pub rules: Rules,
    pub exec_env: String,
}

impl Inputs {
    pub fn open(&self, store: &Store, output: &Output) -> Result<Opened> {
        let source = Source::open(self.path.as_deref().unwrap_or(Path::new(".")), store)?;
        let exec_env = checked_exec_env(&self.exec_env)?;
        let project = Project::read(self.descriptor.as_deref(), source.folder(), &exec_env, output)?;
        let rules = Rules::read(source.folder(), project.include.as_deref(), project.exclude.as_deref())?;
        Ok(Opened { source, project, rules, exec_env })
    }

    /// The variables of the project file, of files, and of the command line: later ones win (PRJ-17, CLI-08). As in the reference, a name that
    /// this shell has no value for is there, and empty.
    pub fn environment(&self, project: &Project) -> Result<Vec<Variable>> {
        let given = Variable::collect(&self.env_file, &self.env, |name| Some(std::env::var(name).unwrap_or_default()))?;
        Ok(project.environment.iter().cloned().chain(given).collect())
    }

    /// Says what would go into the build.
    pub fn list(&self, opened: &Opened, session: &Session, store: &Store) -> Result<u8> {
        let inputs = app::list(opened.source.folder(), &opened.rules, &[store.root().to_path_buf()])?;
        let names_only = session.output.verbosity() == Verbosity::Quiet;
        session.print(&if names_only { names(&inputs) } else { text(&inputs) })?;
        Ok(0)
    }
}

fn names(inputs: &Listed) -> String {
    inputs.files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join("\n")
}

fn text(inputs: &Listed) -> String {
    let file = |(name, size): &(String, u64)| format!("{:>10}  {name}\n", human_bytes(*size));
    let mut text: String = inputs.files.iter().map(file).collect();
    let count = inputs.files.len();
    text.push_str(&format!("{:>10}  in {count} {}\n", human_bytes(inputs.size()), if count == 1 { "file" } else { "files" }));
    if inputs.left_out.is_empty() {
        text.push_str("\nnothing is left out; name what is in a file `.cooperignore`, written as a .gitignore\n");
        return text;
    }
    let longest = inputs.left_out.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(50);
    text.push_str("\nleft out\n");
    text.extend(inputs.left_out.iter().map(|(name, rule)| format!("  {name:longest$}  {rule}\n")));
    text
}
