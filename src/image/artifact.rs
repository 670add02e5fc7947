//! What refers to an image without being one: a signature, a document about it (OCI Image Specification 1.1, "Guidelines for Artifact Usage").

use super::{Descriptor, Documents, Manifest, to_json};
use std::collections::BTreeMap;

/// The configuration of what has none.
const EMPTY: &[u8] = b"{}";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// The name of a file that a blob is to be written to.
const TITLE: &str = "org.opencontainers.image.title";

/// Files that refer to an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What kind of thing they are.
    pub kind: String,
    /// They, the main one first.
    pub files: Vec<ArtifactFile>,
    /// Notes.
    pub annotations: BTreeMap<String, String>,
}

/// A file of an artifact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    /// What it is.
    pub media_type: String,
    /// What it is called.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl Artifact {
    /// One file of a kind.
    pub fn of_file(media_type: &str, name: &str, content: Vec<u8>) -> Self {
        let file = ArtifactFile { media_type: media_type.into(), name: name.into(), content };
        Self { kind: media_type.into(), files: vec![file], annotations: BTreeMap::new() }
    }

    /// Its documents, which refer to the image with a descriptor.
    pub fn documents(&self, subject: &Descriptor) -> Documents {
        let manifest = Manifest {
            artifact_type: self.kind.clone(),
            config: Descriptor::of(EMPTY_TYPE, EMPTY),
            layers: self.files.iter().map(ArtifactFile::descriptor).collect(),
            subject: Some(Descriptor::new(&subject.media_type, subject.size, subject.digest.clone())),
            annotations: self.annotations.clone(),
            ..Manifest::default()
        };
        let descriptor_type = manifest.media_type.clone();
        let manifest = to_json(&manifest);
        let descriptor = Descriptor::of(&descriptor_type, &manifest);
        Documents { config: EMPTY.to_vec(), manifest, descriptor }
    }

    /// What lists of referrers say of it, whose descriptor this is.
    pub fn listed(&self, descriptor: &Descriptor) -> Descriptor {
        Descriptor { artifact_type: self.kind.clone(), annotations: self.annotations.clone(), ..descriptor.clone() }
    }
}

impl ArtifactFile {
    fn descriptor(&self) -> Descriptor {
        let mut descriptor = Descriptor::of(&self.media_type, &self.content);
        if !self.name.is_empty() {
            descriptor.annotations.insert(TITLE.into(), self.name.clone());
        }
        descriptor
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Referring;

    #[test]
    fn an_artifact_refers_to_its_image() {
        let subject = Descriptor::of("application/vnd.oci.image.manifest.v1+json", b"image");
        let documents = Artifact::of_file("text/spdx", "sbom", b"x".to_vec()).documents(&subject);
        let manifest: Manifest = serde_json::from_slice(&documents.manifest).unwrap();
        let referring: Referring = serde_json::from_slice(&documents.manifest).unwrap();
        let mut noted = Artifact::of_file("text/spdx", "sbom", b"x".to_vec());
        assert_eq!(noted.listed(&documents.descriptor), referring.listed(&documents.descriptor));
        noted.annotations.insert("a".into(), "b".into());
        assert_eq!(noted.listed(&documents.descriptor).annotations, noted.annotations);
        assert_eq!((manifest.artifact_type.as_str(), manifest.subject), ("text/spdx", Some(subject)));
        assert_eq!((manifest.config.digest.short(), manifest.config.size), ("44136fa355b3", 2));
        assert_eq!(manifest.layers[0].annotations[TITLE], "sbom");
    }
}
