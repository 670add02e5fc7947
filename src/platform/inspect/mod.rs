//! What is known of an image, for people and programs.

mod info;

pub use info::Info;

use super::images::Images;
use super::place::Place;
use super::referrers::Keeper;
use super::transfer::Extent;
use crate::error::Result;
use crate::image::{Descriptor, Digest, Image, Platform, Reference};
use crate::lifecycle::documents::run::RunImageNames;
use crate::lifecycle::documents::{BUILD_METADATA_LABEL, LIFECYCLE_METADATA_LABEL};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// An image, described.
#[derive(Debug, Serialize)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Digest of its manifest.
    pub digest: String,
    /// What it runs on, as `linux/amd64`.
    pub platform: Platform,
    /// When it says that it was made.
    pub created: String,
    /// Bytes of its layers as they are sent.
    pub size: u64,
    /// User and group.
    pub user: String,
    /// What it runs on top of.
    pub run_image: Option<String>,
    /// The buildpacks that built it, as `ID@VERSION`.
    pub buildpacks: Vec<String>,
    /// Its processes.
    pub processes: Vec<Process>,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
    /// Its name once more, in `pack`'s words, as all that follows.
    pub image_name: String,
    /// The image, if it is in a registry.
    pub remote_info: Option<Info>,
    /// The image, if it is on this machine.
    pub local_info: Option<Info>,
    /// The old bill of materials in its label.
    #[serde(skip)]
    pub bom: Value,
    /// What refers to it, as signatures do; nothing where its place keeps no such list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referrers: Option<Vec<Referrer>>,
}

/// Something that refers to an image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Referrer {
    /// What kind of thing it is.
    pub artifact_type: String,
    /// Digest of its manifest.
    pub digest: String,
    /// Bytes of its manifest.
    pub size: u64,
    /// What it says of itself.
    pub annotations: BTreeMap<String, String>,
}

impl From<Descriptor> for Referrer {
    fn from(descriptor: Descriptor) -> Self {
        let Descriptor { artifact_type, digest, size, annotations, .. } = descriptor;
        Self { artifact_type, digest: digest.to_string(), size, annotations }
    }
}

/// A process of an image.
#[derive(Debug, Serialize)]
pub struct Process {
    /// Its name.
    #[serde(rename = "type")]
    pub kind: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether it starts unless another is asked for.
    pub default: bool,
}

/// A layer of an image.
#[derive(Debug, Serialize)]
pub struct Layer {
    /// Digest of its tar.
    pub diff_id: String,
    /// Bytes of its blob.
    pub size: u64,
    /// How it came to be.
    pub created_by: String,
}

/// Images for several platforms under one name, described.
#[derive(Debug, Serialize)]
pub struct IndexDescription {
    /// Its name.
    pub name: String,
    /// Digest of the index.
    pub digest: String,
    /// Its images.
    pub platforms: Vec<Member>,
}

/// An image of an index.
#[derive(Debug, Serialize)]
pub struct Member {
    /// What it runs on.
    pub platform: Platform,
    /// Digest of its manifest.
    pub digest: String,
    /// Bytes of its layers as they are sent.
    pub size: u64,
}

/// What a name means.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Inspected {
    /// One image.
    Image(Box<Description>),
    /// Several.
    Index(IndexDescription),
}

/// Describes an image, or an index of several. Of one in a registry only the documents are read; what is in a layout, an archive or an engine
/// comes into the store.
///
/// # Errors
/// When it is not there or damaged.
pub fn inspect(place: &Place, extent: Extent, configured: &[RunImageNames], images: &Images) -> Result<Inspected> {
    let opened = images.open(place, extent)?;
    let name = opened.name().first().map_or_else(|| place.to_string(), Reference::familiar);
    let digest = opened.digest();
    if opened.is_index() {
        let platforms = opened.images().map(|(image, digest)| Member {
            platform: Platform::of(&image.config),
            digest: digest.to_string(),
            size: image.compressed_size(),
        });
        return Ok(Inspected::Index(IndexDescription { name, digest: digest.to_string(), platforms: platforms.collect() }));
    }
    let referrers = Keeper::of_source(place, &opened).map(|keeper| images.referrers(keeper, digest, None)).transpose()?;
    let referrers = referrers.map(|referrers| referrers.into_iter().map(Referrer::from).collect());
    let is_remote = match place {
        Place::Registry(_) => true,
        Place::Name(name) => images.store.find(name)?.is_none(),
        Place::Layout { .. } | Place::Archive { .. } | Place::Engine(_) | Place::Store(_) => false,
    };
    let info = Some(Info::of(opened.image()?, configured));
    let (remote_info, local_info) = if is_remote { (info, None) } else { (None, info) };
    let description = describe(name, opened.image()?, digest);
    Ok(Inspected::Image(Box::new(Description { referrers, remote_info, local_info, ..description })))
}

fn describe(name: String, image: &Image, digest: &Digest) -> Description {
    let json = |label: &str| image.label(label).and_then(|text| serde_json::from_str::<Value>(text).ok()).unwrap_or_default();
    let (build, lifecycle) = (json(BUILD_METADATA_LABEL), json(LIFECYCLE_METADATA_LABEL));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let default = text(&build["buildpack-default-process-type"]);
    let words = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>();
    let process = |process: &Value| Process {
        kind: text(&process["type"]),
        command: words(&process["command"]).into_iter().chain(words(&process["args"])).collect(),
        default: text(&process["type"]) == default,
    };
    Description {
        image_name: name.clone(),
        remote_info: None,
        local_info: None,
        bom: info::bom(image),
        name,
        digest: digest.to_string(),
        platform: Platform::of(&image.config),
        created: image.config.created.clone(),
        size: image.compressed_size(),
        user: image.config.config.user.clone(),
        run_image: lifecycle["runImage"]["reference"].as_str().map(str::to_string),
        buildpacks: build["buildpacks"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|buildpack| format!("{}@{}", text(&buildpack["id"]), text(&buildpack["version"])))
            .collect(),
        processes: build["processes"].as_array().into_iter().flatten().map(process).collect(),
        layers: image
            .layers
            .iter()
            .map(|layer| Layer { diff_id: layer.diff_id.to_string(), size: layer.blob.size, created_by: layer.history.created_by.clone() })
            .collect(),
        referrers: None,
    }
}
