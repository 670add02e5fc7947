//! Documents about an image, and the artifacts that carry them: each as it is, for scanners, and where somebody signs, each as a signed statement too.

use crate::attestation::{PAYLOAD_TYPE, Statement, predicate_type};
use crate::error::{Advice, Context, Error, Result};
use crate::image::{Artifact, ArtifactFile, Digest};
use crate::platform::sbom::{Merged, file_name};
use sbom::Format;

/// The annotation that says what is stated in a statement that nobody signed.
const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";

/// Documents about an image.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// How it was made: an SLSA predicate.
    pub provenance: Option<Vec<u8>>,
    /// The locks that the provenance names.
    pub locks: Vec<ArtifactFile>,
    /// What is in it.
    pub sboms: Vec<(Kind, Vec<u8>)>,
}

/// A kind of SBOM document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// SPDX, as JSON.
    #[value(alias = "spdxjson")]
    Spdx,
    /// CycloneDX, as JSON.
    Cyclonedx,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Spdx, Self::Cyclonedx];

    /// The media type, which is also the type of the artifact.
    pub fn media_type(self) -> &'static str {
        self.format().media_type()
    }

    /// The type of a statement of it.
    pub fn predicate_type(self) -> &'static str {
        match self {
            Self::Spdx => predicate_type::SPDX,
            Self::Cyclonedx => predicate_type::CYCLONEDX,
        }
    }

    /// What such a document of an image says.
    pub(super) fn of(self, merged: &Merged) -> Vec<u8> {
        merged.document(self.format())
    }

    fn format(self) -> Format {
        match self {
            Self::Spdx => Format::Spdx,
            Self::Cyclonedx => Format::CycloneDx,
        }
    }

    /// Whether a document is of this kind, as far as its first fields tell.
    fn is_of(self, document: &serde_json::Value) -> bool {
        match self {
            Self::Spdx => document.get("spdxVersion").is_some() || document.get("@context").is_some(),
            Self::Cyclonedx => document.get("bomFormat").is_some_and(|format| format == "CycloneDX"),
        }
    }
}

impl About {
    /// The artifacts of the documents about the image with a digest, and the statements that could be signed of them.
    ///
    /// # Errors
    /// When a document is not what it should be.
    pub(super) fn artifacts(&self, repository: &str, digest: &Digest) -> Result<(Vec<Artifact>, Vec<Statement>)> {
        let (mut artifacts, mut statements) = (Vec::new(), Vec::new());
        for (kind, document) in &self.sboms {
            let parsed =
                serde_json::from_slice(document).context(|| format!("the document is no JSON, as a `{}` is", kind.media_type()))?;
            if !kind.is_of(&parsed) {
                return Err(Error::new(format!("the document is no `{}`", kind.media_type()))).hint("`--type` says of which kind it is");
            }
            artifacts.push(Artifact::of_file(kind.media_type(), &file_name(kind.format()), document.clone()));
            statements.push(Statement::new(repository, digest, kind.predicate_type(), document)?);
        }
        if let Some(provenance) = &self.provenance {
            let statement = Statement::new(repository, digest, predicate_type::PROVENANCE, provenance)?;
            let mut artifact = Artifact::of_file(PAYLOAD_TYPE, "provenance.json", statement.to_bytes());
            artifact.files.extend(self.locks.iter().cloned());
            artifact.annotations.insert(PREDICATE_TYPE.into(), statement.predicate_type.clone());
            artifacts.push(artifact);
            statements.push(statement);
        }
        Ok((artifacts, statements))
    }
}
