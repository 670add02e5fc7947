//! Writes documents: the same inventory of the same image is the same bytes, always and everywhere. Entries are written one by one.

mod cyclonedx;
mod spdx;
mod syft;

use crate::inventory::Inventory;
use crate::package::{Package, Party};
use crate::purl::Purl;
use crate::read::Format;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::io::{self, Write};

/// How the place of a package begins in SPDX, as this program reads it too.
pub(crate) const FOUND: &str = "found at ";

/// What a document says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// What it is about.
    pub name: &'a str,
    /// When that was made, RFC 3339.
    pub created: &'a str,
    /// The program that writes it.
    pub tool: &'a str,
    /// That program's version.
    pub version: &'a str,
    /// The image, if it is about one.
    pub subject: Option<&'a Subject>,
    /// What a reader must know of it.
    pub notes: &'a [String],
}

/// The image that a document is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The digest of its manifest.
    pub digest: String,
    /// The digest of its configuration.
    pub config: String,
    /// The media type of its manifest.
    pub media_type: String,
    /// The operating system.
    pub os: String,
    /// The processor.
    pub architecture: String,
    /// Its layers, the lowest first.
    pub layers: Vec<ImageLayer>,
}

/// A layer of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageLayer {
    /// The digest of its tar.
    pub diff_id: String,
    /// The media type of its blob.
    pub media_type: String,
    /// Bytes of its blob.
    pub size: u64,
}

impl Document<'_> {
    /// The package URL of the image that it is about.
    fn purl(&self, subject: &Subject) -> String {
        let name = self.name.rsplit('/').next().unwrap_or_default().split(['@', ':']).next().unwrap_or_default().to_ascii_lowercase();
        let qualifiers = [("arch".to_string(), subject.architecture.clone())].into();
        Purl { kind: "oci".into(), name, version: subject.digest.clone(), qualifiers, ..Purl::default() }.to_string()
    }
}

/// Writes a document.
pub fn write(format: Format, inventory: &Inventory, document: &Document) -> Vec<u8> {
    let mut written = match format {
        Format::CycloneDx => cyclonedx::write(inventory, document, &identity(inventory, document)),
        Format::Spdx => spdx::write(inventory, document, &identity(inventory, document)),
        Format::Syft => syft::write(inventory, document),
    }
    // Writing to memory cannot fail, and every value here is JSON.
    .unwrap_or_default();
    written.push(b'\n');
    written
}

/// What only documents of the same content have in common.
fn identity(inventory: &Inventory, document: &Document) -> String {
    struct Hashed(Sha256);
    impl Write for Hashed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hashed = Hashed(Sha256::new());
    let digest = document.subject.map_or("", |subject| &subject.digest);
    let about = (document.name, document.version, digest, document.notes, inventory);
    // A hash cannot refuse bytes.
    serde_json::to_writer(&mut hashed, &about).unwrap_or_default();
    hashed.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A list of which one entry at a time is in memory.
struct Each<F>(F);

impl<F, I> Serialize for Each<F>
where
    F: Fn() -> I,
    I: Iterator,
    I::Item: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// Who distributes a package: whom its entry names, or the registry that a package URL of its type is in where it names no other.
pub(crate) fn supplier(package: &Package) -> Option<Party> {
    let registry = match package.kind() {
        "cargo" => "crates.io",
        "pypi" => "Python Package Index",
        "npm" => "npm registry",
        "gem" => "RubyGems",
        "maven" => "Maven Central",
        "nuget" => "NuGet Gallery",
        "composer" => "Packagist",
        "golang" => "Go module mirror",
        _ => return package.supplier.clone().or_else(|| package.originator.clone()),
    };
    package.supplier.clone().or_else(|| Some(Party::Organization(registry.to_string())))
}

/// Only letters, digits, dots and hyphens.
fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' }).collect()
}

#[cfg(test)]
mod tests;
