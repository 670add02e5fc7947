//! Lists that a registry gives page by page.

use super::fault::fault;
use super::session::{Call, Place, Session};
use crate::error::{Context, Error, Result};
use crate::http::{Response, Url, repeatedly};
use serde::de::DeserializeOwned;

/// A longer page is refused.
const LONGEST: u64 = 4 << 20;
/// No list that people can use has more pages.
const MOST_PAGES: usize = 1000;

/// Asks for all pages and hands each to `take`. Says no where an answer, as `is_absent` sees it, means that there is no list.
///
/// # Errors
/// When the registry cannot be reached, refuses, or has no end of pages; or when `take` fails.
pub(super) fn pages<T: DeserializeOwned>(
    session: &Session,
    mut call: Call,
    is_absent: impl Fn(&Response) -> bool,
    mut take: impl FnMut(T) -> Result<()>,
) -> Result<bool> {
    for _ in 0..MOST_PAGES {
        let page = repeatedly(|| {
            let response = session.send(&call)?;
            if is_absent(&response) {
                // A connection whose answer nobody read cannot be used again.
                response.bytes(LONGEST)?;
                return Ok(None);
            }
            if response.status() != 200 {
                return Err(fault(response));
            }
            let next = next_page(&response)?;
            let page: T = serde_json::from_slice(&response.bytes(LONGEST)?).context(|| "the list makes no sense")?;
            Ok(Some((page, next)))
        })?;
        let Some((page, next)) = page else { return Ok(false) };
        take(page)?;
        let Some(next) = next else { break };
        call.place = Place::Url(next);
    }
    Ok(true)
}

/// Where the next page of a list is, if there is one.
fn next_page(response: &Response) -> Result<Option<Url>> {
    let next = response.header("link").and_then(|link| link.split_once('<')?.1.split_once('>')).map(|(next, _)| next);
    let next = next.map(|next| response.url().join(next)).transpose();
    next.map_err(|error| Error::from_cause("the registry names a bad next page", error))
}
