//! Where an app image is that is rebased, and where the new one goes. In registries and engines only what describes an image is read.

use super::{Request, RunImage, WENT_WRONG};
use crate::daemon::Engine;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Descriptor, Digest, Image, Reference};
use crate::lifecycle::documents::report::ImageReport;
use crate::lifecycle::exporter;
use crate::lifecycle::images::{self as lifecycle, Daemon, Found};
use crate::platform::images::Images;
use crate::platform::place::Place;
use crate::platform::publish::{self, Member};
use crate::platform::pull::Pull;
use crate::platform::transfer::{Extent, Opened};
use crate::registry;
use crate::store::{self, Stored};
use std::path::Path;

/// An app image.
pub(super) struct App {
    pub image: Image,
    /// What the image is before: the digest of its manifest, or of what an engine would make of it.
    pub digest: Digest,
    /// The registry that has its layers.
    pub registry: Option<Reference>,
    /// What the list says of it, where it is in one.
    pub entry: Option<Descriptor>,
    engine: Option<(lifecycle::Images, Found)>,
}

/// An app image, or all of a list.
pub(super) struct Apps {
    pub all: Vec<App>,
    /// The list that they are of.
    pub list: Option<registry::List>,
}

impl Apps {
    /// Looks the app image up, in a registry all images of a list.
    pub fn open(request: &Request, images: &Images) -> Result<Self> {
        App::find(request, images).code(WENT_WRONG)
    }

    fn single(app: App) -> Self {
        Self { all: vec![app], list: None }
    }
}

/// Whether two places are of one kind: then nothing has to pass through the store.
fn are_alike(one: &Place, other: &Place) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

impl App {
    fn find(request: &Request, images: &Images) -> Result<Apps> {
        let source = request.previous.as_ref().unwrap_or(&request.image);
        let stored = match source {
            Place::Registry(name) if are_alike(source, &request.image) => return Self::of_registry(name, images),
            Place::Engine(Some(name)) if are_alike(source, &request.image) => return Ok(Apps::single(Self::of_engine(name, images)?)),
            Place::Store(name) => images.of_store(name).hint("`--publish` rebases an image in its registry")?,
            Place::Layout { .. } | Place::Archive { .. } | Place::Engine(_) | Place::Registry(_) | Place::Name(_) => {
                images.bring(source)?.stored
            }
        };
        Ok(Apps::single(Self { image: stored.image, digest: stored.digest, registry: None, entry: None, engine: None }))
    }

    fn of_registry(name: &Reference, images: &Images) -> Result<Apps> {
        let listing = images.registries.listing(name)?;
        let is_list = listing.list.is_some();
        let app = |registry::Member { descriptor, remote }| Self {
            image: remote.image,
            digest: remote.manifest.digest,
            registry: Some(name.clone()),
            entry: is_list.then_some(descriptor),
            engine: None,
        };
        match listing.members.is_empty() {
            true if is_list => Err(Error::new(format!("`{}` is a list without images", name.full()))),
            true => Err(Error::new(format!("the registry does not have `{}`", name.full())).hint("check the name and the tag")),
            false => Ok(Apps { all: listing.members.into_iter().map(app).collect(), list: listing.list }),
        }
    }

    fn of_engine(name: &Reference, images: &Images) -> Result<Self> {
        let engine = lifecycle::Images::Daemon(Daemon::new(Engine::connect(images.engine)?, None));
        let found = engine.named(name)?;
        let found = found.context(|| format!("the engine has no image `{name}`")).hint("`docker images` lists what it has")?;
        let digest = found.image.documents().descriptor.digest;
        Ok(Self { image: found.image.clone(), digest, registry: None, entry: None, engine: Some((engine, found)) })
    }

    /// The run image of an app that is in an engine: in the engine too, where a registry's comes first if it is to be asked.
    pub fn run_image_in_engine(&self, place: &Place, images: &Images) -> Result<Option<RunImage>> {
        let Some((engine, _)) = &self.engine else { return Ok(None) };
        let (Place::Engine(Some(name)) | Place::Name(name) | Place::Registry(name) | Place::Store(name)) = place else {
            return Err(Error::new(format!("the app is in an engine, its run image at `{place}`"))
                .hint(format!("load the run image first: `cooper copy {place} docker:NAME`")));
        };
        if !matches!(place, Place::Engine(_)) {
            Self::load_run_image(place, name, engine, images)?;
        }
        let found = engine.named(name)?.context(|| format!("the engine has no image `{name}`"))?;
        Ok(Some(RunImage { name: name.to_string(), reference: found.identifier, image: found.image, registry: None, lock: None }))
    }

    fn load_run_image(place: &Place, name: &Reference, engine: &lifecycle::Images, images: &Images) -> Result<()> {
        let is_there = || engine.named(name).is_ok_and(|found| found.is_some());
        let asks = !matches!(images.pull, Pull::Never | Pull::IfNotPresent) || matches!(place, Place::Store(_) | Place::Registry(_));
        if !asks && is_there() {
            return Ok(());
        }
        let source = if let Place::Name(name) = place { &Place::Registry(name.clone()) } else { place };
        let loaded = images.open(source, Extent::One).and_then(|run| images.write(&run, &Place::Engine(Some(name.clone())), &[]));
        match loaded {
            Err(error) if is_there() => images.output.warn(&format!("using the run image `{name}` as it is in the engine: {error:?}")),
            loaded => drop(loaded?),
        }
        Ok(())
    }

    /// Saves the new image under all names that were asked for, and says what there is then. The names mean the old image until then.
    pub fn save(&self, image: &Image, request: &Request, run: &RunImage, images: &Images) -> Result<ImageReport> {
        let names = request.names();
        match &request.image {
            Place::Registry(_) => {
                let tags = publish::publish(&self.member(image, run), &names, images, WENT_WRONG)?;
                Ok(reported(image, tags))
            }
            Place::Store(_) | Place::Name(_) => {
                exporter::save(image, &names, images.store, images.output)?;
                Ok(reported(image, names.iter().map(Reference::familiar).collect()))
            }
            Place::Engine(_) => self.save_in_engine(image, &names, run, images),
            Place::Layout { .. } => write(image, &request.places(), &[], images),
            Place::Archive { file, .. } => {
                let stored = images.store.read(&images.store.put_image(image)?.digest)?;
                // Other images in the file are none of this rebase's.
                let others = store::read_other_images(images.store, file, &names, images.platform)?;
                let all: Vec<(&Stored, &[Reference])> =
                    others.iter().map(|other| (&other.stored, &*other.names)).chain([(&stored, &*names)]).collect();
                store::write_docker_archive(images.store, &all, file)?;
                Ok(reported(image, names.iter().map(Reference::familiar).collect()))
            }
        }
    }

    /// The new image, and the images in registries that have its layers.
    pub fn member<'a>(&'a self, image: &'a Image, run: &'a RunImage) -> Member<'a> {
        let of_run = run.registry.iter().map(|name| (name.clone(), &run.image));
        Member { image, sources: of_run.chain(self.registry.iter().map(|name| (name.clone(), &self.image))).collect() }
    }

    fn save_in_engine(&self, image: &Image, names: &[Reference], run: &RunImage, images: &Images) -> Result<ImageReport> {
        let Some((engine, app)) = &self.engine else { return write(image, &[Place::Engine(None)], names, images) };
        let of_engine = engine.named(&Reference::parse(&run.name)?)?;
        let of_engine = of_engine.context(|| format!("the engine does not have the run image `{}` any more", run.name))?;
        engine.save(image, names, &[&of_engine, app], images.store, images.output)
    }
}

/// Writes an image whose layers are in the store to places besides it.
fn write(image: &Image, places: &[Place], names: &[Reference], images: &Images) -> Result<ImageReport> {
    let stored = images.store.read(&images.store.put_image(image)?.digest)?;
    let opened = Opened::stored(&stored, names.first().cloned(), images.store)?;
    let mut report = reported(image, names.iter().map(Reference::familiar).collect());
    for place in places {
        let written = images.write(&opened, place, names)?;
        report.image_id = written.image_id.unwrap_or_default();
        if names.is_empty() {
            report.tags.push(written.destination);
        }
    }
    Ok(report)
}

fn reported(image: &Image, tags: Vec<String>) -> ImageReport {
    let descriptor = image.documents().descriptor;
    ImageReport { tags, digest: descriptor.digest.to_string(), manifest_size: descriptor.size, ..ImageReport::default() }
}

/// Writes `report.toml` into a folder.
///
/// # Errors
/// When it cannot be written.
pub fn write_report(report: ImageReport, folder: &Path) -> Result<()> {
    let describe = || format!("cannot write the report to `{}`", folder.display());
    std::fs::create_dir_all(folder).context(describe)?;
    let text = crate::lifecycle::documents::report::Report { build: None, image: report }.to_toml()?;
    std::fs::write(folder.join("report.toml"), text).context(describe)
}
