//! What engines call images.

use super::Engine;
use crate::image::Reference;
use std::borrow::Cow;

impl Engine {
    /// What the engine calls an image.
    pub(super) fn called(&self, name: &Reference) -> String {
        let repository = self.repository(name);
        match (name.digest(), name.tag()) {
            // It knows no name with both.
            (Some(digest), _) => format!("{repository}@{digest}"),
            (None, Some(tag)) => format!("{repository}:{tag}"),
            (None, None) => repository,
        }
    }

    /// The repository of an image, without tag and digest. To Podman, a name without a registry is this machine's.
    pub(super) fn repository(&self, name: &Reference) -> String {
        let repository = name.in_engines();
        if !self.is_podman || name.has_host() {
            return repository;
        }
        let short = repository.strip_prefix("docker.io/").unwrap_or(&repository);
        format!("localhost/{}", short.strip_prefix("library/").unwrap_or(short))
    }
}

/// A name, or an ID in the form that every engine takes.
pub(super) fn or_id(name: &str) -> Cow<'_, str> {
    let is_id = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { format!("sha256:{name}").into() } else { name.into() }
}
