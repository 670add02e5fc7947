//! Reads layers only to see whether they are what they should be.

use crate::error::{Context, Error, Result};
use crate::image::{Descriptor, Digest};
use crate::platform::images::Images;
use crate::platform::referrers::Keeper;
use std::fs::File;

impl Images<'_> {
    /// Checks that a blob is there, and has its digest.
    pub(super) fn check_blob(&self, keeper: Keeper, blob: &Descriptor) -> Result<()> {
        match keeper {
            Keeper::Registry(name) => self.registries.read_blob(name, blob, &mut || Ok(()), &mut |_| Ok(())),
            Keeper::Layout(folder) => {
                let describe = || format!("cannot read the blob {} in `{}`", blob.digest, folder.display());
                let file = File::open(folder.join("blobs/sha256").join(blob.digest.hex())).context(describe)?;
                match Digest::of_all(file).context(describe)? == blob.digest {
                    true => Ok(()),
                    false => Err(Error::new("it is damaged")).context(describe),
                }
            }
        }
    }
}
