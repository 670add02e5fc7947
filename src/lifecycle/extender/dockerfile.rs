//! A Dockerfile as this program understands it (Image Extension Specification, "Dockerfile Requirements"; Docker's Dockerfile reference for
//! the grammar). A library parses; what it leaves in one piece is divided here. Start with [`Dockerfile::parse`].

mod convert;
mod heredoc;
mod validate;

use crate::error::{Error, Result};
pub use validate::Effect;

/// A longer file is no Dockerfile but an attack.
const LONGEST: usize = 1 << 20;

/// A Dockerfile of one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dockerfile {
    /// What stands behind each `ARG` before the stage.
    pub arguments: Vec<String>,
    /// The image that each stage starts from, as it is written.
    pub bases: Vec<String>,
    /// The instructions of the first stage, without its `FROM`.
    pub instructions: Vec<Instruction>,
    /// What takes the meaning of the next letter away.
    pub escape: char,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The line that it starts on, from 1.
    pub line: usize,
    /// The instruction as it is written, in one line unless it has here-documents.
    pub text: String,
    /// What it does.
    pub action: Action,
}

/// What an instruction does. Texts are as they are written: quotes and variables are still in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Files into the image; archives are unpacked.
    Add(Copy),
    /// Variables of the build.
    Arg(String),
    /// What a container runs.
    Cmd(Command),
    /// Files into the image.
    Copy(Copy),
    /// What a container runs, before its arguments.
    Entrypoint(Command),
    /// Variables of the image.
    Env(String),
    /// Ports.
    Expose(Vec<String>),
    /// How an engine asks whether a container is well; nothing means not at all.
    Healthcheck(Vec<Flag>, Option<Command>),
    /// Labels.
    Label(String),
    /// Who made the image.
    Maintainer(String),
    /// An instruction for whoever builds on the image.
    Onbuild(String),
    /// A program to run.
    Run(Run),
    /// The shell of the shell form.
    Shell(Vec<String>),
    /// The signal that stops a container.
    Stopsignal(String),
    /// The user of what follows.
    User(String),
    /// Folders that are volumes.
    Volume(Vec<String>),
    /// The folder of what follows.
    Workdir(String),
}

/// An option, as `--chown=1000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// Its name, without dashes.
    pub name: String,
    /// Its value; empty where it has none.
    pub value: String,
}

/// Files to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Options.
    pub flags: Vec<Flag>,
    /// What to copy.
    pub sources: Vec<Source>,
    /// Where to.
    pub target: String,
}

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A path of the context, or a pattern.
    Path(String),
    /// A file whose content stands in the Dockerfile.
    Document(Document),
}

/// A here-document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its delimiter, which is the file's name.
    pub name: String,
    /// Its content.
    pub content: String,
    /// Whether variables in it are replaced.
    pub expand: bool,
}

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Options.
    pub flags: Vec<Flag>,
    /// The program.
    pub command: Command,
}

/// A program, in one of two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Program and arguments.
    Exec(Vec<String>),
    /// A line for a shell, or several from here-documents.
    Shell(String),
}

impl Action {
    /// The instruction's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Add(_) => "ADD",
            Self::Arg(_) => "ARG",
            Self::Cmd(_) => "CMD",
            Self::Copy(_) => "COPY",
            Self::Entrypoint(_) => "ENTRYPOINT",
            Self::Env(_) => "ENV",
            Self::Expose(_) => "EXPOSE",
            Self::Healthcheck(..) => "HEALTHCHECK",
            Self::Label(_) => "LABEL",
            Self::Maintainer(_) => "MAINTAINER",
            Self::Onbuild(_) => "ONBUILD",
            Self::Run(_) => "RUN",
            Self::Shell(_) => "SHELL",
            Self::Stopsignal(_) => "STOPSIGNAL",
            Self::User(_) => "USER",
            Self::Volume(_) => "VOLUME",
            Self::Workdir(_) => "WORKDIR",
        }
    }
}

impl Dockerfile {
    /// Reads the text of a Dockerfile. One without any stage has no `bases`.
    ///
    /// # Errors
    /// When the text is no Dockerfile; the message names the line.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > LONGEST {
            return Err(too_long());
        }
        let lifted = heredoc::lift(text)?;
        convert::convert(&lifted)
    }
}

fn too_long() -> Error {
    Error::new(format!("a Dockerfile of more than {LONGEST} bytes is not read"))
}

#[cfg(test)]
mod tests;
