//! Analyze: what is known of the previous image and the run image before the build (Platform spec, analyzer). Only manifests and
//! configurations are looked at, never a layer.

use super::documents::LIFECYCLE_METADATA_LABEL;
use super::documents::analyzed::{Analyzed, RunImage, Target};
use super::documents::layers_metadata::LayersMetadata;
use crate::buildpack::Distro;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::output::Output;

/// An image by what identifies it.
pub struct Identified<'a> {
    /// The image.
    pub image: &'a Image,
    /// What identifies the very image, as a name with a digest.
    pub reference: &'a str,
    /// The name that it was asked for by.
    pub name: &'a str,
}

/// Tells what is known of the previous image, where there is one, and of the run image.
pub fn analyze(previous_name: &str, previous: Option<&Identified>, run_image: &Identified, output: &Output) -> Result<Analyzed> {
    let mut analyzed = Analyzed { run_image: Some(analyze_run_image(run_image)?), ..Analyzed::default() };
    let Some(previous) = previous else {
        output.line(&format!("Image with name \"{previous_name}\" not found"));
        return Ok(analyzed);
    };
    output.detail(&format!("Found image with identifier \"{}\"", previous.reference));
    let label = previous.image.label(LIFECYCLE_METADATA_LABEL);
    if let Some(Ok(metadata)) = label.map(LayersMetadata::from_label) {
        analyzed.metadata = metadata;
        analyzed.previous_image = Some(previous.reference.to_string());
    }
    Ok(analyzed)
}

fn analyze_run_image(run_image: &Identified) -> Result<RunImage> {
    Ok(RunImage {
        reference: run_image.reference.into(),
        image: run_image.name.into(),
        extend: false,
        target: Some(target(run_image.image).map_err(|error| error.code(32))?),
    })
}

/// What an image runs on, by its configuration and its labels.
pub fn target(image: &Image) -> Result<Target> {
    let config = &image.config;
    if config.os.is_empty() {
        return Err(Error::new("failed to find OS in run image config"));
    }
    let label = |name: &str| image.label(&format!("io.buildpacks.base.{name}")).unwrap_or_default().to_string();
    let distro = Distro { name: label("distro.name"), version: label("distro.version") };
    Ok(Target {
        id: label("id"),
        os: config.os.clone(),
        arch: config.architecture.clone(),
        variant: config.variant.clone(),
        distro: (distro != Distro::default()).then_some(distro),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_image() -> Image {
        let mut image = Image::default();
        image.config.os = "linux".into();
        image.config.architecture = "arm64".into();
        image.config.variant = "v8".into();
        image
    }

    fn analyzed(previous: Option<&Image>, run: &Image) -> Result<Analyzed> {
        let previous = previous.map(|image| Identified { image, reference: "r.io/app@sha256:11", name: "r.io/app" });
        let run = Identified { image: run, reference: "r.io/run@sha256:44", name: "r.io/run:1" };
        analyze("r.io/app", previous.as_ref(), &run, &Output::quiet())
    }

    /// ANA-02, ANA-08, ANA-09, ANA-10, ANA-12.
    #[test]
    fn a_first_build_knows_the_run_image() {
        let mut run = run_image();
        run.set_label("io.buildpacks.base.id", "test.acme.run");
        run.set_label("io.buildpacks.base.distro.version", "24.04");
        let found = analyzed(None, &run).unwrap();
        assert_eq!(found.previous_image, None);
        let run_image = found.run_image.unwrap();
        assert_eq!((run_image.reference.as_str(), run_image.image.as_str()), ("r.io/run@sha256:44", "r.io/run:1"));
        let distro = Distro { name: String::new(), version: "24.04".into() };
        let expected =
            Target { id: "test.acme.run".into(), os: "linux".into(), arch: "arm64".into(), variant: "v8".into(), distro: Some(distro) };
        assert_eq!(run_image.target, Some(expected));
        assert_eq!(target(&super::tests::run_image()).unwrap().distro, None);
    }

    /// ANA-04, ANA-16.
    #[test]
    fn the_previous_image_speaks_by_its_label() {
        let mut previous = Image::default();
        previous.set_label(LIFECYCLE_METADATA_LABEL, r#"{"app":[{"sha":"sha256:a1"}]}"#);
        let found = analyzed(Some(&previous), &run_image()).unwrap();
        assert_eq!(found.previous_image.as_deref(), Some("r.io/app@sha256:11"));
        assert_eq!(found.metadata.app.unwrap()[0].sha, "sha256:a1");
        previous.set_label(LIFECYCLE_METADATA_LABEL, "garbage");
        let found = analyzed(Some(&previous), &run_image()).unwrap();
        assert_eq!((found.previous_image, found.metadata), (None, LayersMetadata::default()));
    }

    /// ANA-11.
    #[test]
    fn a_run_image_without_an_operating_system_is_refused() {
        let error = analyzed(None, &Image::default()).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.exit_code()), ("failed to find OS in run image config", 32));
    }
}
