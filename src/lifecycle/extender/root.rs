//! What instructions do, apart from where they are carried out: [`Root`] is a root file system that an image is being made in.

use crate::error::{Error, Result};
use crate::image::Layer;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// More links than this on the way to one file are a loop.
const MOST_LINKS: usize = 40;

/// A root file system that instructions are carried out in.
pub trait Root {
    /// What is at an absolute path that has no link above its end.
    ///
    /// # Errors
    /// When the file system cannot be read.
    fn entry(&self, path: &Path) -> Result<Option<Entry>>;

    /// The text of a file at such a path; empty where there is none.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn text(&self, path: &Path) -> Result<String>;

    /// Puts the files of a layer in the store into the file system.
    ///
    /// # Errors
    /// When the layer is damaged, or reaches out of the file system.
    fn add(&mut self, layer: &Layer) -> Result<()>;

    /// Runs a program, and returns what it changed as a layer in the store; nothing where it changed nothing.
    ///
    /// # Errors
    /// When it cannot be run, or its exit status is not zero.
    fn run(&mut self, program: &Program) -> Result<Option<Layer>>;
}

/// One file of a root file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// A symbolic link, and where it points.
    Link(PathBuf),
    /// Anything else.
    File,
}

/// A program that an instruction runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// It and its arguments.
    pub arguments: Vec<OsString>,
    /// Its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Its user and group.
    pub user: (u32, u32),
    /// What the image's history says of it.
    pub created_by: String,
}

impl Program {
    /// Checks how the program ended.
    ///
    /// # Errors
    /// When its exit status is not zero.
    pub fn ended(&self, code: i32) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        let words: Vec<_> = self.arguments.iter().map(|word| word.to_string_lossy()).collect();
        Err(Error::new(format!("the command `{}` returned a non-zero code: {code}", words.join(" "))).hint("the lines above say why"))
    }
}

/// The path that an absolute path leads to, links followed as a program inside would follow them, and what is there.
///
/// # Errors
/// When the path leads through a file or in a circle.
pub(super) fn resolve(root: &dyn Root, path: &Path) -> Result<(PathBuf, Option<Entry>)> {
    let mut left: VecDeque<PathBuf> = parts(path).collect();
    let (mut at, mut found) = (PathBuf::from("/"), root.entry(Path::new("/"))?);
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        if part == Path::new("..") {
            at.pop();
            found = root.entry(&at)?;
            continue;
        }
        if found.as_ref().is_some_and(|entry| entry.kind != EntryKind::Folder) {
            return Err(Error::new(format!("`{}` is not a folder", at.display())));
        }
        let next = at.join(&part);
        let entry = if found.is_some() { root.entry(&next)? } else { None };
        if let Some(Entry { kind: EntryKind::Link(target), .. }) = &entry {
            links += 1;
            if links > MOST_LINKS {
                return Err(Error::new(format!("`{}` leads through too many symbolic links", path.display())));
            }
            if target.is_absolute() {
                at = PathBuf::from("/");
                found = root.entry(&at)?;
            }
            parts(target).collect::<Vec<_>>().into_iter().rev().for_each(|part| left.push_front(part));
            continue;
        }
        (at, found) = (next, entry);
    }
    Ok((at, found))
}

fn parts(path: &Path) -> impl Iterator<Item = PathBuf> + '_ {
    path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir)).map(|part| PathBuf::from(part.as_os_str()))
}

/// An absolute path without `.` and `..`; a relative one is below `directory`.
pub(super) fn clean(directory: &Path, path: &str) -> PathBuf {
    let mut cleaned = PathBuf::from("/");
    for component in directory.join(path).components() {
        match component {
            Component::Normal(part) => cleaned.push(part),
            Component::ParentDir => drop(cleaned.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    cleaned
}
