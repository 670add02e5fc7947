//! Puts an app image on another run image without building it again, wherever it is; in a registry no layer is moved that is there.

mod attach;
mod comparison;
pub mod fleet;
mod known;
mod list;
mod places;

pub use comparison::Comparison;

use self::known::Known;
pub use self::places::write_report;
use self::places::{App, Apps};
use super::attest::Attaching;
use super::builder::{self, RunLock, Versions};
use super::images::{Images, InStore};
use super::place::Place;
use crate::debian::Mirrors;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Image, Platform, Reference};
use crate::lifecycle::documents::report::ImageReport;
use crate::lifecycle::documents::run::RunImageNames;
use crate::lifecycle::rebaser::{self, Rebase, run_image_names};
use crate::registry::Lookup;
use launcher::api::Api;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// Exit code of a rebase that goes wrong (CNB Platform Specification, rebaser).
pub const WENT_WRONG: u8 = 72;
/// What built-in builders call their images in the label `io.buildpacks.base.id`.
const BUILT_IN: &str = "cooper.";

/// What to put on what.
#[derive(Clone)]
pub struct Request<'a> {
    /// The new image's place; where no previous one is named, also the app image's.
    pub image: Place,
    /// The app image, where that is to stay as it is (REB-01).
    pub previous: Option<Place>,
    /// More places for the new image, of the same kind.
    pub tags: Vec<Place>,
    /// The new run image; else the one that the app's label names, as it is today.
    pub run_image: Option<Place>,
    /// Where to write `report.toml`.
    pub report: Option<PathBuf>,
    /// Whether doubts only cause warnings.
    pub force: bool,
    /// Whether to compare the two run images even if layers have to be fetched for it; composed ones always are.
    pub compare: bool,
    /// Whether only to find out if there is something to do.
    pub check: bool,
    /// Which versions the packages of a composed run image have.
    pub versions: Versions,
    /// Where to write the lock of a composed run image.
    pub write_lock: Option<PathBuf>,
    /// What registries get with the new image.
    pub attaching: &'a Attaching,
    /// Where Debian packages come from.
    pub mirrors: &'a Mirrors,
}

impl Request<'_> {
    /// All places of the new image.
    fn places(&self) -> Vec<Place> {
        std::iter::once(&self.image).chain(&self.tags).cloned().collect()
    }

    /// All names of the new image, where its places are names.
    fn names(&self) -> Vec<Reference> {
        self.places().into_iter().filter_map(|place| place.name().cloned()).collect()
    }

    /// Whether the new image goes to a registry.
    fn is_published(&self) -> bool {
        matches!(self.image, Place::Registry(_))
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
    lock: Option<RunLock>,
}

/// What composed images say of themselves, so that they can be composed again.
#[derive(Default, Deserialize)]
struct Composed {
    #[serde(default)]
    packages: Vec<String>,
}

/// An app image on its new run image, which nobody has yet.
struct Step {
    image: Image,
    digest: Digest,
    changed: bool,
    run: Arc<RunImage>,
    comparison: Option<Comparison>,
    refused: bool,
}

/// Rebases an image, or each image of a list in a registry. The names mean the old image until the new one is complete.
///
/// # Errors
/// When an image is not to be had, the two do not fit, or the new one cannot be saved (exit code 72).
pub fn rebase(request: &Request, images: &Images) -> Result<Rebased> {
    rebase_apps(&Apps::open(request, images)?, request, &Known::default(), images)
}

fn rebase_apps(apps: &Apps, request: &Request, known: &Known, images: &Images) -> Result<Rebased> {
    let mut steps = apps.all.iter().map(|app| step(app, request, known, images)).collect::<Result<Vec<_>>>()?;
    let (changed, refused) = (steps.iter().any(|step| step.changed), steps.iter().any(|step| step.refused));
    let list = list::of(apps, &steps, images.output);
    let digest = list.as_ref().map_or(&steps[0].digest, |list| &list.descriptor.digest).clone();
    let is_saved = !request.check && !refused;
    if is_saved {
        attach::attach(list.as_ref(), &apps.all, &steps, request, images)?;
    }
    let report = match &list {
        _ if !is_saved => ImageReport::default(),
        Some(list) => list::save(list, &apps.all, &steps, request, images)?,
        None => apps.all[0].save(&steps[0].image, request, &steps[0].run, images)?,
    };
    let names = report.tags.clone();
    if let (Some(folder), true) = (&request.report, is_saved) {
        write_report(report, folder)?;
    }
    // One that is refused says more than one that is not.
    let told = steps.iter().position(|step| step.refused).or_else(|| steps.iter().position(|step| step.changed)).unwrap_or(0);
    let Step { run, comparison, .. } = steps.swap_remove(told);
    Ok(Rebased { digest, changed, run_image: run.name.clone(), names, comparison, refused })
}

fn step(app: &App, request: &Request, known: &Known, images: &Images) -> Result<Step> {
    let platform = Platform::of(&app.image.config);
    let images = &Images { platform: &platform, ..*images };
    let run = known_run_image(app, request, known, images)?;
    let rebase = Rebase {
        app: &app.image,
        run: &run.image,
        run_reference: &run.reference,
        run_name: &run.name,
        platform_api: Api::new(0, 15),
        force: request.force,
        tags_are_patches: true,
    };
    let describe = || format!("cannot rebase `{}` on `{}`", request.image, run.name);
    let image = rebaser::rebase(&rebase, images.output).context(describe).code(WENT_WRONG)?;
    let digest = image.documents().descriptor.digest;
    let changed = digest != app.digest;
    let comparison =
        if changed { comparison::compare(app, &run, request, known, images).context(describe).code(WENT_WRONG)? } else { None };
    let doubts: Vec<&String> = comparison.iter().flat_map(|comparison| &comparison.doubts).collect();
    let refused = !request.force && !doubts.is_empty();
    if request.force {
        doubts.iter().for_each(|doubt| images.output.warn(doubt));
    }
    Ok(Step { image, digest, changed, run, comparison, refused })
}

/// Images that say the same of their run image are on the same one.
fn known_run_image(app: &App, request: &Request, known: &Known, images: &Images) -> Result<Arc<RunImage>> {
    let names = run_image_names(&app.image, Api::new(0, 15)).code(WENT_WRONG)?;
    let composed = composed(app, &names);
    let key = match &composed {
        Some(composed) => format!("{composed:?}"),
        None => format!("{:?} {names:?}", request.image.name().map(Reference::registry)),
    };
    known.runs.get(format!("{key} {}", images.platform), || run_image(request, app, &names, composed, images))
}

/// The built-in builder that composed the run image, and the packages that were asked for besides; nothing of any other run image.
fn composed(app: &App, names: &RunImageNames) -> Option<(String, Vec<String>)> {
    let name = app.image.label("io.buildpacks.base.id").and_then(|id| id.strip_prefix(BUILT_IN))?;
    // A composed image may also have been given a name in a registry, and is then patched there.
    let is_composed = builder::is_built_in(name) && names.image.starts_with(&format!("cooper/{name}-run:"));
    let metadata = app.image.label("io.buildpacks.base.metadata").and_then(|label| serde_json::from_str::<Composed>(label).ok());
    is_composed.then(|| (name.to_string(), metadata.unwrap_or_default().packages))
}

fn run_image(
    request: &Request,
    app: &App,
    names: &RunImageNames,
    composed: Option<(String, Vec<String>)>,
    images: &Images,
) -> Result<RunImage> {
    match (&request.run_image, composed) {
        (Some(place), _) => bring(place, request, app, images),
        (None, Some((name, packages))) => {
            let (run, lock) = builder::run_image(&name, &packages, &request.versions, request.mirrors, images)?;
            if let Some(file) = &request.write_lock {
                lock.write(file)?;
            }
            let (run, lock) = (InStore::from(run), Some(lock));
            let (reference, place) = (run.identifier(), Place::Store(Reference::parse(&run.name)?));
            let of_store =
                RunImage { reference: reference.clone(), name: run.name, image: run.stored.image, registry: None, lock: lock.clone() };
            let in_engine = app.run_image_in_engine(&place, images)?;
            // Wherever it is composed, it is the same one.
            Ok(in_engine.map_or(of_store, |run| RunImage { reference, lock, ..run }))
        }
        (None, None) if request.write_lock.is_some() || matches!(request.versions, Versions::Locked(_)) => {
            Err(Error::new("only a run image that a built-in builder composed has a lock").code(WENT_WRONG))
        }
        (None, None) if names.image.is_empty() => {
            Err(Error::new("the image does not say which run image it is on").hint("name one with `--run-image`").code(WENT_WRONG))
        }
        (None, None) => nearest(request, names, app, images),
    }
}

/// The run image that the app names, where that is nearest to the new image.
fn nearest(request: &Request, names: &RunImageNames, app: &App, images: &Images) -> Result<RunImage> {
    // What was found is not asked for again.
    let found = std::cell::RefCell::new(None);
    let can_read = |name: &str| {
        let run = Place::parse(name).and_then(|place| bring(&place, request, app, images));
        let is_found = run.is_ok();
        *found.borrow_mut() = Some(run);
        is_found
    };
    let registry = request.image.name().map_or("", Reference::registry);
    let unread = || "no run image of the app can be read";
    let name = names.nearest(registry, can_read).context(unread).code(WENT_WRONG);
    match (found.into_inner(), name) {
        (Some(Ok(run)), _) => Ok(run),
        (Some(Err(error)), Err(_)) => Err(error).context(unread).code(WENT_WRONG),
        (Some(Err(_)) | None, name) => {
            Place::parse(&name?).and_then(|place| bring(&place, request, app, images)).context(unread).code(WENT_WRONG)
        }
    }
}

/// Of a run image in a registry, only the documents are read where the app is in a registry too.
fn bring(place: &Place, request: &Request, app: &App, images: &Images) -> Result<RunImage> {
    if let (true, Place::Name(name) | Place::Registry(name)) = (request.is_published(), place)
        && let Lookup::Found(remote) = images.registries.find_for(name, images.platform)?
    {
        images.check_signed(name, &remote.manifest.digest)?;
        let (reference, registry) = (remote.identifier(), Some(remote.name));
        return Ok(RunImage { name: name.to_string(), reference, image: remote.image, registry, lock: None });
    }
    if let Some(run) = app.run_image_in_engine(place, images)? {
        return Ok(run);
    }
    let run = images.bring(place)?;
    Ok(RunImage { reference: run.identifier(), name: run.name, image: run.stored.image, registry: None, lock: None })
}
