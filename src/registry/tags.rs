//! The repositories of a registry, and their tags.

use super::Registries;
use super::pages::pages;
use super::session::{Access, Call};
use crate::error::{Context, Result};
use crate::http::Method;
use crate::image::Reference;
use serde::Deserialize;

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Repositories {
    #[serde(default)]
    repositories: Option<Vec<String>>,
}

impl Registries {
    /// The tags of a repository, sorted; none where there is no such repository.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or has no end of them.
    pub fn tags(&self, name: &Reference) -> Result<Vec<String>> {
        let session = self.session(name)?;
        let call = Call::new(Method::GET, name.repository(), "tags/list", Access::Pull);
        let mut all = Vec::new();
        let take = |page: Tags| {
            all.extend(page.tags.unwrap_or_default());
            Ok(())
        };
        pages(&session, call, |response| response.status() == 404, take)
            .context(|| format!("cannot list the tags of `{}/{}`", name.registry(), name.repository()))?;
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// The repositories of a registry whose names begin with that of `within`, which names a repository or a part of its name, sorted.
    ///
    /// # Errors
    /// When the registry cannot be reached, tells nobody which repositories it has, or has no end of them.
    pub fn repositories(&self, within: &Reference) -> Result<Vec<String>> {
        let session = self.session(within)?;
        let part = format!("{}/", within.repository());
        let mut all = Vec::new();
        let take = |page: Repositories| {
            let page = page.repositories.unwrap_or_default().into_iter();
            all.extend(page.filter(|name| name == within.repository() || name.starts_with(&part)));
            Ok(())
        };
        pages(&session, Call::new(Method::GET, "", "_catalog", Access::Catalog), |_| false, take)
            .context(|| format!("`{}` does not say which repositories it has", within.registry()))
            .map_err(|error| error.hint("give the images' names with `--list`"))?;
        all.sort();
        all.dedup();
        Ok(all)
    }
}
