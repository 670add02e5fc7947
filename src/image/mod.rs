//! An OCI image as a value: its name, digests, manifest and configuration. No input or output happens here. Start with [`Image`].

mod artifact;
mod config;
mod digest;
mod hashing;
mod json;
mod manifest;
mod platform;
mod reference;

pub use artifact::{Artifact, ArtifactFile};
pub use config::{CREATED, Config, History, RunConfig, host_architecture};
pub use digest::Digest;
pub use hashing::Hashing;
pub use json::to_json;
pub use manifest::{Descriptor, Index, Manifest, Referring, layout, media_type, null_is_empty};
pub use platform::{Platform, platforms};
pub use reference::Reference;

use crate::error::{Error, Result};

/// An image of more layers is refused: no engine takes more than 127 (Docker), no kernel stacks more than 500.
const MOST_LAYERS: usize = 500;

/// One layer: its blob, and the tar that it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The compressed blob.
    pub blob: Descriptor,
    /// Digest of the uncompressed tar.
    pub diff_id: Digest,
    /// How it came to be.
    pub history: History,
}

/// An image: its configuration and its layers from the bottom up.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// The configuration; its `rootfs` and `history` are written anew from `layers`.
    pub config: Config,
    /// The layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// An image as it is stored: the exact bytes of its documents.
#[derive(Clone, Debug)]
pub struct Documents {
    /// The configuration as JSON.
    pub config: Vec<u8>,
    /// The manifest as JSON.
    pub manifest: Vec<u8>,
    /// What an index says of the manifest.
    pub descriptor: Descriptor,
}

/// What documents and layers are called. Their content is the same in both forms.
struct Form {
    manifest: &'static str,
    config: &'static str,
    layer: &'static str,
}

const OCI: Form = Form { manifest: media_type::MANIFEST, config: media_type::CONFIG, layer: media_type::LAYER_GZIP };
const DOCKER: Form =
    Form { manifest: media_type::DOCKER_MANIFEST, config: media_type::DOCKER_CONFIG, layer: media_type::DOCKER_LAYER_GZIP };

impl Form {
    fn layer(&self, blob: &Descriptor) -> Descriptor {
        let mut blob = blob.clone();
        if [OCI.layer, DOCKER.layer].contains(&blob.media_type.as_str()) {
            blob.media_type = self.layer.into();
        }
        blob
    }
}

impl Image {
    /// The image that a manifest and a configuration describe.
    ///
    /// # Errors
    /// When the two disagree about the number of layers, or there are too many.
    pub fn from_documents(manifest: &Manifest, config: Config) -> Result<Self> {
        if manifest.layers.len() != config.rootfs.diff_ids.len() {
            return Err(Error::new(format!(
                "the manifest lists {} layers, the configuration {}",
                manifest.layers.len(),
                config.rootfs.diff_ids.len()
            )));
        }
        if manifest.layers.len() > MOST_LAYERS {
            return Err(Error::new(format!("the image has {} layers; more than {MOST_LAYERS} make no sense", manifest.layers.len())));
        }
        let histories = config.layer_histories();
        let layers = manifest.layers.iter().zip(&config.rootfs.diff_ids).zip(histories);
        let layers = layers.map(|((blob, diff_id), history)| Layer { blob: blob.clone(), diff_id: diff_id.clone(), history }).collect();
        Ok(Self { config, layers })
    }

    /// The documents of this image in the reference's key order, so that equal images have equal digests. What stands on an image of Docker's
    /// form is of that form, because its registry may know no other (IMG-28).
    pub fn documents(&self) -> Documents {
        let mut config = self.config.clone();
        config.rootfs.diff_ids = self.layers.iter().map(|layer| layer.diff_id.clone()).collect();
        config.history = self.layers.iter().map(|layer| layer.history.clone()).collect();
        let config = to_json(&config);
        let form = self.form();
        let manifest = Manifest {
            media_type: form.manifest.into(),
            config: Descriptor::of(form.config, &config),
            layers: self.layers.iter().map(|layer| form.layer(&layer.blob)).collect(),
            ..Manifest::default()
        };
        let manifest = to_json(&manifest);
        let descriptor = Descriptor::of(form.manifest, &manifest);
        Documents { config, manifest, descriptor }
    }

    /// The form of the lowest layer.
    fn form(&self) -> &'static Form {
        let is_dockers = self.layers.first().is_some_and(|layer| layer.blob.media_type == DOCKER.layer);
        if is_dockers { &DOCKER } else { &OCI }
    }

    /// A label's value.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.config.config.labels.as_ref()?.get(name).map(String::as_str)
    }

    /// Sets a label.
    pub fn set_label(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.config.config.labels.get_or_insert_default().insert(name.into(), value.into());
    }

    /// The digest of the topmost layer's tar.
    pub fn top_layer(&self) -> Option<&Digest> {
        self.layers.last().map(|layer| &layer.diff_id)
    }

    /// Bytes of all layers as they are sent.
    pub fn compressed_size(&self) -> u64 {
        // Whoever wrote the manifest may have written any number.
        self.layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.blob.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_and_image_are_two_views_of_one_value() {
        let mut image = Image::default();
        image.set_label("a", "<b>");
        image.layers.push(Layer {
            blob: Descriptor::of(media_type::LAYER_GZIP, b"blob"),
            diff_id: Digest::of(b"tar"),
            history: History { created_by: "test".into(), ..History::default() },
        });
        let documents = image.documents();
        let manifest: Manifest = serde_json::from_slice(&documents.manifest).unwrap();
        let again = Image::from_documents(&manifest, serde_json::from_slice(&documents.config).unwrap()).unwrap();
        assert_eq!(again.documents().descriptor, documents.descriptor);
        assert!(String::from_utf8(documents.config).unwrap().contains("\\u003cb\\u003e"));
    }

    /// IMG-28.
    #[test]
    fn an_image_has_the_form_of_its_base() {
        let layer = |media_type: &str| Layer {
            blob: Descriptor { media_type: media_type.into(), ..Descriptor::of("", b"blob") },
            diff_id: Digest::of(b"tar"),
            history: History::default(),
        };
        let zstd = "application/vnd.oci.image.layer.v1.tar+zstd";
        for (base, form) in [(media_type::LAYER_GZIP, &OCI), (media_type::DOCKER_LAYER_GZIP, &DOCKER), (zstd, &OCI)] {
            let layers = [base, media_type::LAYER_GZIP, media_type::DOCKER_LAYER_GZIP, zstd].map(layer).to_vec();
            let documents = Image { layers, ..Image::default() }.documents();
            let manifest: Manifest = serde_json::from_slice(&documents.manifest).unwrap();
            assert_eq!([&manifest.media_type, &manifest.config.media_type], [form.manifest, form.config]);
            assert_eq!(documents.descriptor.media_type, form.manifest);
            let layers: Vec<&str> = manifest.layers[1..].iter().map(|layer| layer.media_type.as_str()).collect();
            assert_eq!(layers, [form.layer, form.layer, zstd]);
        }
    }
}
