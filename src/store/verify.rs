//! Reads everything in the store and says what is not as it should be.

use super::layout::blobs;
use super::{Store, index};
use crate::error::{Context, Result};
use crate::image::Digest;
use serde::Serialize;
use std::fs::{self, File};

/// Something that is wrong in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The blob or the image's name.
    pub subject: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Store {
    /// Hashes every blob and follows every name to its layers. Returns what is wrong: nothing, in a valid store.
    ///
    /// # Errors
    /// When the store itself cannot be read.
    pub fn verify(&self) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let folder = self.root.join("blobs/sha256");
        for entry in fs::read_dir(&folder).context(|| format!("cannot read `{}`", folder.display()))? {
            let path = entry.context(|| format!("cannot read `{}`", folder.display()))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match File::open(&path).and_then(Digest::of_all) {
                Ok(found) if found.hex() == name => {}
                Ok(found) => {
                    findings.push(Finding { subject: format!("sha256:{name}"), problem: format!("its content has the digest {found}") })
                }
                Err(error) => findings.push(Finding { subject: format!("sha256:{name}"), problem: error.to_string() }),
            }
        }
        for manifest in index::read(&self.root)?.manifests {
            let subject = index::name_of(&manifest).cloned().unwrap_or_else(|| manifest.digest.to_string());
            // Of an index of other people's, some images need not be there.
            let images = if manifest.is_index() {
                self.read_index(&manifest).map(|index| index.images.into_iter().map(|(_, stored)| stored).collect())
            } else {
                self.read(&manifest.digest).map(|stored| vec![stored])
            };
            let all = images.and_then(|images| images.iter().map(|stored| blobs(self, &stored.digest)).collect::<Result<Vec<_>>>());
            match all {
                Ok(all) => {
                    let missing = all.into_iter().flatten().filter(|digest| !self.has_blob(digest));
                    findings.extend(
                        missing.map(|digest| Finding { subject: subject.clone(), problem: format!("its blob {digest} is missing") }),
                    );
                }
                Err(error) => findings.push(Finding { subject, problem: error.to_string() }),
            }
        }
        Ok(findings)
    }
}
