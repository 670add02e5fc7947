//! Sends a blob while it is made, so that it need not be kept anywhere. Its digest is known only at the end.

use super::session::{Access, Call, Place, Session};
use super::upload::{location, start};
use super::{Registries, fault::fault};
use crate::error::{Context, Result};
use crate::http::{Body, Method, Streamed, repeatedly};
use crate::image::{Digest, Reference};
use std::io::{self, Write};
use std::sync::Arc;

/// A blob under way to a repository. Nothing of it is there unless it is finished.
pub struct NewBlob {
    session: Arc<Session>,
    repository: String,
    streamed: Streamed,
}

impl Registries {
    /// Begins a blob in the repository of a name.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses.
    pub fn new_blob(&self, name: &Reference) -> Result<NewBlob> {
        let session = self.session(name)?;
        let repository = name.repository().to_string();
        let url = repeatedly(|| start(&session, &repository))?;
        let headers = vec![("content-type", "application/octet-stream".to_string())];
        let place = Place::Url(url);
        let call = Call { method: Method::PATCH, place, repository: &repository, access: Access::Push, headers, body: Body::Empty };
        let streamed = session.start(&call).map_err(crate::http::Failure::into_error)?;
        Ok(NewBlob { session, repository, streamed })
    }
}

impl NewBlob {
    /// Ends the blob; its repository has it then. The registry checks the digest.
    ///
    /// # Errors
    /// When the registry did not get all of it, or refuses.
    pub fn finish(self, digest: &Digest) -> Result<()> {
        let Self { session, repository, streamed } = self;
        let response = session.finish(streamed).map_err(crate::http::Failure::into_error)?;
        if !matches!(response.status(), 202 | 204) {
            return Err(fault(response).into_error()).context(|| "cannot send a layer");
        }
        let mut url = location(&response)?;
        drop(response);
        url.query_pairs_mut().append_pair("digest", digest.as_str());
        let place = Place::Url(url);
        let call =
            Call { method: Method::PUT, place, repository: &repository, access: Access::Push, headers: Vec::new(), body: Body::Empty };
        repeatedly(|| {
            let response = session.send(&call)?;
            if matches!(response.status(), 201 | 204) { Ok(()) } else { Err(fault(response)) }
        })?;
        session.note(&repository, digest);
        Ok(())
    }
}

impl Write for NewBlob {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.streamed.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.streamed.flush()
    }
}
