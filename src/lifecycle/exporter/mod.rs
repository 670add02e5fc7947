//! Export: make an image of the run image, the layers of the buildpacks and the app (Platform spec, exporter). [`export`] is where to
//! start: it lists the layers, makes those that changed, and puts labels and configuration on top.

mod buildpack_layers;
mod configure;
mod destination;
pub mod extended;
mod label;
mod layers;
mod make;
mod pattern;
mod save;
mod sbom;
mod slices;

pub use configure::source_date_epoch;
pub use destination::Destination;
pub use save::save;
pub use sbom::SbomFile;

use self::buildpack_layers::{Found, Previous};
use self::configure::{Configure, configure};
use self::make::{Job, Made, Maker};
use super::cache::{Cache, NewContents};
use super::documents::LIFECYCLE_METADATA_LABEL;
use super::documents::build_metadata::LauncherMetadata;
use super::documents::layers_metadata::LayersMetadata;
use super::documents::project_metadata::ProjectMetadata;
use super::documents::run::RunImageNames;
use super::layer::{Owner, Parents, inside};
use super::restorer::Restored;
use crate::archive::Form;
use crate::buildpack::{BomEntry, BuildMetadata, GroupElement};
use crate::error::{Advice, Error, Result};
use crate::image::{Image, Layer};
use crate::output::Output;
use crate::store::Store;
use launcher::api::Api;
use std::path::PathBuf;

/// The folders of a build: where they are on this machine, and where inside the image.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The layers folder.
    pub layers: PathBuf,
    /// The layers folder inside the image, as `/layers`.
    pub layers_in_image: String,
    /// The app.
    pub app: PathBuf,
    /// The app inside the image, as `/workspace`.
    pub app_in_image: String,
    /// Whether both are at their places in the image on this machine too.
    pub place: Place,
}

/// Brings a layer into the store, or says why not.
pub type Fetch<'a> = dyn Fn(&Layer) -> Result<()> + 'a;

/// What an image is made of.
pub struct Export<'a> {
    /// Where the layers and the app are.
    pub folders: &'a Folders,
    /// Who owns them inside the image: the build's user.
    pub owner: Owner,
    /// The buildpacks that built, in their order.
    pub group: &'a [GroupElement],
    /// What they said of processes, slices and labels: `<layers>/config/metadata.toml`.
    pub metadata: &'a BuildMetadata,
    /// Their old bill of materials, from the same file.
    pub bom: &'a [BomEntry],
    /// The Platform API that the platform speaks; older ones have older labels.
    pub platform_api: Api,
    /// What the image stands on.
    pub run_image: RunImage<'a>,
    /// The image that this one replaces.
    pub previous: Option<&'a Image>,
    /// Where the blobs of the previous image are.
    pub previous_blobs: Blobs,
    /// Where the image goes, if that is a registry and large layers are to be sent while they are made.
    pub destination: Option<Destination<'a>>,
    /// Brings a layer of the previous image into the store, where its blobs are not all there.
    pub fetch: Option<&'a Fetch<'a>>,
    /// What was restored before the build.
    pub restored: &'a Restored,
    /// The cache that it was restored from.
    pub cache: Option<&'a dyn Cache>,
    /// What starts the processes.
    pub launcher: Launcher<'a>,
    /// Where the source came from.
    pub project: &'a ProjectMetadata,
    /// The process that the person wants to be the default.
    pub process_type: Option<&'a str>,
    /// The execution environment, as `production`.
    pub exec_env: &'a str,
    /// Seconds since 1970 that the image carries as its time (`SOURCE_DATE_EPOCH`).
    pub created: Option<i64>,
}

/// Where on this machine the folders of a build are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where they are in the image, as in a builder's container.
    AsInImage,
    /// Anywhere.
    Elsewhere,
}

impl Folders {
    /// What the folders above a layer's are like; `base` is the first that the build owns.
    fn parents(&self, base: &str) -> Parents {
        match self.place {
            Place::AsInImage => Parents::OnDisk,
            Place::Elsewhere => Parents::Normal(base.into()),
        }
    }
}

/// The run image and its names.
#[derive(Clone, Debug)]
pub struct RunImage<'a> {
    /// The image; its blobs are in the store.
    pub image: &'a Image,
    /// What identifies the very image.
    pub reference: String,
    /// Its names, for a later rebase.
    pub names: RunImageNames,
    /// The same image with what extensions made of it on top, where they did.
    pub extended: Option<&'a Image>,
}

/// Where the blobs of the previous image's layers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blobs {
    /// In the store, unless something removed one.
    InStore,
    /// With the image, where the new image goes too.
    WithImage,
    /// With the image in an engine, where the new image goes too. An engine keeps tars, and keeps a layer only for what it lies on.
    InEngine,
}

impl Blobs {
    /// What the blobs of new layers are.
    fn form(self) -> Form {
        match self {
            Self::InStore | Self::WithImage => Form::Gzip,
            Self::InEngine => Form::Tar,
        }
    }
}

/// The program that starts the processes of an app.
#[derive(Clone, Debug)]
pub struct Launcher<'a> {
    /// The program.
    pub program: &'a [u8],
    /// Which version it is.
    pub metadata: LauncherMetadata,
    /// What it is made of.
    pub sboms: &'a [SbomFile],
}

/// What became of an export.
#[derive(Debug)]
pub struct Exported {
    /// The image; the blobs of its new layers are in the store, or at the destination.
    pub image: Image,
    /// What it is made of.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests compare it"))]
    pub metadata: LayersMetadata,
    /// The layers above the run image, from the bottom up.
    pub layers: Vec<ExportedLayer>,
    /// What [`Cache::commit`] is to keep, once the image is saved.
    pub cache: NewContents,
}

/// A layer above the run image.
#[derive(Clone, Debug)]
pub struct ExportedLayer {
    /// What messages call it, as `acme/python:venv`.
    pub id: String,
    /// Bytes of its blob.
    pub size: u64,
    /// Whether it was there before.
    pub reused: bool,
}

/// Makes the image. Nothing is tagged or saved but the blobs of the layers: [`save`] gives the image its names, then [`Cache::commit`] keeps
/// what the next build wants.
///
/// # Errors
/// When a file cannot be read, a buildpack's documents cannot be understood, or the store cannot be written (exit code 62).
pub fn export(request: &Export, store: &Store, output: &Output) -> Result<Exported> {
    export_layers(request, store, output).code(62)
}

fn export_layers(request: &Export, store: &Store, output: &Output) -> Result<Exported> {
    if request.platform_api >= Api::new(0, 11) {
        sbom::add_own(request)?;
    }
    check_process_types(request)?;
    let previous = previous(request);
    let found = buildpack_layers::read(request)?;
    let jobs = layers::jobs(request, &found, &previous, store)?;
    // A layer that differs from the previous image's, or goes to where there is nothing, is likely to be sent anyway.
    let destination = request.destination.filter(|destination| request.previous.is_some() || destination.is_new());
    let maker = Maker { owner: request.owner, form: request.previous_blobs.form(), store, destination, output };
    let mut made = maker.make(&jobs)?;
    if request.previous_blobs == Blobs::InEngine {
        let unmoved = unmoved(request, &made);
        maker.make_moved(&jobs, &mut made, unmoved)?;
    }
    report(&jobs, &made, output);
    let metadata = label::metadata(request, &found, &jobs, &made)?;
    let mut base = request.run_image.extended.unwrap_or(request.run_image.image).clone();
    label::set_labels(&mut base, request, &metadata, output);
    let image = configured(request, &base, made.iter().map(|made| made.layer.clone()).collect(), output)?;
    Ok(Exported { image, cache: to_cache(request, &found, &jobs, &made), metadata, layers: exported_layers(&jobs, &made) })
}

/// Each type becomes the name of a link (BLD-19).
fn check_process_types(request: &Export) -> Result<()> {
    inside(&request.folders.layers, "config")?;
    match layers::process_types(request)
        .iter()
        .find(|kind| kind.is_empty() || [".", ".."].contains(&kind.as_str()) || kind.contains(['/', '>', '<', ':', '|', '&', '\\']))
    {
        Some(kind) => Err(Error::new(format!("`{kind}` cannot be the type of a process"))),
        None => Ok(()),
    }
}

fn previous<'a>(request: &Export<'a>) -> Previous<'a> {
    let label = request.previous.and_then(|image| image.label(LIFECYCLE_METADATA_LABEL));
    let metadata = label.and_then(|label| LayersMetadata::from_label(label).ok());
    Previous { image: request.previous, metadata: metadata.unwrap_or_default(), blobs: request.previous_blobs }
}

/// How many of the layers above the run image lie on the same layers as in the previous image.
fn unmoved(request: &Export, made: &[Made]) -> usize {
    let below = &request.run_image.extended.unwrap_or(request.run_image.image).layers;
    let layers = below.iter().chain(made.iter().map(|made| &made.layer));
    let before = request.previous.map_or(&[][..], |previous| &previous.layers);
    let same = layers.zip(before).take_while(|(new, old)| new.diff_id == old.diff_id).count();
    same.saturating_sub(below.len())
}

fn report(jobs: &[Job], made: &[Made], output: &Output) {
    for (index, (job, made_one)) in jobs.iter().zip(made).enumerate() {
        for file in &made_one.left_out {
            output.warn(&format!("`{file}` is a pipe or a device and is left out of the image"));
        }
        output.detail(&format!("Layer '{}' SHA: {}", job.id, made_one.layer.diff_id));
        if !layers::is_app(job) {
            output.line(&format!("{} layer '{}'", if made_one.reused { "Reusing" } else { "Adding" }, job.id));
        } else if !jobs.get(index + 1).is_some_and(layers::is_app) {
            report_app(jobs, made, output);
        }
    }
}

fn report_app(jobs: &[Job], made: &[Made], output: &Output) {
    let app = || jobs.iter().zip(made).filter(|(job, _)| layers::is_app(job));
    let (all, reused) = (app().count(), app().filter(|(_, made)| made.reused).count());
    if reused > 0 {
        output.line(&format!("Reused {reused}/{all} app layer(s)"));
    }
    if all > reused {
        output.line(&format!("Added {}/{all} app layer(s)", all - reused));
    }
}

fn configured(request: &Export, base: &Image, layers: Vec<crate::image::Layer>, output: &Output) -> Result<Image> {
    let configuration = Configure {
        layers_in_image: &request.folders.layers_in_image,
        app_in_image: &request.folders.app_in_image,
        process_types: &layers::process_types(request),
        process_type: request.process_type,
        default_process_type: request.metadata.default_process_type.as_deref(),
        created: request.created,
        platform_api: request.platform_api,
    };
    configure(base, layers, &configuration, output)
}

fn to_cache(request: &Export, found: &[Found], jobs: &[Job], made: &[Made]) -> NewContents {
    let mut new = NewContents::default();
    for buildpack in found {
        new.buildpacks.push((buildpack.metadata.key.clone(), buildpack.metadata.version.clone()));
        for layer in buildpack.layers.iter().filter(|layer| layer.metadata.cache) {
            let place = jobs.iter().position(|job| job.id == layer.id).filter(|_| layer.metadata.launch);
            let layer_of_image = place.and_then(|place| made.get(place)).map(|made| &made.layer);
            new.layers.push(buildpack_layers::cached(request, buildpack, layer, layer_of_image));
        }
    }
    new.sbom = inside(&request.folders.layers, "sbom/cache").ok().filter(|folder| folder.is_dir());
    new.sbom_in_image = format!("{}/sbom/cache", request.folders.layers_in_image);
    new.parents = request.folders.parents(&request.folders.layers_in_image);
    new.owner = request.owner;
    new
}

fn exported_layers(jobs: &[Job], made: &[Made]) -> Vec<ExportedLayer> {
    let layers = jobs.iter().zip(made);
    layers.map(|(job, made)| ExportedLayer { id: job.id.clone(), size: made.layer.blob.size, reused: made.reused }).collect()
}

#[cfg(test)]
mod tests;
