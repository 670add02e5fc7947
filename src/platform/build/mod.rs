//! Builds an image from source: [`build`] is the order of the phases, each of which is a function.

mod attach;
mod deliver;
mod documents;
mod extend;
mod folders;
mod keep;
mod phase;
mod previous;
mod provenance;
mod report;
mod request;
mod timing;
mod volume;
mod written;

pub use keep::kept_in;
pub use report::report;
pub use request::{Request, checked_exec_env, creation_time};
pub use volume::{Volume, volume};

use super::attest::About;
use super::builder::{self, Builder, Wanted};
use super::buildpackage::Sources;
use super::embedded::launcher_for;
use super::foreign;
use super::images::{Images, InStore};
use super::own_sbom;
use super::packages::Packages;
use super::transfer::Written;
use crate::buildpack::{BuildMetadata, GroupDocument};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Image, Layer, Platform, Reference};
use crate::lifecycle::analyzer::{self, Identified};
use crate::lifecycle::cache::Cache;
use crate::lifecycle::documents::build_metadata::LauncherMetadata;
use crate::lifecycle::documents::run::RunImageNames;
use crate::lifecycle::exporter::{self, Export, Exported, Launcher, SbomFile};
use crate::lifecycle::layer::inside;
use crate::lifecycle::restorer::{self, Extent, Restore, Restored};
use crate::output::Output;
use crate::sandbox::Network;
use crate::store::{Store, Stored};
use extend::Extended;
use folders::Workplace;
use launcher::api::Api;
use phase::Phase;
use previous::Previous;
use std::time::Duration;
use timing::Clock;

/// Exit code of an export that goes wrong (CNB Platform Specification, exporter).
const EXPORT_WENT_WRONG: u8 = 62;
/// Where the SBOM files of the launcher are below `<layers>/sbom`, without their ending.
const SBOM_OF_LAUNCHER: &str = "launch/buildpacksio_lifecycle/launcher/sbom";

/// What was built.
pub struct Built {
    /// Digest of the image's manifest, or of the index of several images.
    pub digest: Digest,
    /// The images, in the order of their platforms.
    pub images: Vec<Made>,
    /// Names under which registries have it now.
    pub published: Vec<String>,
    /// Where else the image is now.
    pub written: Vec<Written>,
    /// How many signatures and documents about it registries got.
    pub attached: usize,
    /// How long each phase took.
    pub times: Vec<(&'static str, Duration)>,
}

/// An image for one platform. Its documents are in the store, it has no name yet.
pub struct Made {
    /// What it is for.
    pub platform: Platform,
    /// It.
    pub stored: Stored,
    /// Bytes of the image's parts, by whose they are.
    pub sizes: Vec<(&'static str, u64)>,
    /// How many layers above the run image there are, and how many of them were there before.
    pub layers: (usize, usize),
    /// What is said about it where it is published.
    about: About,
    /// Images of registries that share layers with it.
    sources: Vec<(Reference, Image)>,
}

/// Builds the image and puts it into the store and wherever else it is wanted; several images, where it is to be for several platforms. The
/// image that had the name before stays until the new one is complete.
///
/// # Errors
/// When a phase fails; the exit code is the phase's (CNB Platform Specification).
pub fn build(request: &Request, store: &Store, output: &Output) -> Result<Built> {
    let key = Digest::of(request.image.full().as_bytes()).hex()[..32].to_string();
    let _alone = store.lock(&key, output)?;
    // What needs no work comes before any work.
    request.platforms.iter().try_for_each(|platform| foreign::check(platform, store))?;
    deliver::check(request)?;
    let mut clock = Clock::new(output);
    let mut made = Vec::new();
    for platform in &request.platforms {
        if request.platforms.len() > 1 {
            output.heading(&platform.to_string());
        }
        made.push(build_one(request, Some(platform), &mut clock, store, output)?);
    }
    if made.is_empty() {
        made.push(build_one(request, None, &mut clock, store, output)?);
    }
    let built = deliver::deliver(request, made, store, output)?;
    Ok(Built { times: clock.finish(), ..built })
}

fn build_one<'a>(request: &Request, wanted: Option<&Platform>, clock: &mut Clock<'a>, store: &Store, output: &'a Output) -> Result<Made> {
    let here = Platform::here();
    let images = request.images(wanted.unwrap_or(&here), store, output);
    let wanted = Wanted { platform: wanted.cloned(), ..request.builder.clone() };
    let mut builder = clock.phase("PREPARING", || builder::open(&wanted, &request.mirrors, &images))?;
    let chosen = store.scratch()?;
    let platform = Platform::of(&builder.run.stored.image.config);
    foreign::check(&platform, store)?;
    let sources = Sources {
        images: &request.images(&platform, store, output),
        registry: &request.buildpack_registry,
        platform: (&platform.os, &platform.architecture),
    };
    builder.choose(&request.choice, chosen.path(), &sources)?;
    let previous = Previous::find(request, &platform, store, output)?;
    let place = Workplace::new(request, store, &builder, output)?;
    let mut cache = keep::open(request, &platform, store, output)?;
    let previous = previous.as_ref();
    let mut build = Build { request, platform, store, output, builder: &builder, place: &place, cache: &*cache, previous, clock };
    let (group, packages) = build.detect()?;
    let images = build.extend(&packages, &group)?;
    let restored = build.restore(&group)?;
    let exported = build.run(&images.build, &group).and_then(|metadata| {
        request.documents_output.as_ref().map_or(Ok(()), |folder| documents::copy(place.layers(), folder))?;
        build.export(&images, &group, &metadata, &restored)
    });
    let exported = match exported {
        Ok(exported) => exported,
        Err(error) => {
            if let Err(lost) = cache.take_back(&restored) {
                output.detail(&format!("the next build unpacks cached layers anew: {lost}"));
            }
            return Err(error);
        }
    };
    let about = build.about(&images, &group, &packages)?;
    let made = build.made(&exported, &images, about)?;
    if let Err(error) = cache.commit(&exported.cache, store, output) {
        output.warn(&format!("the next build starts from the beginning: {error}"));
    }
    Ok(made)
}

struct Build<'a, 'b> {
    request: &'a Request,
    platform: Platform,
    store: &'a Store,
    output: &'a Output,
    builder: &'a Builder<'a>,
    place: &'a Workplace,
    cache: &'a dyn Cache,
    previous: Option<&'a Previous>,
    clock: &'a mut Clock<'b>,
}

impl Build<'_, '_> {
    fn images(&self) -> Images<'_> {
        self.request.images(&self.platform, self.store, self.output)
    }

    fn phase<'a>(&'a self, image: &'a InStore) -> Phase<'a> {
        Phase { request: self.request, store: self.store, output: self.output, builder: self.builder, place: self.place, image }
    }

    /// Analyzes the images and finds the group of buildpacks, with what it wants of the images.
    fn detect(&mut self) -> Result<(GroupDocument, Packages)> {
        self.clock.start("ANALYZING");
        let name = self.request.image.familiar();
        let previous_name = self.previous.map(|previous| previous.name.familiar()).unwrap_or_default();
        let reference = self.previous.map(|previous| format!("{previous_name}@{}", previous.stored.digest)).unwrap_or_default();
        let previous =
            self.previous.map(|previous| Identified { image: &previous.stored.image, reference: &reference, name: &previous_name });
        let (run_reference, run_name) = (self.builder.run.identifier(), self.builder.run.name.clone());
        let run = Identified { image: &self.builder.run.stored.image, reference: &run_reference, name: &run_name };
        let analyzed = analyzer::analyze(&name, previous.as_ref(), &run, self.output)?;
        self.place.write_layers_file("analyzed.toml", &analyzed.to_toml()?)?;
        self.clock.start("DETECTING");
        self.phase(&self.builder.build).detect()?;
        let group =
            GroupDocument::parse(&self.place.read_layers_file("group.toml")?).context(|| "cannot read the group that was detected")?;
        Ok((group, Packages::read(&inside(self.place.layers(), "generated")?)?))
    }

    fn restore(&mut self, group: &GroupDocument) -> Result<Restored> {
        self.clock.start("RESTORING");
        let analyzed = self.place.analyzed()?;
        let request = Restore {
            layers: self.place.layers(),
            group: &group.group,
            metadata: &analyzed.metadata,
            previous: self.previous.map(|previous| &previous.stored.image),
            cache: Some(self.cache),
            platform_api: Api::new(0, 15),
            owner: self.place.owner_on_disk(),
            extent: if self.request.clear_cache { Extent::StoreOnly } else { Extent::Everything },
        };
        restorer::restore(&request, self.store, self.output)
    }

    fn run(&mut self, image: &InStore, _group: &GroupDocument) -> Result<BuildMetadata> {
        self.clock.start("BUILDING");
        self.phase(image).build()?;
        let text = self.place.read_layers_file("config/metadata.toml")?;
        toml::from_str(&text).context(|| "cannot read what the buildpacks say of the image")
    }

    fn export(&mut self, images: &Extended, group: &GroupDocument, metadata: &BuildMetadata, restored: &Restored) -> Result<Exported> {
        self.clock.start("EXPORTING");
        let run = &images.run;
        let fetch = |layer: &Layer| match self.previous {
            Some(previous) => previous.fetch(layer, self.request, self.store),
            None => Err(Error::new("there is no previous image")),
        };
        let export = Export {
            folders: self.place.folders(),
            owner: self.place.owner(),
            group: &group.group,
            metadata,
            run_image: exporter::RunImage {
                image: &run.stored.image,
                reference: run.identifier(),
                names: self.run_image_names(run),
                extended: images.extended.as_ref().map(|extended| &extended.stored.image),
            },
            previous: self.previous.map(|previous| &previous.stored.image),
            restored,
            cache: Some(self.cache),
            bom: &[],
            platform_api: Api::new(0, 15),
            previous_blobs: exporter::Blobs::InStore,
            destination: None,
            fetch: Some(&fetch),
            launcher: Launcher {
                program: launcher_for(&self.platform.architecture)?,
                metadata: LauncherMetadata { version: env!("CARGO_PKG_VERSION").into(), ..LauncherMetadata::default() },
                sboms: &own_sbom::of_launcher().map(|(ending, content)| SbomFile { path: format!("{SBOM_OF_LAUNCHER}.{ending}"), content }),
            },
            project: &self.request.project,
            process_type: self.request.default_process.as_deref(),
            exec_env: &self.request.exec_env,
            created: exporter::source_date_epoch(self.request.source_date_epoch.as_deref(), self.output),
        };
        exporter::export(&export, self.store, self.output)
    }

    /// The names for a later rebase. A run image with packages added has one of its own (EXP-28).
    fn run_image_names(&self, run: &InStore) -> RunImageNames {
        match self.builder.distribution {
            Some(_) => RunImageNames { image: run.name.clone(), mirrors: Vec::new() },
            None => self.builder.run_images.names_for_export(&run.name, run.name != self.builder.run.name),
        }
    }

    /// Puts the image into the store.
    fn made(&self, exported: &Exported, images: &Extended, about: About) -> Result<Made> {
        let digest = self.store.put_image(&exported.image).code(EXPORT_WENT_WRONG)?.digest;
        let stored = Stored { image: exported.image.clone(), digest };
        // A layer that did not change may only be where the previous image is.
        let previous = self.previous.map(|previous| &previous.name).filter(|_| self.request.publish);
        written::sboms(self.request, &stored, self.place.layers(), previous, &self.images())?;
        // A composed run image is in no registry.
        let run = Some(&self.builder.run).filter(|_| self.builder.distribution.is_none());
        let of_run = run.and_then(|run| Some((Reference::parse(&run.name).ok()?, run.stored.image.clone())));
        let of_previous = self.previous.map(|previous| (previous.name.clone(), previous.stored.image.clone()));
        Ok(Made {
            platform: self.platform.clone(),
            stored,
            sizes: report::sizes(exported, images.below_app(), &self.builder.run),
            layers: (exported.layers.len(), exported.layers.iter().filter(|layer| layer.reused).count()),
            about,
            sources: of_run.into_iter().chain(of_previous).collect(),
        })
    }
}
