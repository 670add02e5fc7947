//! Compiled modules of the run image's own Python. Debian's packages compile them when they are installed; here the image's Python does it
//! in the sandbox, once for each run image, and the result is a layer of its own. Without it every start of an app takes 0.3 s longer.

use super::base_image::BaseImage;
use super::foreign;
use super::rootfs::RootFs;
use crate::archive::{ENCODER, Entry, LayerWriter, TarWriter};
use crate::error::{Context, Error, Result};
use crate::image::{CREATED, Digest, History, Reference};
use crate::output::Output;
use crate::sandbox::{self, Access, Mount, Network, Privileges, Spec, Upper, User};
use crate::store::{BlobWriter, Store};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use walkdir::WalkDir;

/// Changes when this makes other bytes of the same image.
const RULES: u32 = 4;
/// Where the compiled modules are collected in the sandbox.
const COLLECTED: &str = "/tmp/compiled";

/// The run image with its Python compiled; the same image where it has no Python.
///
/// # Errors
/// When the sandbox cannot be used or the store not be written.
pub fn with_compiled_python(image: BaseImage, store: &Store, output: &Output) -> Result<BaseImage> {
    let Some(python) = image.lock.packages.iter().map(|package| &package.name).find(|name| is_interpreter(name)) else { return Ok(image) };
    let python = python.trim_end_matches("-minimal").to_string();
    let key = Digest::of(format!("{RULES} {ENCODER} {}", image.stored.digest).as_bytes());
    let full = image.name.familiar();
    let name = Reference::parse(&format!("{}:{}", full.split(':').next().unwrap_or(&full), &key.hex()[..16]))?;
    if let Some(stored) = store.find(&name)? {
        return Ok(BaseImage { name, stored, lock: image.lock });
    }
    output.line(&format!("compiling the modules of {python}"));
    let scratch = store.scratch()?;
    let collected = scratch.path().join("compiled");
    fs::create_dir(&collected).context(|| "cannot make a folder for compiled modules")?;
    compile(&image, &python, &collected, store, output).context(|| format!("cannot compile the modules of {python}"))?;
    let history = History { created: CREATED.into(), created_by: format!("Compiled modules of {python}"), ..History::default() };
    let layer = store.put_layer(history, |sink| write(&collected, sink))?;
    let mut compiled = image.stored.image;
    compiled.layers.push(layer);
    let manifest = store.put_image(&compiled)?;
    store.tag(&name, &manifest)?;
    Ok(BaseImage { name, stored: store.read(&manifest.digest)?, lock: image.lock })
}

fn is_interpreter(package: &str) -> bool {
    package
        .strip_prefix("python3.")
        .and_then(|rest| rest.strip_suffix("-minimal"))
        .is_some_and(|minor| minor.bytes().all(|byte| byte.is_ascii_digit()))
}

fn compile(image: &BaseImage, python: &str, collected: &Path, store: &Store, output: &Output) -> Result<()> {
    let root = RootFs::unpack(store, &image.stored.image)?;
    let user = User { uid: 0, gid: 0 };
    let arguments = [
        format!("/usr/bin/{python}").as_str(),
        "-m",
        "compileall",
        "-q",
        "-j",
        "0",
        "--invalidation-mode",
        "unchecked-hash",
        &format!("/usr/lib/{python}"),
        "/usr/lib/python3/dist-packages",
    ]
    .map(std::ffi::OsString::from);
    let spec = Spec {
        lowers: root.lowers(),
        upper: Upper::Discard,
        mounts: vec![Mount { source: collected.to_path_buf(), target: COLLECTED.into(), access: Access::ReadWrite }],
        arguments: arguments.to_vec(),
        // The order of sets would otherwise differ from run to run, and what this run imports would be compiled with times. As
        // variables, because the processes that share the work do not inherit options.
        environment: [("PYTHONHASHSEED", "0"), ("PYTHONDONTWRITEBYTECODE", "1"), ("PYTHONPYCACHEPREFIX", COLLECTED), ("LANG", "C.UTF-8")]
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec(),
        directory: "/".into(),
        user,
        privileges: Privileges::None,
        network: Network::None,
        emulator: foreign::emulator(&image.stored.image.config, store)?,
        writable: Vec::new(),
    };
    let scratch = store.scratch()?;
    let exit = sandbox::run(scratch.path(), &spec, &mut |_, line| output.detail(String::from_utf8_lossy(line).trim_end()))?;
    if exit.interrupted {
        return Err(Error::new("interrupted").code(exit.code));
    }
    // Single modules may fail, as those for other versions do; all of them may not.
    let standard = collected.join("usr/lib").join(python).join("json");
    if standard.is_dir() { Ok(()) } else { Err(Error::new("Python compiled nothing").hint("run the command again with `--verbose`")) }
}

/// The collected modules as a layer: each beside its source in `__pycache__`.
fn write(collected: &Path, sink: &mut LayerWriter<BlobWriter>) -> Result<()> {
    let mut tar = TarWriter::new(sink);
    let time = Entry::NORMAL_TIME;
    let mut folders = BTreeSet::new();
    for folder in ["usr", "usr/lib"] {
        tar.append(&Entry::directory(folder, 0o755, 0, 0, time), std::io::empty())?;
    }
    for entry in WalkDir::new(collected).min_depth(3).sort_by_file_name() {
        let entry = entry.context(|| "cannot read the compiled modules")?;
        let path = entry.path().strip_prefix(collected).context(|| "a path outside of the folder")?;
        if entry.file_type().is_dir() {
            tar.append(&Entry::directory(path.as_os_str().as_encoded_bytes(), 0o755, 0, 0, time), std::io::empty())?;
        } else if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
            let place = folder.join("__pycache__");
            // Docker refuses a layer that names a path twice.
            if folders.insert(place.clone()) {
                tar.append(&Entry::directory(place.as_os_str().as_encoded_bytes(), 0o755, 0, 0, time), std::io::empty())?;
            }
            let file = File::open(entry.path())?;
            let size = file.metadata()?.len();
            tar.append(&Entry::file(place.join(name).as_os_str().as_encoded_bytes(), size, 0o644, 0, 0, time), file)?;
        }
    }
    tar.finish()?;
    Ok(())
}
