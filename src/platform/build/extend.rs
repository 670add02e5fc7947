//! What extensions want of the images: packages first, then another run image, then their Dockerfiles.

use super::Build;
use crate::buildpack::{GroupDocument, escape_id};
use crate::debian;
use crate::error::{Advice, Context, Error, Result};
use crate::image::Platform;
use crate::lifecycle::extender::{self, Kind};
use crate::platform::compiled::with_compiled_python;
use crate::platform::extension::{self, Surroundings};
use crate::platform::images::InStore;
use crate::platform::packages::{EXTENSION, Packages};
use crate::platform::place::Place;
use crate::sandbox::{Access, Mount};
use launcher::api::Api;
use std::path::Path;

/// The images that a build goes on with.
pub(super) struct Extended {
    /// What buildpacks run in.
    pub build: InStore,
    /// What the app stands on, and a later rebase replaces.
    pub run: InStore,
    /// The same with what Dockerfiles made of it.
    pub extended: Option<InStore>,
}

impl Extended {
    /// All that is below the app.
    pub fn below_app(&self) -> &InStore {
        self.extended.as_ref().unwrap_or(&self.run)
    }
}

impl Build<'_, '_> {
    /// Makes the images that the group's extensions want.
    pub(super) fn extend(&mut self, packages: &Packages, group: &GroupDocument) -> Result<Extended> {
        // Packages are composed into images that were composed. Into others they come by the Dockerfiles of the same extension.
        let (composed, none) = (self.builder.distribution.is_some(), Packages::default());
        let packages = if composed { packages } else { &none };
        let others: Vec<_> = group.extensions.iter().filter(|extension| !composed || extension.id != EXTENSION).cloned().collect();
        let (generated, app) = (self.place.layers().join("generated"), self.place.folders().app.clone());
        let find = |kind| extender::find(kind, &others, &generated, &app, Api::new(0, 15));
        let (for_build, for_run) = (find(Kind::Build)?, find(Kind::Run)?);
        let switched = self.switched_run_image()?;
        if packages == &Packages::default() && for_build.is_empty() && for_run.is_empty() && switched.is_none() {
            return Ok(Extended { build: self.builder.build.clone(), run: self.builder.run.clone(), extended: None });
        }
        self.clock.start("EXTENDING");
        let (build, run) = match switched {
            None => self.with_packages(packages)?,
            Some(name) => {
                let run = self.other_run_image(&name, packages, &generated)?;
                (self.with_packages(&Packages { run: Vec::new(), ..packages.clone() })?.0, run)
            }
        };
        let around = self.surroundings();
        let build = extension::extend(Kind::Build, &build, &for_build, &around)?;
        let extended = if for_run.is_empty() { None } else { Some(extension::extend(Kind::Run, &run, &for_run, &around)?) };
        Ok(Extended { build, run, extended })
    }

    /// Adds the packages that the group wants to the build image and the run image.
    fn with_packages(&self, packages: &Packages) -> Result<(InStore, InStore)> {
        let Some(distribution) = self.builder.distribution.as_ref().filter(|_| packages != &Packages::default()) else {
            return Ok((self.builder.build.clone(), self.builder.run.clone()));
        };
        let build = distribution.image(debian::Kind::Build, &packages.build)?;
        let run = with_compiled_python(distribution.image(debian::Kind::Run, &packages.run)?, self.store, self.output)?;
        Ok((build.into(), run.into()))
    }

    /// The name of the run image that an extension chose instead of the builder's (GEN-12, GEN-15).
    fn switched_run_image(&self) -> Result<Option<String>> {
        let image = self.place.analyzed()?.run_image.unwrap_or_default();
        Ok(Some(image.image).filter(|name| !name.is_empty() && *name != self.builder.run.name))
    }

    fn other_run_image(&self, name: &str, packages: &Packages, generated: &Path) -> Result<InStore> {
        let describe = || format!("an extension chose the run image `{name}`");
        // What came before the switch is ignored; what comes after would have to be added to an image that is not ours.
        let after = generated.join(escape_id(EXTENSION)).join(Kind::Run.dockerfile()).is_file();
        if after && !packages.run.is_empty() {
            let cause = Error::new(format!("the packages {} cannot be added to it", packages.run.join(", ")));
            return Err(cause).context(describe).hint("order that extension after `cooper/debian-packages`");
        }
        let run = Place::parse(name).and_then(|source| self.images().bring(&source)).context(describe)?;
        let of = |image: &InStore| Platform::of(&image.stored.image.config);
        if of(&run) != of(&self.builder.build) {
            let cause = Error::new(format!("it is for {}, the build image for {}", of(&run), of(&self.builder.build)));
            return Err(cause).context(describe);
        }
        Ok(run)
    }

    /// Programs of extensions see the app and this machine's names of hosts. Its certificates they do not see: packages that bring their own
    /// could not be installed over them.
    fn surroundings(&self) -> Surroundings<'_> {
        let host = &self.request.host;
        let app =
            Mount { source: self.place.folders().app.clone(), target: self.request.workspace.clone().into(), access: Access::ReadWrite };
        let file = |path: &std::path::PathBuf| {
            path.canonicalize().ok().map(|source| Mount { source, target: path.clone(), access: Access::ReadOnly })
        };
        Surroundings {
            store: self.store,
            output: self.output,
            mounts: host.resolver.iter().filter_map(file).chain([app]).chain(self.request.volumes.iter().cloned()).collect(),
            network: self.request.network.clone(),
            proxies: host.proxies.iter().map(|proxy| (proxy.name.clone(), proxy.value.clone())).collect(),
        }
    }
}
