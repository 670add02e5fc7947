//! Puts an image that was made of parts (a package, a builder) into the store, and wherever else it is wanted; of an image for several machines one for
//! each, and a list of them (PKG-18, BIMG-25).

use super::buildpackage::Sources;
use super::images::{Images, here};
use super::manifest_list::{Form, Lists};
use super::place::Place;
use super::publish::{self, Member};
use super::transfer::{Opened, Written};
use crate::buildpack::Target;
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Image, Reference};

/// Where an image goes besides the store.
pub struct Delivery {
    /// Its names, the first one first.
    pub names: Vec<Reference>,
    /// Whether the registries of its names get it.
    pub publish: bool,
    /// Other places.
    pub outputs: Vec<Place>,
    /// Whether the image of each machine also gets a name that ends in the machine, where there are several.
    pub suffix: bool,
}

/// An image that was made, and those that it shares layers with.
pub struct Made {
    /// The image.
    pub image: Image,
    /// Images that share layers with it, where they are in registries.
    pub near: Vec<(Reference, Image)>,
    /// Images that belong to it, and go to the registries of their own names.
    pub beside: Vec<(Reference, Image)>,
}

/// Where an image is now.
pub struct Delivered {
    /// Digest of its manifest, or of the list.
    pub digest: Digest,
    /// Bytes of its layers as they are sent.
    pub size: u64,
    /// The names that registries have it under.
    pub published: Vec<String>,
    /// The other places.
    pub written: Vec<Written>,
}

/// The machines that there is to be an image for.
pub struct Targets(Vec<Target>);

impl Targets {
    /// Those that are `asked` for, else those of the `configuration`, each with one version of a distribution; without `all`, the one that is
    /// this machine's.
    ///
    /// # Errors
    /// When none is this machine's.
    pub fn choose(asked: &[Target], configuration: &[Target], all: bool) -> Result<Self> {
        let targets = if asked.is_empty() { configuration } else { asked };
        let targets: Vec<Target> = targets.iter().flat_map(one_distribution_each).collect();
        if all || targets.len() < 2 {
            return Ok(Self(targets));
        }
        let (os, arch) = here();
        let this = Target { os: os.into(), arch: arch.into(), ..Target::default() };
        let found = targets.into_iter().find(|target| Target { distros: Vec::new(), ..target.clone() }.accepts(&this));
        let found = found.context(|| format!("none of the targets is this machine's, {os}/{arch}"));
        Ok(Self(vec![found.hint("`--publish` makes all of them")?]))
    }

    /// The targets; one that says nothing where there is none.
    pub fn all(&self) -> Vec<Target> {
        if self.0.is_empty() { vec![Target::default()] } else { self.0.clone() }
    }

    /// Whether there are several.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// Makes the image of each target, and delivers them.
    ///
    /// # Errors
    /// When an image cannot be made or delivered.
    pub fn deliver(
        &self,
        delivery: &Delivery,
        sources: &Sources,
        make: &mut dyn FnMut(&Target, &Sources) -> Result<Made>,
    ) -> Result<Delivered> {
        let mut names = Vec::new();
        let mut last = None;
        for target in self.all() {
            let of_target = of_target(sources, &target);
            let describe = || format!("cannot make the image for {}", machine(&target));
            let made = make(&target, &of_target);
            let made = if self.are_several() { made.context(describe)? } else { made? };
            if !self.are_several() {
                return deliver(&made, delivery, sources.images);
            }
            let own = delivery.names.iter().map(|name| suffixed(name, &target)).collect::<Result<Vec<_>>>()?;
            names.extend(own.first().cloned());
            let one = Delivery { names: own, publish: delivery.suffix, outputs: Vec::new(), suffix: false };
            last = Some(deliver(&made, &one, sources.images)?);
        }
        let mut delivered = last.context(|| "there is no target")?;
        if !delivery.outputs.is_empty() {
            return Err(Error::new("images for several machines go to a registry only"))
                .hint("leave `--output` out, or name one `--target`");
        }
        for name in &delivery.names {
            let lists = Lists { store: sources.images.store, registries: sources.images.registries, output: sources.images.output };
            if sources.images.store.manifest_list(name)?.is_some() {
                lists.remove(std::slice::from_ref(name))?;
            }
            lists.create(name, &names, Form::Oci)?;
            delivered.digest = Digest::parse(&lists.push(name)?)?;
            delivered.published.push(name.familiar());
        }
        Ok(delivered)
    }
}

/// The same sources, for a machine.
fn of_target<'a>(sources: &Sources<'a>, target: &'a Target) -> Sources<'a> {
    let (os, architecture) = sources.platform;
    let or = |said: &'a str, default: &'a str| if said.is_empty() { default } else { said };
    Sources { platform: (or(&target.os, os), or(&target.arch, architecture)), ..*sources }
}

/// A target as people write it.
pub fn machine(target: &Target) -> String {
    let distros = target.distros.iter().map(|distro| format!("{}@{}", distro.name, distro.version));
    let parts = [&target.os, &target.arch, &target.variant].into_iter().filter(|part| !part.is_empty()).cloned();
    parts.chain(distros).collect::<Vec<_>>().join("/")
}

fn one_distribution_each(target: &Target) -> Vec<Target> {
    if target.distros.len() < 2 {
        return vec![target.clone()];
    }
    target.distros.iter().map(|distro| Target { distros: vec![distro.clone()], ..target.clone() }).collect()
}

/// The name of the image for one machine.
fn suffixed(name: &Reference, target: &Target) -> Result<Reference> {
    let tag = name.tag().unwrap_or("latest");
    let machine = machine(target).replace(['/', '@'], "-");
    Reference::parse_new(&format!("{}/{}:{tag}-{machine}", name.registry(), name.repository()))
}

/// Delivers an image whose layers are in the store.
///
/// # Errors
/// When one of the places cannot be written.
fn deliver(made: &Made, delivery: &Delivery, images: &Images) -> Result<Delivered> {
    let image = &made.image;
    let stored = images.store.read(&images.store.put_image(image)?.digest)?;
    for name in &delivery.names {
        images.store.name(name, &stored)?;
    }
    let opened = Opened::stored(&stored, delivery.names.first().cloned(), images.store)?;
    let mut written = Vec::new();
    for place in &delivery.outputs {
        // In an engine it is used at once; a layout or an archive is for the image alone.
        for (name, image) in made.beside.iter().filter(|_| matches!(place, Place::Engine(_))) {
            let beside = images.store.read(&images.store.put_image(image)?.digest)?;
            let beside = Opened::stored(&beside, Some(name.clone()), images.store)?;
            written.push(images.write(&beside, &Place::Engine(Some(name.clone())), &[])?);
        }
        written.push(images.write(&opened, place, &delivery.names)?);
    }
    let mut published = Vec::new();
    if delivery.publish {
        for (name, image) in &made.beside {
            published.extend(publish::publish(&Member { image, sources: Vec::new() }, std::slice::from_ref(name), images, 1)?);
        }
        let sources = made.near.iter().map(|(name, image)| (name.clone(), image)).collect();
        published.extend(publish::publish(&Member { image, sources }, &delivery.names, images, 1)?);
    }
    Ok(Delivered { digest: stored.digest, size: image.compressed_size(), published, written })
}
