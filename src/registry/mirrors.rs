//! Mirrors: other registries that have a registry's images too. They are only read, and the registry itself is asked where they fail; what
//! they send under a digest is what the registry would send.

use super::Registries;
use crate::error::Result;
use crate::image::Reference;

/// Stands for every registry.
const ALL: &str = "*";

impl Registries {
    /// Reads from the mirror of a name's registry, if there is one, else or if that fails from the registry itself.
    pub(super) fn at_nearest<T>(
        &self,
        name: &Reference,
        wanted: impl Fn(&T) -> bool,
        mut read: impl FnMut(&Reference) -> Result<T>,
    ) -> Result<T> {
        if let Some(mirrored) = self.mirrored(name)
            && let Ok(found) = read(&mirrored)
            && wanted(&found)
        {
            return Ok(found);
        }
        read(name)
    }

    /// The name in the mirror.
    fn mirrored(&self, name: &Reference) -> Option<Reference> {
        let mirror = self.mirrors.get(name.registry()).or_else(|| self.mirrors.get(ALL))?;
        let tag = name.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = name.digest().map(|digest| format!("@{digest}")).unwrap_or_default();
        Reference::parse(&format!("{}/{}{tag}{digest}", mirror.trim_end_matches('/'), name.repository())).ok()
    }
}
