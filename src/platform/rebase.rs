//! Puts an app image on another run image without building it again: in the store, or in a registry, where no layer is moved that is there.

mod comparison;

pub use comparison::Comparison;

use super::builder;
use super::images::{Images, InStore};
use super::place::Place;
use super::publish;
use crate::debian::{Lock, Mirrors};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Image, Reference};
use crate::lifecycle::exporter;
use crate::lifecycle::rebaser::{self, Rebase, run_image_names};
use crate::registry::Lookup;
use launcher::api::Api;
use serde::{Deserialize, Serialize};

/// Exit code of a rebase that goes wrong (CNB Platform Specification, rebaser).
const WENT_WRONG: u8 = 72;
/// What built-in builders call their images in the label `io.buildpacks.base.id`.
const BUILT_IN: &str = "cooper.";

/// What to put on what.
pub struct Request<'a> {
    /// The app image.
    pub image: Reference,
    /// More names for the new image.
    pub tags: Vec<Reference>,
    /// The new run image; else the one that the app's label names, as it is today.
    pub run_image: Option<Place>,
    /// Whether the app is in its registry instead of the store.
    pub publish: bool,
    /// Whether doubts only cause warnings.
    pub force: bool,
    /// Whether to compare the two run images even if layers have to be fetched for it; composed ones always are.
    pub compare: bool,
    /// Whether only to find out if there is something to do.
    pub check: bool,
    /// Whether Debian's indexes are asked for newer packages.
    pub update: bool,
    /// Where Debian packages come from.
    pub mirrors: &'a Mirrors,
}

impl Request<'_> {
    /// All names of the new image.
    fn names(&self) -> Vec<Reference> {
        std::iter::once(&self.image).chain(&self.tags).cloned().collect()
    }
}

/// What became of a rebase.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rebased {
    /// The digest of the image on the new run image.
    pub digest: Digest,
    /// Whether that is another image.
    pub changed: bool,
    /// The name of the run image.
    pub run_image: String,
    /// The names that mean the image now.
    pub names: Vec<String>,
    /// What the other run image changes; nothing where it is the same one.
    pub comparison: Option<Comparison>,
    /// Whether nothing was done because the new run image is no patch of the old one.
    pub refused: bool,
}

impl Rebased {
    /// The error that a refused rebase ends with.
    ///
    /// # Errors
    /// When it was refused (exit code 72).
    pub fn check(&self) -> Result<()> {
        let doubts: Vec<&str> = self.comparison.iter().flat_map(|comparison| &comparison.doubts).map(String::as_str).collect();
        if !self.refused {
            return Ok(());
        }
        Err(Error::new(format!("`{}` is no patch of the run image that the app is on: {}", self.run_image, doubts.join("; ")))
            .hint("build the app anew on it, or give `--force` if you know that it does no harm")
            .code(WENT_WRONG))
    }
}

/// A run image; its layers may be elsewhere.
struct RunImage {
    name: String,
    reference: String,
    image: Image,
    registry: Option<Reference>,
    /// The packages of one that was composed.
    lock: Option<Lock>,
}

/// What composed images say of themselves, so that they can be composed again.
#[derive(Default, Deserialize)]
struct Composed {
    #[serde(default)]
    packages: Vec<String>,
}

/// Rebases an image. The names mean the old image until the new one is complete.
///
/// # Errors
/// When an image is not to be had, the two do not fit, or the new one cannot be saved (exit code 72).
pub fn rebase(request: &Request, images: &Images) -> Result<Rebased> {
    let (app, before) = app(request, images)?;
    let run = run_image(request, &app, images)?;
    let rebase = Rebase {
        app: &app,
        run: &run.image,
        run_reference: &run.reference,
        run_name: &run.name,
        platform_api: Api::new(0, 15),
        force: request.force,
        tags_are_patches: true,
    };
    let describe = || format!("cannot rebase `{}` on `{}`", request.image.familiar(), run.name);
    let image = rebaser::rebase(&rebase, images.output).context(describe).code(WENT_WRONG)?;
    let digest = image.documents().descriptor.digest;
    let changed = digest != before;
    let comparison = if changed { comparison::compare(&app, &run, request, images).context(describe).code(WENT_WRONG)? } else { None };
    let doubts: Vec<&String> = comparison.iter().flat_map(|comparison| &comparison.doubts).collect();
    let refused = !request.force && !doubts.is_empty();
    if request.force {
        doubts.iter().for_each(|doubt| images.output.warn(doubt));
    }
    let names = if request.check || refused { Vec::new() } else { save(request, &image, &app, &run, images)? };
    Ok(Rebased { digest, changed, run_image: run.name, names, comparison, refused })
}

fn app(request: &Request, images: &Images) -> Result<(Image, Digest)> {
    if !request.publish {
        let stored = images.of_store(&request.image).hint("`--publish` rebases an image in its registry")?;
        return Ok((stored.image, stored.digest));
    }
    if !request.check {
        publish::check(images.registries, &request.names())?;
    }
    match images.registries.find(&request.image)? {
        Lookup::Found(remote) => Ok((remote.image, remote.manifest.digest)),
        Lookup::Missing => Err(Error::new(format!("the registry does not have `{}`", request.image.full()))),
        Lookup::OtherPlatforms(found) => Err(Error::new(format!("`{}` is for {} only", request.image.full(), found.join(", ")))),
    }
}

fn run_image(request: &Request, app: &Image, images: &Images) -> Result<RunImage> {
    let names = run_image_names(app, Api::new(0, 15)).code(WENT_WRONG)?;
    let built_in = app.label("io.buildpacks.base.id").and_then(|id| id.strip_prefix(BUILT_IN));
    // A composed image may also have been given a name in a registry, and is then patched there.
    let built_in = built_in.filter(|name| builder::is_built_in(name) && names.image.starts_with(&format!("cooper/{name}-run:")));
    match (&request.run_image, built_in) {
        (Some(place), _) => bring(place, request, images),
        (None, Some(name)) => {
            let composed = app.label("io.buildpacks.base.metadata").and_then(|label| serde_json::from_str::<Composed>(label).ok());
            let packages = composed.unwrap_or_default().packages;
            let run = builder::run_image(name, &packages, request.update, request.mirrors, images)?;
            let lock = Some(run.lock.clone());
            let run = InStore::from(run);
            Ok(RunImage { reference: run.identifier(), name: run.name, image: run.stored.image, registry: None, lock })
        }
        (None, None) => {
            let can_read = |name: &str| Reference::parse(name).is_ok_and(|name| images.registries.check_read(&name).is_ok());
            let name = match names.image.is_empty() {
                true => Err(Error::new("the image does not say which run image it is on")).hint("name one with `--run-image`"),
                false => names.nearest(request.image.registry(), can_read).context(|| "no run image of the app can be read"),
            };
            bring(&Place::parse(&name.code(WENT_WRONG)?)?, request, images)
        }
    }
}

/// Of a run image in a registry, only the documents are read where the app is in a registry too.
fn bring(place: &Place, request: &Request, images: &Images) -> Result<RunImage> {
    if let (true, Place::Name(name) | Place::Registry(name)) = (request.publish, place)
        && let Lookup::Found(remote) = images.registries.find(name)?
    {
        let (reference, registry) = (remote.identifier(), Some(remote.name));
        return Ok(RunImage { name: name.to_string(), reference, image: remote.image, registry, lock: None });
    }
    let run = images.bring(place)?;
    Ok(RunImage { reference: run.identifier(), name: run.name, image: run.stored.image, registry: None, lock: None })
}

fn save(request: &Request, image: &Image, app: &Image, run: &RunImage, images: &Images) -> Result<Vec<String>> {
    let names = request.names();
    if !request.publish {
        exporter::save(image, &names, images.store, images.output)?;
        return Ok(names.iter().map(Reference::familiar).collect());
    }
    let of_run = run.registry.iter().map(|name| (name.clone(), &run.image));
    let sources: Vec<(Reference, &Image)> = of_run.chain([(request.image.clone(), app)]).collect();
    publish::publish(image, &names, &sources, images, WENT_WRONG)
}
