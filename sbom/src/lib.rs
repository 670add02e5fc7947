//! What an image is made of, and the documents that say so: reads CycloneDX, SPDX and Syft, the databases of dpkg and apk, joins what they say
//! of the same package, and writes the three formats. No input or output happens here, no time and no chance is in what is written. Start with
//! [`Inventory`].

mod apk;
mod copyright;
mod dpkg;
mod inventory;
mod licence;
mod os_release;
mod package;
pub mod policy;
mod purl;
mod read;
mod relation;
mod system;
mod write;

pub use copyright::licence as licence_of_copyright;
pub use dpkg::package as debian_package;
pub use inventory::Inventory;
pub use licence::Licence;
pub use os_release::Distribution;
pub use package::{Algorithm, Found, Package, Party, Relations, Role, Source};
pub use purl::Purl;
pub use read::{Format, Unreadable, read};
pub use relation::connect as connect_debian;
pub use system::{System, is_foreign_database, is_of_system};
pub use write::{Document, ImageLayer, Subject, write};

use sha2::{Digest, Sha256};

/// The first hexadecimal digits of a SHA-256, at most 64.
fn hash(bytes: &[u8], digits: usize) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..digits.min(64)].to_string()
}
