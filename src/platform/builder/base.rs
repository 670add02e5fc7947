//! The images that a new builder stands on: named ones are brought, others composed from Debian packages.

use super::config::Base;
use super::create::Create;
use super::from_image;
use crate::debian::Kind;
use crate::error::{Context, Result};
use crate::image::{Digest, Image, Platform, Reference};
use crate::platform::base_image::{Described, Distribution};
use crate::platform::buildpackage::Sources;
use crate::platform::compiled::with_compiled_python;
use crate::platform::embedded::BUILDERS;
use crate::platform::images::InStore;
use crate::platform::place::Place;
use crate::platform::transfer::Extent;
use std::fs;
use std::path::Path;

/// The image that buildpacks run in.
pub(super) fn build_image(create: &Create, sources: &Sources) -> Result<InStore> {
    match &create.config.build {
        Base::Image(name) => sources.bring(&Place::parse(name)?),
        Base::Composed(file) => composed(file, Kind::Build, create, sources),
    }
}

/// Composes the run image, where it is to be, else looks at the one that is named (BIMG-27).
pub(super) fn run_image(create: &Create, build: &Image, sources: &Sources) -> Result<Option<(Reference, Image)>> {
    let images = sources.images;
    let Some(names) = create.config.run_images.first() else { return Ok(None) };
    if let Some(file) = &create.config.run_base {
        let name =
            Reference::parse_new(&names.image).context(|| "a composed run image needs a name to be found by: the first of `run.images`")?;
        let run = composed(file, Kind::Run, create, sources).context(|| "cannot compose the run image")?;
        images.store.name(&name, &run.stored)?;
        return Ok(Some((name, run.stored.image)));
    }
    if sources.platform != crate::platform::images::here() {
        return Ok(None);
    }
    match Place::parse(&names.image).and_then(|place| images.open(&place, Extent::One)) {
        Ok(run) => from_image::check_platform(build, run.image()?)
            .map(|()| None)
            .context(|| format!("the run image `{}` does not fit", names.image)),
        Err(error) => {
            images.output.warn(&format!("the run image `{}` cannot be looked at now: {error:?}", names.image));
            Ok(None)
        }
    }
}

fn composed(file: &Path, kind: Kind, create: &Create, sources: &Sources) -> Result<InStore> {
    let text = fs::read_to_string(file).context(|| format!("cannot read `{}`", file.display()))?;
    let images = sources.images;
    let packages = match kind {
        Kind::Build => &create.config.packages.build,
        Kind::Run => &create.config.packages.run,
    };
    // Builders on one description share its images.
    let own = || format!("base-{}", &Digest::of(text.as_bytes()).hex()[..12]);
    let name = BUILDERS.iter().find(|builder| builder.base == text).map_or_else(own, |builder| builder.name.into());
    let platform: Platform = format!("{}/{}", sources.platform.0, sources.platform.1).parse()?;
    let distribution = Distribution::new(Described { name: &name, text: &text }, &platform, create.mirrors, images.store, images.output)?;
    let image = distribution.image(kind, packages)?;
    let image = match kind {
        Kind::Build => image,
        Kind::Run => with_compiled_python(image, images.store, images.output)?,
    };
    Ok(image.into())
}
