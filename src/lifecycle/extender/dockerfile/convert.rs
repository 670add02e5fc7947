//! From the library's types to ours.

use super::heredoc::{Lifted, line_of, markers};
use super::{Action, Command, Copy, Dockerfile, Document, Flag, Instruction, Run, Source};
use crate::error::{Error, Result};
use parse_dockerfile as library;

pub(super) fn convert(lifted: &Lifted) -> Result<Dockerfile> {
    let text = &lifted.text;
    let mut parsed = library::parse_iter(text).map_err(|error| wrong(&error))?;
    let mut file = Dockerfile { escape: escape(text), ..Dockerfile::default() };
    loop {
        let instruction = match parsed.next() {
            None => return Ok(file),
            Some(Ok(instruction)) => instruction,
            // A text without stages is for the caller to judge.
            Some(Err(error)) if error.line() == 0 => return Ok(file),
            Some(Err(error)) => return Err(wrong(&error)),
        };
        match instruction {
            library::Instruction::From(from) => file.bases.push(from.image.value.into_owned()),
            library::Instruction::Arg(arg) if file.bases.is_empty() => file.arguments.push(arg.arguments.value.into_owned()),
            // What is in other stages is refused with them.
            _ if file.bases.len() > 1 => {}
            instruction => {
                let reader = Reader { lifted, escape: file.escape };
                let (start, action) = reader.action(instruction)?;
                file.instructions.push(Instruction { line: line_of(text, start), text: reader.joined(&text[start..]), action });
            }
        }
    }
}

fn wrong(error: &library::Error) -> Error {
    Error::new(format!("line {}: {error}", error.line().max(1)))
}

/// The escape directive, which stands in a comment before anything else.
fn escape(text: &str) -> char {
    for line in text.lines() {
        let Some((name, value)) = line.trim().strip_prefix('#').and_then(|comment| comment.split_once('=')) else { break };
        if name.trim().eq_ignore_ascii_case("escape") {
            return value.trim().chars().next().unwrap_or('\\');
        }
        if !["syntax", "check"].iter().any(|known| name.trim().eq_ignore_ascii_case(known)) {
            break;
        }
    }
    '\\'
}

struct Reader<'a> {
    lifted: &'a Lifted,
    escape: char,
}

impl Reader<'_> {
    /// What an instruction does, and where it stands.
    fn action(&self, instruction: library::Instruction) -> Result<(usize, Action)> {
        use library::Instruction as From;
        Ok(match instruction {
            From::Add(it) => (it.add.span.start, Action::Add(self.copy(it.options, it.src, it.dest))),
            From::Copy(it) => (it.copy.span.start, Action::Copy(self.copy(it.options, it.src, it.dest))),
            From::Arg(it) => (it.arg.span.start, Action::Arg(it.arguments.value.into_owned())),
            From::Cmd(it) => (it.cmd.span.start, Action::Cmd(self.command(&it.arguments))),
            From::Entrypoint(it) => (it.entrypoint.span.start, Action::Entrypoint(self.command(&it.arguments))),
            From::Env(it) => (it.env.span.start, Action::Env(it.arguments.value.into_owned())),
            From::Expose(it) => (it.expose.span.start, Action::Expose(texts(it.arguments))),
            From::Healthcheck(it) => {
                let command = match &it.arguments {
                    library::HealthcheckArguments::Cmd { arguments, .. } => Some(self.command(arguments)),
                    _ => None,
                };
                (it.healthcheck.span.start, Action::Healthcheck(flags(it.options), command))
            }
            From::Label(it) => (it.label.span.start, Action::Label(it.arguments.value.into_owned())),
            From::Maintainer(it) => (it.maintainer.span.start, Action::Maintainer(it.name.value.into_owned())),
            From::Onbuild(it) => {
                let start = it.onbuild.span.start;
                (start, Action::Onbuild(self.joined(&self.lifted.text[it.onbuild.span.end..])))
            }
            From::Run(it) => (it.run.span.start, Action::Run(self.run(it))),
            From::Shell(it) => (it.shell.span.start, Action::Shell(texts(it.arguments))),
            From::Stopsignal(it) => (it.stopsignal.span.start, Action::Stopsignal(it.arguments.value.into_owned())),
            From::User(it) => (it.user.span.start, Action::User(it.arguments.value.into_owned())),
            From::Volume(it) => (it.volume.span.start, Action::Volume(volumes(it.arguments))),
            From::Workdir(it) => (it.workdir.span.start, Action::Workdir(it.arguments.value.into_owned())),
            _ => return Err(Error::new("an instruction that this program does not know")),
        })
    }

    fn copy<'a>(
        &self,
        options: impl IntoIterator<Item = library::Flag<'a>>,
        sources: impl IntoIterator<Item = library::Source<'a>>,
        target: library::UnescapedString,
    ) -> Copy {
        let source = |source| match source {
            library::Source::HereDoc(document) => Some(Source::Document(self.document(&document))),
            library::Source::Path(path) => Some(Source::Path(path.value.into_owned())),
            _ => None,
        };
        Copy { flags: flags(options), sources: sources.into_iter().filter_map(source).collect(), target: target.value.into_owned() }
    }

    /// A document is named by its delimiter, which the line at its end holds.
    fn document(&self, document: &library::HereDoc) -> Document {
        let name = self.lifted.text[document.span.end..].lines().next().unwrap_or_default().trim_start_matches('\t');
        Document { name: name.to_string(), content: document.value.to_string(), expand: document.expand }
    }

    fn run(&self, run: library::RunInstruction) -> Run {
        let lifted = self.lifted.documents.get(&run.run.span.start);
        let documents: Vec<Document> =
            run.here_docs.iter().map(|document| self.document(document)).chain(lifted.into_iter().flatten().cloned()).collect();
        let command = match &run.arguments {
            library::Command::Shell(line) if !documents.is_empty() => {
                // The library leaves the marker of a document that it took out of the line.
                let before = &self.lifted.text[..line.span.start];
                let start = if run.here_docs.is_empty() { None } else { before.rfind("<<") };
                Command::Shell(script(&self.joined(&self.lifted.text[start.unwrap_or(line.span.start)..]), &documents))
            }
            command => self.command(command),
        };
        Run { flags: flags(run.options), command }
    }

    fn command(&self, command: &library::Command) -> Command {
        match command {
            library::Command::Exec(words) => Command::Exec(words.value.iter().map(|word| word.value.to_string()).collect()),
            library::Command::Shell(line) => Command::Shell(self.joined(line.value)),
            _ => Command::Exec(Vec::new()),
        }
    }

    /// The first line, with those that continue it; comments between them are left out.
    fn joined(&self, text: &str) -> String {
        let mut joined = String::new();
        for (number, line) in text.lines().enumerate() {
            let is_comment = line.trim_start().starts_with('#');
            if number > 0 && (is_comment || line.trim().is_empty()) {
                continue;
            }
            match line.trim_end().strip_suffix(self.escape) {
                Some(continued) => joined.push_str(continued),
                None => {
                    joined.push_str(line);
                    break;
                }
            }
        }
        joined.trim().to_string()
    }
}

/// What a shell gets: the document itself where there is nothing else, otherwise the line with the documents behind it.
fn script(line: &str, documents: &[Document]) -> String {
    let alone = line.strip_prefix("<<").is_some_and(|rest| !rest.contains(char::is_whitespace) && markers(line).len() == 1);
    if let ([document], true) = (documents, alone) {
        return document.content.clone();
    }
    // Leading tabs are gone already, and a shell that strips them strips nothing more.
    let bodies = documents.iter().map(|document| format!("{}{}\n", document.content, document.name));
    format!("{line}\n{}", bodies.collect::<String>())
}

fn flags<'a>(flags: impl IntoIterator<Item = library::Flag<'a>>) -> Vec<Flag> {
    let flag = |flag: library::Flag| Flag {
        name: flag.name.value.into_owned(),
        value: flag.value.map(|value| value.value.into_owned()).unwrap_or_default(),
    };
    flags.into_iter().map(flag).collect()
}

fn texts<'a>(words: impl IntoIterator<Item = library::UnescapedString<'a>>) -> Vec<String> {
    words.into_iter().map(|word| word.value.into_owned()).collect()
}

fn volumes<const N: usize>(volumes: library::JsonOrStringArray<N>) -> Vec<String> {
    match volumes {
        library::JsonOrStringArray::Json(words) => texts(words.value),
        library::JsonOrStringArray::String(words) => texts(words),
    }
}
