//! The tags of a repository.

use super::Registries;
use super::fault::fault;
use super::session::{Access, Call, Place};
use crate::error::{Context, Error, Result};
use crate::http::{Method, Response, Url, repeatedly};
use crate::image::Reference;
use serde::Deserialize;

/// A longer page is refused.
pub(super) const LONGEST: u64 = 4 << 20;
/// No repository that people can use has more pages.
pub(super) const MOST_PAGES: usize = 1000;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

impl Registries {
    /// The tags of a repository, sorted; none where there is no such repository.
    ///
    /// # Errors
    /// When the registry cannot be reached, refuses, or has no end of them.
    pub fn tags(&self, name: &Reference) -> Result<Vec<String>> {
        let session = self.session(name)?;
        let describe = || format!("cannot list the tags of `{}/{}`", name.registry(), name.repository());
        let mut call = Call::new(Method::GET, name.repository(), "tags/list", Access::Pull);
        let mut all = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = repeatedly(|| {
                let response = session.send(&call)?;
                match response.status() {
                    200 => {}
                    404 => return Ok(None),
                    _ => return Err(fault(response)),
                }
                let next = next_page(&response)?;
                let page: Page = serde_json::from_slice(&response.bytes(LONGEST)?).context(|| "the list makes no sense")?;
                Ok(Some((page, next)))
            });
            let Some((page, next)) = page.context(describe)? else { break };
            all.extend(page.tags.unwrap_or_default());
            let Some(next) = next else { break };
            call.place = Place::Url(next);
        }
        all.sort();
        all.dedup();
        Ok(all)
    }
}

/// Where the next page of a list is, if there is one.
pub(super) fn next_page(response: &Response) -> Result<Option<Url>> {
    let next = response.header("link").and_then(|link| link.split_once('<')?.1.split_once('>')).map(|(next, _)| next);
    let next = next.map(|next| response.url().join(next)).transpose();
    next.map_err(|error| Error::from_cause("the registry names a bad next page", error))
}
