//! Rebase: put an app image on another run image without building it again (Platform spec, rebaser). Images are values here; no layer is
//! looked at.

use super::documents::LIFECYCLE_METADATA_LABEL;
use super::documents::layers_metadata::{RunImageMetadata, Stack};
use super::documents::run::RunImageNames;
use crate::error::{Context, Error, Result};
use crate::image::{CREATED, Image, Layer, Reference, to_json};
use crate::output::Output;
use launcher::api::Api;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Labels that describe the run image and come from the new one (REB-17).
const OF_RUN_IMAGE: [&str; 2] = ["io.buildpacks.stack.", "io.buildpacks.base."];

/// What is put on what.
pub struct Rebase<'a> {
    /// The app image.
    pub app: &'a Image,
    /// The new run image.
    pub run: &'a Image,
    /// What identifies the new run image.
    pub run_reference: &'a str,
    /// The name of the new run image.
    pub run_name: &'a str,
    /// The Platform API that the platform speaks.
    pub platform_api: Api,
    /// Whether doubts only cause warnings.
    pub force: bool,
    /// Whether another tag of a run image that is known counts as known: it is a patch.
    pub tags_are_patches: bool,
}

/// The label as a rebase changes it; the rest keeps its text, whatever its shape (REB-16).
#[derive(Serialize, Deserialize)]
struct Label {
    #[serde(default)]
    app: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sbom: Option<Box<RawValue>>,
    #[serde(default)]
    buildpacks: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    launcher: Option<Box<RawValue>>,
    #[serde(rename = "process-types", default, skip_serializing_if = "Option::is_none")]
    process_types: Option<Box<RawValue>>,
    #[serde(rename = "runImage", default)]
    run_image: RunImageMetadata,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stack: Option<Stack>,
}

/// The names of the run image that an app image remembers (REB-03).
///
/// # Errors
/// When the image has no label that can be read.
pub fn run_image_names(app: &Image, api: Api) -> Result<RunImageNames> {
    let label = read_label(app)?;
    let of_stack = label.stack.map(|stack| RunImageNames { image: stack.run_image.image, mirrors: stack.run_image.mirrors });
    let own = RunImageNames { image: label.run_image.image, mirrors: label.run_image.mirrors };
    if api >= Api::new(0, 12) && !own.image.is_empty() { Ok(own) } else { Ok(of_stack.unwrap_or_default()) }
}

/// The app image on the new run image (REB-05 to REB-19).
///
/// # Errors
/// When the two do not fit.
pub fn rebase(request: &Rebase, output: &Output) -> Result<Image> {
    let mut label = read_label(request.app)?;
    check(request, &label, output)?;
    let app = request.app;
    let count = count_of_run_image(app, &label)?;
    let mut image = app.clone();
    image.layers = request.run.layers.iter().chain(&app.layers[count..]).map(dated).collect();
    image.config.created = CREATED.into();
    image.config.os.clone_from(&request.run.config.os);
    image.config.architecture.clone_from(&request.run.config.architecture);
    image.config.os_version.clone_from(&request.run.config.os_version);
    image.config.variant.clone_from(&request.run.config.variant);
    let new_top = request.run.top_layer().context(|| format!("the run image `{}` has no layers", request.run_name))?;
    label.run_image.top_layer = new_top.to_string();
    label.run_image.reference = request.run_reference.to_string();
    move_labels(&mut image, request);
    image.set_label(LIFECYCLE_METADATA_LABEL, String::from_utf8_lossy(&to_json(&renamed(label, request))).into_owned());
    Ok(image)
}

/// The layers of an app image that are its run image's, and those that are its own.
///
/// # Errors
/// When the image does not say which are which.
pub fn layers_of(app: &Image) -> Result<(&[Layer], &[Layer])> {
    Ok(app.layers.split_at(count_of_run_image(app, &read_label(app)?)?))
}

fn count_of_run_image(app: &Image, label: &Label) -> Result<usize> {
    let top = &label.run_image.top_layer;
    let position = app.layers.iter().position(|layer| layer.diff_id.as_str() == top);
    position.map(|position| position + 1).context(|| format!("could not find base layer `{top}` in the app image"))
}

fn read_label(app: &Image) -> Result<Label> {
    let text =
        app.label(LIFECYCLE_METADATA_LABEL).context(|| "the app image was not built by buildpacks: it has no label of the lifecycle")?;
    serde_json::from_str(text).context(|| format!("cannot read the label `{LIFECYCLE_METADATA_LABEL}`"))
}

fn dated(layer: &Layer) -> Layer {
    let mut layer = layer.clone();
    layer.history.created = CREATED.into();
    layer
}

/// REB-11: with force, another run image takes the place of the names that were known.
fn renamed(mut label: Label, request: &Rebase) -> Label {
    if request.platform_api < Api::new(0, 12) || is_known(&label, request) {
        return label;
    }
    label.run_image.image = request.run_name.to_string();
    label.run_image.mirrors.clear();
    let stack = label.stack.get_or_insert_default();
    stack.run_image.image = request.run_name.to_string();
    stack.run_image.mirrors.clear();
    label
}

fn is_known(label: &Label, request: &Rebase) -> bool {
    let name = request.run_name;
    let own = RunImageNames { image: label.run_image.image.clone(), mirrors: label.run_image.mirrors.clone() };
    let stack =
        label.stack.as_ref().map(|stack| RunImageNames { image: stack.run_image.image.clone(), mirrors: stack.run_image.mirrors.clone() });
    let names: Vec<RunImageNames> = std::iter::once(own).chain(stack).collect();
    names.iter().any(|names| names.contains(name) || request.tags_are_patches && names.all().any(|known| is_same_repository(known, name)))
}

fn is_same_repository(one: &str, other: &str) -> bool {
    let repository = |name: &str| Reference::parse(name).map(|name| (name.registry().to_string(), name.repository().to_string()));
    matches!((repository(one), repository(other)), (Ok(one), Ok(other)) if one == other)
}

/// REB-17, REB-18.
fn move_labels(image: &mut Image, request: &Rebase) {
    let prefixes = if request.platform_api >= Api::new(0, 12) { &OF_RUN_IMAGE[..] } else { &OF_RUN_IMAGE[..1] };
    let moves = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let labels = image.config.config.labels.get_or_insert_default();
    labels.retain(|name, _| !moves(name));
    let new = request.run.config.config.labels.iter().flatten().filter(|(name, _)| moves(name));
    labels.extend(new.map(|(name, value)| (name.clone(), value.clone())));
}

/// REB-05: what the app was built for decides by what it is compared.
fn check(request: &Rebase, label: &Label, output: &Output) -> Result<()> {
    let built_for = request.app.config.variable("CNB_PLATFORM_API").and_then(Api::parse);
    if built_for.is_none_or(|api| api < Api::new(0, 12)) {
        check_stack(request.app, request.run)?;
    } else {
        let doubts = [check_rebasable(request.app), check_target(request.app, request.run)];
        for doubt in doubts.into_iter().flatten() {
            doubted(doubt, request.force, output)?;
        }
    }
    if request.platform_api >= Api::new(0, 12) && !is_known(label, request) {
        let doubt = format!("new base image '{}' not found in existing run image metadata", request.run_name);
        doubted(doubt, request.force, output)?;
    }
    Ok(())
}

fn doubted(doubt: String, force: bool, output: &Output) -> Result<()> {
    if force {
        output.warn(&doubt);
        return Ok(());
    }
    Err(Error::new(format!("{doubt}; please provide -force to override")))
}

fn check_rebasable(app: &Image) -> Option<String> {
    (app.label("io.buildpacks.rebasable") == Some("false")).then(|| "app image is not marked as rebasable".to_string())
}

/// REB-09, REB-10.
fn check_target(app: &Image, run: &Image) -> Option<String> {
    let label = |image: &Image, name: &str| image.label(&format!("io.buildpacks.base.distro.{name}")).unwrap_or_default().to_string();
    let (one, other) = (&app.config, &run.config);
    let variant = one.variant.is_empty() || other.variant.is_empty() || one.variant == other.variant;
    let distro = ["name", "version"].iter().all(|name| label(run, name).is_empty() || label(run, name) == label(app, name));
    if one.os == other.os && one.architecture == other.architecture && variant && distro {
        return None;
    }
    let describe = |image: &Image| {
        let parts = [image.config.os.clone(), image.config.architecture.clone(), image.config.variant.clone()];
        let parts: Vec<String> =
            parts.into_iter().chain([label(image, "name"), label(image, "version")]).filter(|part| !part.is_empty()).collect();
        parts.join("/")
    };
    Some(format!("unable to satisfy target os/arch constraints; new run image: {}, old run image: {}", describe(run), describe(app)))
}

/// REB-06, REB-07.
fn check_stack(app: &Image, run: &Image) -> Result<()> {
    let stack = |image: &Image| image.label("io.buildpacks.stack.id").unwrap_or_default().to_string();
    let (old, new) = (stack(app), stack(run));
    if old.is_empty() {
        return Err(Error::new("stack not defined on app image"));
    }
    if new.is_empty() {
        return Err(Error::new("stack not defined on new base image"));
    }
    if old != new {
        return Err(Error::new(format!("incompatible stack: '{new}' is not compatible with '{old}'")));
    }
    let (wanted, found) = (mixins(app)?, mixins(run)?);
    let missing: Vec<String> = wanted.into_iter().filter(|mixin| !found.contains(mixin)).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::new(format!("missing required mixin(s): {}", missing.join(", ")))) }
}

/// The mixins without the names of stages, sorted.
fn mixins(image: &Image) -> Result<Vec<String>> {
    let Some(text) = image.label("io.buildpacks.stack.mixins") else { return Ok(Vec::new()) };
    let mixins: Option<Vec<String>> = serde_json::from_str(text).context(|| "cannot read the label `io.buildpacks.stack.mixins`")?;
    let plain = |mixin: String| mixin.split_once(':').map_or(mixin.clone(), |(_, name)| name.to_string());
    let mut mixins: Vec<String> = mixins.unwrap_or_default().into_iter().map(plain).collect();
    mixins.sort();
    mixins.dedup();
    Ok(mixins)
}

#[cfg(test)]
mod tests;
