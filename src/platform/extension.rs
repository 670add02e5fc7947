//! Image extensions: what their Dockerfiles do to an image is done in the sandbox, without root.

use super::foreign;
use super::images::InStore;
use super::rootfs::RootFs;
use crate::archive::{Below, Changes, Entry as Member, Times, write_changes};
use crate::error::{Context, Error, Result};
use crate::image::{History, Layer};
use crate::lifecycle::extender::{self, Applied, Entry, Extend, Kind, Program, Root, Steps};
use crate::lifecycle::log::Level;
use crate::output::Output;
use crate::sandbox::{self, Emulator, Mount, Network, Privileges, Spec, Upper, User};
use crate::store::Store;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Results of instructions are used again this long.
const KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// What extensions cannot change (EXT-07).
const LEFT_OUT: [&str; 4] = ["/workspace", "/layers", "/platform", "/var/run"];

/// What extensions work with.
pub struct Surroundings<'a> {
    /// The store.
    pub store: &'a Store,
    /// What a person sees.
    pub output: &'a Output,
    /// What programs see of this machine.
    pub mounts: Vec<Mount>,
    /// What they can reach.
    pub network: Network,
    /// The proxies that they are to use.
    pub proxies: Vec<(String, String)>,
}

/// Applies Dockerfiles to an image. The result is in the store, without a name.
///
/// # Errors
/// When an instruction fails (exit code 102).
pub fn extend(kind: Kind, image: &InStore, dockerfiles: &[Applied], around: &Surroundings) -> Result<InStore> {
    if dockerfiles.is_empty() {
        return Ok(image.clone());
    }
    let steps = Steps { store: around.store, longest: KEPT };
    steps.forget_old()?;
    let log = |level: Level, line: &str| match level {
        Level::Debug => around.output.detail(line),
        Level::Info => around.output.program_line("extender", line),
        Level::Warning => around.output.warn(line),
    };
    let emulator = foreign::emulator(&image.stored.image.config, around.store)?;
    let mut root = Sandboxed { around, files: RootFs::unpack(around.store, &image.stored.image)?, emulator };
    let reference = image.identifier();
    let request = Extend { kind, dockerfiles, image: &image.stored.image, reference: &reference, proxies: &around.proxies, steps };
    let extended = extender::extend(&request, &mut root, &log).context(|| format!("cannot extend the {} image", kind.name()))?;
    let manifest = around.store.put_image(&extended)?;
    Ok(InStore { name: image.name.clone(), stored: around.store.read(&manifest.digest)?, engine_id: None })
}

/// The unpacked layers of an image, over which each program gets an overlay.
struct Sandboxed<'a> {
    around: &'a Surroundings<'a>,
    files: RootFs,
    emulator: Option<Emulator>,
}

impl Root for Sandboxed<'_> {
    fn entry(&self, path: &Path) -> Result<Option<Entry>> {
        self.files.entry(path)
    }

    fn text(&self, path: &Path) -> Result<String> {
        self.files.text_at(path)
    }

    fn add(&mut self, layer: &Layer) -> Result<()> {
        self.files.push(self.around.store.unpacked(layer)?);
        Ok(())
    }

    fn run(&mut self, program: &Program) -> Result<Option<Layer>> {
        let scratch = self.around.store.scratch()?;
        let (tree, owners) = (scratch.path().join("changes"), scratch.path().join("owners"));
        let user = User { uid: program.user.0, gid: program.user.1 };
        let spec = Spec {
            lowers: self.files.lowers(),
            upper: Upper::Keep { tree: tree.clone(), owners: owners.clone() },
            mounts: self.around.mounts.clone(),
            arguments: program.arguments.clone(),
            environment: program.environment.clone(),
            directory: program.directory.clone(),
            user,
            privileges: Privileges::Container,
            network: self.around.network.clone(),
            emulator: self.emulator.clone(),
            writable: self.files.writable(user)?,
        };
        let output = self.around.output;
        let mut print = |_: sandbox::Stream, line: &[u8]| {
            output.program_line("extender", String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']));
        };
        let exit = sandbox::run(scratch.path(), &spec, &mut print)?;
        if exit.interrupted {
            return Err(Error::new("the build was interrupted").code(exit.code));
        }
        program.ended(exit.code.into())?;
        self.layer(&tree, &owners, program)
    }
}

impl Sandboxed<'_> {
    fn layer(&mut self, tree: &Path, owners: &Path, program: &Program) -> Result<Option<Layer>> {
        let below: Vec<Below> = self.files.layers().iter().map(|layer| Below { tree: &layer.tree, owners: &layer.owners }).collect();
        let leave_out: Vec<PathBuf> = LEFT_OUT.iter().map(PathBuf::from).collect();
        let times = Times::All(Member::NORMAL_TIME);
        let changes = Changes { tree, owners, below: &below, user: program.user, leave_out: &leave_out, times };
        let history = History { created_by: program.created_by.clone(), ..History::default() };
        let mut members = 0;
        let layer = self.around.store.put_layer(history, |out| {
            members = write_changes(&changes, out)?;
            Ok(())
        })?;
        if members == 0 {
            return Ok(None);
        }
        self.add(&layer)?;
        Ok(Some(layer))
    }
}
