//! What a builder says of itself: on this machine and in its registry, of which only documents are read.

use super::label::{Creator, Metadata, ORDER, ORDER_EXTENSIONS, STACK_ID, STACK_MIXINS, Versions};
use crate::buildpack::{Group, ModuleInfo};
use crate::error::{Context, Result};
use crate::image::Image;
use crate::lifecycle::documents::run::RunImageNames;
use crate::platform::buildpackage::{LAYERS_LABELS, ModuleLayers, module_layers};
use crate::platform::config::Config;
use crate::platform::images::Images;
use crate::platform::place::Place;
use crate::platform::transfer::Extent;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is known of a builder, in the reference's key order.
#[derive(Serialize)]
pub struct Inspection {
    /// Its name.
    pub builder_name: String,
    /// Whether the user trusts it.
    pub trusted: bool,
    /// Whether builds use it that name none.
    pub default: bool,
    /// What its registry has.
    pub remote_info: Option<Info>,
    /// What this machine has.
    pub local_info: Option<Info>,
}

/// A name of a run image.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct RunImage {
    /// It.
    pub name: String,
    /// Whether the user's configuration says so, not the builder.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub user_configured: bool,
}

/// What a builder says of itself.
#[derive(Serialize)]
pub struct Info {
    /// What it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The program that made it.
    pub created_by: Creator,
    /// Its stack, of older builders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<Stack>,
    /// Its lifecycle.
    pub lifecycle: Lifecycle,
    /// All names of the run images that it offers, in the order in which they are tried.
    pub run_images: Vec<RunImage>,
    /// Its buildpacks, sorted.
    pub buildpacks: Vec<ModuleInfo>,
    /// The groups that are tried.
    pub detection_order: Vec<Entry>,
    /// Its extensions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<ModuleInfo>,
    /// Extensions in the order in which they are tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order_extensions: Vec<Entry>,
}

/// A stack.
#[derive(Serialize)]
pub struct Stack {
    /// Its ID.
    pub id: String,
    /// What is installed on it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mixins: Vec<String>,
}

/// What a lifecycle speaks.
#[derive(Serialize)]
pub struct Lifecycle {
    /// Its version.
    pub version: String,
    /// Versions of the Buildpack API.
    pub buildpack_apis: Versions,
    /// Versions of the Platform API.
    pub platform_apis: Versions,
}

/// A group, or one of its buildpacks with the groups that it stands for.
#[derive(Serialize)]
pub struct Entry {
    /// The ID of a buildpack.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Whether its group passes without it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// What is in the group, or the groups.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buildpacks: Vec<Entry>,
}

/// Looks at a builder, here and in its registry. `depth` is how many levels of composed buildpacks are shown; all of them where there is none.
///
/// # Errors
/// When it is nowhere, or is no builder.
pub fn inspect(text: &str, depth: Option<usize>, images: &Images, config: &Config) -> Result<Inspection> {
    let place = Place::parse(text)?;
    let inspection = |remote_info, local_info| Inspection {
        builder_name: text.into(),
        trusted: config.trusts(text),
        default: config.default_builder.as_deref() == Some(text),
        remote_info,
        local_info,
    };
    let of = |image: &Image| info(image, depth, &config.run_images).context(|| format!("cannot read `{text}`"));
    let read = |place: &Place| images.open(place, Extent::One).and_then(|opened| of(opened.image()?));
    let Place::Name(name) = &place else {
        let found = Some(read(&place)?);
        let (remote_info, local_info) = if matches!(place, Place::Registry(_)) { (found, None) } else { (None, found) };
        return Ok(inspection(remote_info, local_info));
    };
    let local_info = images.store.find(name)?.map(|stored| of(&stored.image)).transpose()?;
    // Nobody means Docker's registry by a name of this machine's.
    let remote_info = match (&local_info, name.has_host()) {
        (Some(_), false) => None,
        (None, _) => Some(read(&Place::Registry(name.clone()))?),
        (Some(_), true) => match read(&Place::Registry(name.clone())) {
            Ok(info) => Some(info),
            Err(error) => {
                images.output.warn(&format!("cannot look at what the registry has: {error:?}"));
                None
            }
        },
    };
    Ok(inspection(remote_info, local_info))
}

fn info(image: &Image, depth: Option<usize>, mirrors: &[RunImageNames]) -> Result<Info> {
    let metadata = Metadata::read(image)?;
    let [(_, buildpacks), (_, extensions)] = LAYERS_LABELS.map(|(kind, label)| (kind, module_layers(image, label)));
    let order = |label: &str, layers: &ModuleLayers| -> Result<Vec<Entry>> {
        Ok(groups(&json::<Vec<Group>>(image, label)?, layers, depth.unwrap_or(usize::MAX)))
    };
    let stack = image
        .label(STACK_ID)
        .map(|id| Ok::<_, crate::error::Error>(Stack { id: id.into(), mixins: json(image, STACK_MIXINS)? }))
        .transpose()?;
    Ok(Info {
        run_images: run_images(&metadata.run_images(), mirrors),
        description: metadata.description,
        created_by: metadata.created_by,
        stack,
        lifecycle: Lifecycle {
            version: metadata.lifecycle.version,
            buildpack_apis: metadata.lifecycle.apis.buildpack,
            platform_apis: metadata.lifecycle.apis.platform,
        },
        buildpacks: sorted(metadata.buildpacks),
        detection_order: order(ORDER, &buildpacks?)?,
        extensions: sorted(metadata.extensions),
        order_extensions: order(ORDER_EXTENSIONS, &extensions?)?.into_iter().flat_map(|group| group.buildpacks).collect(),
    })
}

fn sorted(modules: Option<Vec<ModuleInfo>>) -> Vec<ModuleInfo> {
    let mut modules = modules.unwrap_or_default();
    modules.sort_by(|one, other| (&one.id, &one.version).cmp(&(&other.id, &other.version)));
    modules
}

/// The user's own mirrors come first.
fn run_images(offered: &[RunImageNames], mirrors: &[RunImageNames]) -> Vec<RunImage> {
    let name = |user_configured| move |name: &str| RunImage { name: name.into(), user_configured };
    let own = mirrors.iter().filter(|names| offered.iter().any(|offered| offered.image == names.image));
    let own = own.flat_map(|names| names.mirrors.iter().map(String::as_str)).map(name(true));
    own.chain(offered.iter().flat_map(RunImageNames::all).map(name(false))).collect()
}

/// What a label holds as JSON; nothing where there is none, or `null`.
fn json<T: DeserializeOwned + Default>(image: &Image, label: &str) -> Result<T> {
    let value =
        image.label(label).map(|text| serde_json::from_str::<Option<T>>(text).context(|| format!("its label `{label}` is damaged")));
    Ok(value.transpose()?.flatten().unwrap_or_default())
}

fn groups(groups: &[Group], layers: &ModuleLayers, depth: usize) -> Vec<Entry> {
    let entry = |entry: &crate::buildpack::OrderEntry| Entry {
        id: entry.id.clone(),
        version: entry.version.clone(),
        optional: entry.optional,
        buildpacks: inner(&entry.id, &entry.version, layers, depth),
    };
    let group = |group: &Group| Entry {
        id: String::new(),
        version: String::new(),
        optional: false,
        buildpacks: group.group.iter().map(entry).collect(),
    };
    groups.iter().map(group).collect()
}

/// What a composed buildpack stands for.
fn inner(id: &str, version: &str, layers: &ModuleLayers, depth: usize) -> Vec<Entry> {
    // Deeper ones only name themselves.
    const DEEPEST: usize = 32;
    let versions = layers.get(id).filter(|_| depth > 0);
    let layer = versions.and_then(|versions| if version.is_empty() { versions.values().next() } else { versions.get(version) });
    layer.map(|layer| groups(&layer.order, layers, depth.min(DEEPEST) - 1)).unwrap_or_default()
}
