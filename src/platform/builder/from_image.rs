//! Builders that are images, as `pack builder create` makes them (CNB Platform Specification, builders; BIMG rows).

use super::label::Metadata;
use super::{Builder, Wanted};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Digest, Image, Platform, Reference};
use crate::lifecycle::documents::run::{RunImageNames, RunImages};
use crate::platform::builder::built_in;
use crate::platform::buildpackage::{LAYERS_LABELS, ModuleLayers};
use crate::platform::images::{Images, InStore};
use crate::platform::place::Place;
use std::collections::BTreeMap;

/// Brings a builder's image and its run image into the store.
///
/// # Errors
/// When one is not to be had, or the image is no builder.
pub fn open<'a>(wanted: &Wanted, images: &Images) -> Result<Builder<'a>> {
    let built_in = format!("the built-in builders are {}; others are named by their image, `oci:DIR` or `docker:NAME`", built_in::names());
    let source = Place::parse(&wanted.builder);
    let in_engine = matches!(source, Ok(Place::Engine(_)));
    let what = match &source {
        Ok(Place::Layout { .. } | Place::Archive { .. } | Place::Engine(_) | Place::Registry(_) | Place::Store(_)) => {
            "cannot open the builder"
        }
        Ok(Place::Name(_)) | Err(_) => "there is no builder",
    };
    let build = source.and_then(|source| images.bring(&source)).context(|| format!("{what} `{}`", wanted.builder)).hint(built_in)?;
    let run_images = run_images(&build.stored.image).context(|| format!("cannot use `{}` as a builder", wanted.builder))?;
    let run = match &wanted.run_image {
        Some(source) => images.bring(source).context(|| "cannot open the run image")?,
        None => first(&run_images, in_engine, wanted, images)
            .context(|| format!("cannot open the run image of the builder `{}`", wanted.builder))?,
    };
    check_platform(&build.stored.image, &run.stored.image)?;
    let found = Platform::of(&build.stored.image.config);
    if wanted.platform.as_ref().is_some_and(|platform| !platform.accepts(&found)) {
        return Err(Error::new(format!("the builder `{}` is for {found}, not for {}", wanted.builder, images.platform)))
            .hint("leave `--platform` out, or name a builder that is for it");
    }
    Ok(Builder {
        name: wanted.builder.clone(),
        distribution: None,
        modules: modules(&build.stored.image),
        build,
        run,
        run_images,
        cnb: Vec::new(),
    })
}

/// The builder's first run image, by the first of its names that is to be had (IMG-29): the user's own before the builder's, and those in the registry
/// that is near before both (CLI-26, CLI-27). Beside a builder in an engine it is there too.
fn first(run_images: &RunImages, in_engine: bool, wanted: &Wanted, images: &Images) -> Result<InStore> {
    let names = run_images.images.first().context(|| "it names none").hint("name one with `--run-image`")?;
    let names = by_distance(&names.preferring(&wanted.run_images), wanted.near.as_deref());
    let mut last = None;
    let near = names.iter().filter(|_| in_engine).map(|name| Reference::parse(name).map(|name| Place::Engine(Some(name))));
    let named = names.iter().map(|name| Place::parse(name));
    for place in near.chain(named) {
        match place.and_then(|place| images.bring(&place)) {
            Ok(found) => return Ok(found),
            Err(error) => last = last.or(Some(error)),
        }
    }
    Err(last.unwrap_or_else(|| Error::new("it has no name"))).hint("name another one with `--run-image`")
}

fn by_distance(names: &RunImageNames, registry: Option<&str>) -> Vec<String> {
    let is_near = |name: &&str| Reference::parse(name).is_ok_and(|name| Some(name.registry()) == registry);
    let (near, far): (Vec<&str>, Vec<&str>) = names.all().partition(is_near);
    near.into_iter().chain(far).map(str::to_string).collect()
}

/// What the image says of the layers of its buildpacks and extensions.
fn modules(image: &Image) -> BTreeMap<String, Digest> {
    let labels = LAYERS_LABELS.iter().filter_map(|(_, label)| serde_json::from_str::<ModuleLayers>(image.label(label)?).ok());
    let versions =
        labels.flatten().flat_map(|(id, versions)| versions.into_iter().map(move |(version, layer)| (format!("{id}@{version}"), layer)));
    versions.filter_map(|(name, layer)| Some((name, Digest::parse(&layer.layer_diff_id).ok()?))).collect()
}

fn run_images(image: &Image) -> Result<RunImages> {
    Ok(RunImages { images: Metadata::read(image)?.run_images() })
}

/// BIMG-27.
pub(super) fn check_platform(build: &Image, run: &Image) -> Result<()> {
    let (build, run) = (Platform::of(&build.config), Platform::of(&run.config));
    if build == run { Ok(()) } else { Err(Error::new(format!("the builder is for {build}, the run image for {run}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLI-26, CLI-27.
    #[test]
    fn a_users_names_come_first_and_near_ones_before_them() {
        let names = |image: &str, mirrors: &[&str]| RunImageNames {
            image: image.into(),
            mirrors: mirrors.iter().map(ToString::to_string).collect(),
        };
        let own = [names("docker.io/acme/run", &["mine.test/run"]), names("other", &["not.test/this"])];
        let all = names("acme/run", &["far.test/run", "near.test/run"]).preferring(&own);
        assert_eq!(by_distance(&all, None), ["mine.test/run", "acme/run", "far.test/run", "near.test/run"]);
        assert_eq!(by_distance(&all, Some("near.test")), ["near.test/run", "mine.test/run", "acme/run", "far.test/run"]);
    }

    /// BIMG-06, BIMG-15, CLI-53.
    #[test]
    fn run_images_stand_in_the_label() {
        let names = |label: &str| {
            let mut image = Image::default();
            image.set_label(super::super::label::METADATA, label);
            run_images(&image).map(|found| found.images.iter().map(|names| names.all().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>())
        };
        let stack = r#""stack":{"runImage":{"image":"run","mirrors":null}}"#;
        assert_eq!(names(&format!("{{{stack}}}")).unwrap(), ["run"]);
        assert_eq!(
            names(&format!(r#"{{{stack},"images":[{{"image":"a","mirrors":["b"]}},{{"image":"c","mirrors":null}}]}}"#)).unwrap(),
            ["a b", "c"]
        );
        assert!(names("{}").unwrap().is_empty());
        assert!(names("[").is_err() && run_images(&Image::default()).unwrap_err().to_string().contains("no label"));
    }

    /// BIMG-27.
    #[test]
    fn a_run_image_is_for_the_machine_of_its_builder() {
        let image = |architecture: &str| {
            let mut image = Image::default();
            (image.config.os, image.config.architecture) = ("linux".into(), architecture.into());
            image
        };
        assert!(check_platform(&image("arm64"), &image("arm64")).is_ok());
        let error = check_platform(&image("amd64"), &image("arm64")).unwrap_err().to_string();
        assert_eq!(error, "the builder is for linux/amd64, the run image for linux/arm64");
    }
}
