//! Where a phase's images are, by its flags, and what their names must be like (IMG-02, IMG-03, API-24).

use super::{BAD_ARGUMENT, Inputs, Phase};
use crate::daemon::{Engine, Settings};
use crate::error::{Advice, Context, Error, Result};
use crate::image::Reference;
use crate::lifecycle::cache::LaunchCache;
use crate::lifecycle::images::{Daemon, Images, Layouts, Registry};
use crate::registry::Registries;
use std::path::PathBuf;
use std::sync::Arc;

/// Connects to the engine, where images are in one. This comes before privileges are given up, because its socket may be root's (EXIT-17,
/// EXIT-20), and starts no thread.
///
/// # Errors
/// When it cannot be reached.
pub(super) fn connect(inputs: &Inputs) -> Result<Option<Engine>> {
    if !inputs.is_on("daemon") {
        return Ok(None);
    }
    Engine::connect(&Settings::of_environment(|name| inputs.environment_text(name).map(Into::into))).map(Some)
}

/// Opens the place that images are in.
///
/// # Errors
/// When the flags ask for what cannot be.
pub(super) fn open(engine: Option<Engine>, inputs: &Inputs, phase: &Phase, registries: &Arc<Registries>) -> Result<Images> {
    let launch_cache = inputs.optional_path("launch-cache");
    if let Some(engine) = engine {
        let open = |folder: PathBuf| LaunchCache::open(&folder).context(|| "failed to create launch cache");
        return Ok(Images::Daemon(Daemon::new(engine, launch_cache.map(open).transpose()?)));
    }
    if launch_cache.is_some() {
        // IN-19.
        phase.output.warn("Ignoring -launch-cache, only intended for use with -daemon");
    }
    if inputs.is_on("layout") {
        phase.allow_experimental(inputs, "export to OCI layout format")?;
        let folder =
            inputs.optional_path("layout-dir").context(|| "failed to resolve inputs: -layout-dir is required").code(BAD_ARGUMENT)?;
        return Ok(Images::Layouts(Layouts::new(folder)));
    }
    Ok(Images::Registry(Registry::new(registries.clone())))
}

/// The names of the images that a phase is to make.
///
/// # Errors
/// When a name is none, or they are in several registries (exit code 3).
pub(super) fn output_names(names: &[String], inputs: &Inputs) -> Result<Vec<Reference>> {
    let parse = |name: &String| Reference::parse_new(name).context(|| format!("failed to resolve inputs: `{name}` cannot name an image"));
    let names: Vec<Reference> = names.iter().map(parse).collect::<Result<_>>().code(BAD_ARGUMENT)?;
    let one_registry = names.windows(2).all(|pair| pair[0].registry() == pair[1].registry());
    if one_registry || inputs.is_on("daemon") {
        Ok(names)
    } else {
        Err(Error::new("failed to resolve inputs: writing to multiple registries is unsupported")).code(BAD_ARGUMENT)
    }
}
