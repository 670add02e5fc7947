//! Images that are removed from a registry.

use super::Registries;
use super::fault::fault;
use super::find::manifest;
use super::session::{Access, Call};
use crate::error::{Context, Result};
use crate::http::{Failure, Method, repeatedly};
use crate::image::{Digest, Reference};

impl Registries {
    /// Removes the image or the list of images that a name means, under all its names; where it refers to another one, also from the list of
    /// those. Returns its digest, or nothing where there is none.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn remove(&self, name: &Reference) -> Result<Option<Digest>> {
        let session = self.session(name)?;
        let found = manifest(&session, name, name.wanted(), None).context(|| format!("cannot read the image `{}`", name.full()))?;
        let Some(found) = found else { return Ok(None) };
        self.delete(name, &found.descriptor.digest)?;
        // Some registries remove a digest only, and leave its tags.
        if name.digest().is_none() && self.names(name, &found.descriptor.digest) {
            self.delete_manifest(name, name.wanted())?;
        }
        self.unlist_referrer(name, &found)?;
        Ok(Some(found.descriptor.digest))
    }

    /// Removes the image with a digest, under all its names.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses. That it is not there is no error.
    pub fn delete(&self, name: &Reference, digest: &Digest) -> Result<()> {
        self.delete_manifest(name, digest.as_str())
    }

    fn delete_manifest(&self, name: &Reference, wanted: &str) -> Result<()> {
        let session = self.session(name)?;
        let path = format!("manifests/{wanted}");
        let call = Call::new(Method::DELETE, name.repository(), &path, Access::Delete);
        let deleted = repeatedly(|| {
            let response = session.send(&call)?;
            match response.status() {
                200 | 202 | 404 => Ok(()),
                405 => Err(Failure::Final(
                    fault(response).into_error().hint("whoever runs the registry must allow it: `storage.delete.enabled` of Docker's"),
                )),
                _ => Err(fault(response)),
            }
        });
        deleted.context(|| format!("cannot delete {wanted} of `{}/{}`", name.registry(), name.repository()))
    }
}
