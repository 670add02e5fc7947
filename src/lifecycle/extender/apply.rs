//! Carries out the instructions of one Dockerfile, as Docker's builder does. What only describes the image changes its configuration;
//! `RUN`, `COPY`, `ADD` and `WORKDIR` make at most one layer each.

mod variables;

use super::account::account;
use super::configure;
use super::context::Context;
use super::copy::{self, options};
use super::dockerfile::{Action, Command, Copy, Instruction, Run, Source};
use super::generated::Applied;
use super::layer::Files;
use super::root::{Program, Root, clean};
use super::steps::Steps;
use crate::archive::ENCODER;
use crate::error::{Advice, Context as _, Error, Result};
use crate::image::{Digest, Image, Layer};
use crate::lifecycle::log::{Level, Log};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use variables::PREDEFINED;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SHELL: [&str; 2] = ["/bin/sh", "-c"];
/// The argument that is another one each time, so that what uses it is done again (Image Extension Specification).
const BUILD_ID: &str = "build_id";

/// What instructions are carried out with.
pub(super) struct Tools<'a> {
    pub root: &'a mut dyn Root,
    pub steps: Steps<'a>,
    pub log: &'a Log<'a>,
}

/// An image on its way through a Dockerfile.
pub(super) struct Apply<'a> {
    applied: &'a Applied,
    /// The arguments of the build, whether a Dockerfile declares them or not.
    given: BTreeMap<String, String>,
    /// Those that it declared, with their values.
    declared: BTreeMap<String, String>,
    context: OnceCell<Context>,
    set_command: bool,
    pub image: Image,
}

impl<'a> Apply<'a> {
    /// Starts from an image.
    pub fn new(applied: &'a Applied, given: BTreeMap<String, String>, image: Image) -> Self {
        Self { applied, given, declared: BTreeMap::new(), context: OnceCell::new(), set_command: false, image }
    }

    /// Carries all instructions out.
    ///
    /// # Errors
    /// When one cannot be; the message says which.
    pub fn all(&mut self, tools: &mut Tools) -> Result<()> {
        for instruction in &self.applied.dockerfile.instructions {
            (tools.log)(Level::Info, &instruction.text);
            self.one(instruction, tools)
                .context(|| format!("line {} of `{}`: {}", instruction.line, self.applied.path.display(), instruction.text))?;
        }
        Ok(())
    }

    fn one(&mut self, instruction: &Instruction, tools: &mut Tools) -> Result<()> {
        match &instruction.action {
            Action::Arg(text) => self.arg(text)?,
            Action::Env(text) => {
                for (name, value) in self.pairs(text)? {
                    self.image.config.set_variable(&name, &value);
                }
            }
            Action::Label(text) => {
                for (name, value) in self.pairs(text)? {
                    self.image.set_label(name, value);
                }
            }
            Action::User(text) => self.image.config.config.user = self.one_word(text)?,
            Action::Shell(words) => self.image.config.config.shell = Some(words.clone()),
            Action::Workdir(text) => return self.workdir(text, instruction, tools),
            Action::Run(run) => return self.run(run, instruction, tools),
            Action::Copy(copy) => return self.copy(copy, Archives::Copy, instruction, tools),
            Action::Add(copy) => return self.copy(copy, Archives::Unpack, instruction, tools),
            Action::Cmd(command) => {
                self.set_command = true;
                self.image.config.config.cmd = Some(self.words_of(command));
            }
            Action::Entrypoint(command) => {
                if !self.set_command {
                    // The arguments were for another program.
                    self.image.config.config.cmd = None;
                }
                self.image.config.config.entrypoint = Some(self.words_of(command));
            }
            Action::Expose(ports) => {
                let ports = ports.iter().map(|text| self.expand(text)).collect::<Result<Vec<_>>>()?;
                configure::expose(&mut self.image, &ports)?;
            }
            Action::Volume(folders) => {
                let folders = folders.iter().map(|text| self.one_word(text)).collect::<Result<Vec<_>>>()?;
                configure::volumes(&mut self.image, &folders);
            }
            Action::Healthcheck(flags, command) => {
                let shell = command.as_ref().map(|command| matches!(command, Command::Shell(_)));
                let words = command.as_ref().map(|command| match command {
                    Command::Exec(words) => words.clone(),
                    Command::Shell(line) => vec![line.clone()],
                });
                configure::healthcheck(&mut self.image, flags, words, shell == Some(true))?;
            }
            Action::Stopsignal(text) => self.image.config.config.stop_signal = self.one_word(text)?,
            Action::Maintainer(text) => self.image.config.author.clone_from(text),
            Action::Onbuild(text) => configure::onbuild(&mut self.image, text),
        }
        Ok(())
    }

    fn shell(&self) -> Vec<String> {
        self.image.config.config.shell.clone().unwrap_or_else(|| SHELL.map(str::to_string).to_vec())
    }

    fn words_of(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Exec(words) => words.clone(),
            Command::Shell(line) => self.shell().into_iter().chain([line.clone()]).collect(),
        }
    }

    fn directory(&self) -> PathBuf {
        clean(&PathBuf::from("/"), &self.image.config.config.working_dir)
    }

    fn workdir(&mut self, text: &str, instruction: &Instruction, tools: &mut Tools) -> Result<()> {
        let path = clean(&self.directory(), &self.one_word(text)?);
        self.image.config.config.working_dir = path.to_string_lossy().into_owned();
        let user = account(tools.root, &self.image.config.config.user, |_| 0)?;
        let files = copy::folder(tools.root, &path, (user.uid, user.gid))?;
        self.add(&files, instruction, tools)
    }

    fn copy(&mut self, copy: &Copy, archives: Archives, instruction: &Instruction, tools: &mut Tools) -> Result<()> {
        let flags = copy.flags.iter().map(|flag| Ok(super::dockerfile::Flag { value: self.expand(&flag.value)?, ..flag.clone() }));
        let (owner, mode) = options(tools.root, &flags.collect::<Result<Vec<_>>>()?)?;
        let sources = copy.sources.iter().map(|source| match source {
            Source::Path(path) => self.one_word(path).map(Source::Path),
            Source::Document(document) if document.expand => {
                Ok(Source::Document(super::dockerfile::Document { content: self.expand_document(&document.content)?, ..document.clone() }))
            }
            Source::Document(document) => Ok(Source::Document(document.clone())),
        });
        let sources = sources.collect::<Result<Vec<_>>>()?;
        let scratch = tools.steps.store.scratch()?;
        if self.context.get().is_none() {
            drop(self.context.set(Context::open(&self.applied.context)?));
        }
        let request = copy::Request {
            root: tools.root,
            context: self.context.get().context(|| "there is no context")?,
            sources,
            target: self.one_word(&copy.target)?,
            directory: &self.directory(),
            owner,
            mode,
            unpack_into: (archives == Archives::Unpack).then(|| scratch.path()),
        };
        let files = copy::plan(&request)?;
        self.add(&files, instruction, tools)
    }

    /// Puts files into the image as a layer.
    fn add(&mut self, files: &Files, instruction: &Instruction, tools: &mut Tools) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        let key = self.key(&[&instruction.text, &files.digest()?]);
        let created_by = self.created_by(instruction);
        self.cached(&key, tools, |tools| {
            let layer = files.write(tools.steps.store, &created_by)?;
            tools.root.add(&layer)?;
            Ok(Some(layer))
        })
    }

    fn run(&mut self, run: &Run, instruction: &Instruction, tools: &mut Tools) -> Result<()> {
        if let Some(flag) = run.flags.iter().find(|flag| flag.name != "network" || flag.value != "default") {
            let written = if flag.value.is_empty() { flag.name.clone() } else { format!("{}={}", flag.name, flag.value) };
            return Err(Error::new(format!("`RUN --{written}` is not offered")))
                .hint("mounts, networks and privileges of a single instruction belong to BuildKit; write the instruction without");
        }
        if let Command::Shell(script) = &run.command
            && script.starts_with("#!")
        {
            return Err(Error::new("a here-document that names its own interpreter is not offered"))
                .hint("call the interpreter: `RUN python3 <<EOF`");
        }
        let user = account(tools.root, &self.image.config.config.user, |_| 0)?;
        let arguments = self.words_of(&run.command);
        let mut environment: BTreeMap<String, String> = BTreeMap::from([("PATH".into(), PATH.into()), ("HOME".into(), user.home)]);
        environment.extend(self.given.iter().filter(|(name, _)| PREDEFINED.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())));
        environment.extend(self.declared.clone());
        let variables = self.image.config.config.env.iter().flatten().filter_map(|line| line.split_once('='));
        environment.extend(variables.map(|(name, value)| (name.to_string(), value.to_string())));
        let program = Program {
            arguments: arguments.iter().map(Into::into).collect(),
            environment: environment.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
            directory: self.directory(),
            user: (user.uid, user.gid),
            created_by: self.created_by(instruction),
        };
        let used: Vec<String> =
            self.declared.iter().filter(|(name, _)| is_used(name, &arguments)).map(|(n, v)| format!("{n}={v}")).collect();
        let key = self.key(&[&arguments.join("\0"), &used.join("\0")]);
        self.cached(&key, tools, |tools| tools.root.run(&program))
    }

    /// A digest of the image so far and of what an instruction depends on beside it.
    fn key(&self, parts: &[&str]) -> Digest {
        let config = &self.image.config.config;
        let layers: Vec<&str> = self.image.layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        let state = serde_json::json!([ENCODER, layers, config.env, config.user, config.working_dir, config.shell, parts]);
        Digest::of(state.to_string().as_bytes())
    }

    /// Takes a layer that was made before, or makes it now.
    fn cached(&mut self, key: &Digest, tools: &mut Tools, make: impl FnOnce(&mut Tools) -> Result<Option<Layer>>) -> Result<()> {
        let layer = match tools.steps.find(key)? {
            Some(layer) => {
                (tools.log)(Level::Info, "Using cache");
                if let Some(layer) = &layer {
                    tools.root.add(layer)?;
                }
                layer
            }
            None => {
                let layer = make(tools)?;
                tools.steps.keep(key, layer.as_ref())?;
                layer
            }
        };
        self.image.layers.extend(layer);
        Ok(())
    }

    /// EXT-13.
    fn created_by(&self, instruction: &Instruction) -> String {
        format!("Layer: '{}', Created by extension: {}", instruction.text, self.applied.extension)
    }
}

/// What becomes of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Archives {
    Copy,
    Unpack,
}

/// Whether a program depends on an argument: any may, but the one that changes each time only where it is written.
fn is_used(name: &str, arguments: &[String]) -> bool {
    name != BUILD_ID || arguments.iter().any(|argument| argument.contains(name))
}
