//! Descriptors, manifests and indexes (OCI Image Specification 1.1). Docker's documents of schema 2 have the same shape.

use super::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The media types of images.
pub mod media_type {
    /// An image index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An image manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An image configuration.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A layer as a tar.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// A layer, compressed with gzip.
    pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// An image configuration, as Docker names it.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// A layer, compressed with gzip, as Docker names it.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// An image index, as Docker names it.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// An image manifest, as Docker names it.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
}

/// What an image layout is known by (OCI Image Specification, image-layout).
pub mod layout {
    /// The content of its file `oci-layout`.
    pub const MARKER: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
    /// The annotation that names an image in its index.
    pub const NAME: &str = "org.opencontainers.image.ref.name";
}

/// What points to a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// What the blob is.
    #[serde(rename = "mediaType")]
    pub media_type: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest.
    pub digest: Digest,
    /// Notes, as the name of an image in a layout.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The machine that the image is for, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<serde_json::Value>,
    /// What kind of thing it is, where it is no image.
    #[serde(rename = "artifactType", default, skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
}

impl Descriptor {
    /// The descriptor of `bytes`.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, bytes.len() as u64, Digest::of(bytes))
    }

    /// A descriptor without notes.
    pub fn new(media_type: &str, size: u64, digest: Digest) -> Self {
        Self {
            media_type: media_type.to_string(),
            size,
            digest,
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: String::new(),
        }
    }

    /// Whether it points to an index.
    pub fn is_index(&self) -> bool {
        [media_type::INDEX, media_type::DOCKER_INDEX].contains(&self.media_type.as_str())
    }
}

/// The list of an image's blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// What this document is.
    #[serde(default)]
    pub media_type: String,
    /// What kind of thing it is, where it is no image.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    #[serde(deserialize_with = "null_is_empty")]
    pub layers: Vec<Descriptor>,
    /// What it refers to, as a signature does to an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Notes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Default for Manifest {
    fn default() -> Self {
        let config = Descriptor::of(media_type::CONFIG, b"{}");
        Self {
            schema_version: 2,
            media_type: media_type::MANIFEST.into(),
            artifact_type: String::new(),
            config,
            layers: Vec::new(),
            subject: None,
            annotations: BTreeMap::new(),
        }
    }
}

/// What a manifest, or an index, says of what it refers to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Referring {
    #[serde(default)]
    artifact_type: String,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    /// What it refers to.
    #[serde(default)]
    pub subject: Option<Descriptor>,
}

impl Referring {
    /// What lists of referrers say of this manifest or index, whose descriptor this is (OCI Image Specification, `subject`).
    pub fn listed(self, descriptor: &Descriptor) -> Descriptor {
        let of_config = self.config.map(|config| config.media_type).unwrap_or_default();
        let artifact_type = if self.artifact_type.is_empty() { of_config } else { self.artifact_type };
        let plain = Descriptor::new(&descriptor.media_type, descriptor.size, descriptor.digest.clone());
        Descriptor { annotations: self.annotations, artifact_type, ..plain }
    }
}

/// A list of manifests: of a layout, or of one image for several machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// What this document is.
    #[serde(default = "index_media_type")]
    pub media_type: String,
    /// The manifests.
    #[serde(deserialize_with = "null_is_empty")]
    pub manifests: Vec<Descriptor>,
}

impl Default for Index {
    fn default() -> Self {
        Self { schema_version: 2, media_type: index_media_type(), manifests: Vec::new() }
    }
}

fn index_media_type() -> String {
    media_type::INDEX.into()
}

/// Go writes an empty list as `null`.
pub fn null_is_empty<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(deserializer)?.unwrap_or_default())
}
