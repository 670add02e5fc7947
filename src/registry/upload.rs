//! How blobs get into a repository: whether it has one, whether it can take it from another one, where one begins. `sending` sends one.

use super::blob::is_there;
use super::fault::fault;
use super::session::{Access, Call, Place, Session};
use crate::error::{Context, Error, Result};
use crate::http::{Body, Failure, Method, Response, Url, repeatedly};
use crate::image::Digest;

/// What became of a mount.
pub(super) enum Mount {
    /// The repository has the blob now.
    Done,
    /// It must be sent, perhaps to where the registry is already waiting for it.
    Send(Option<Url>),
}

/// Whether the repository that is written to has a blob.
pub(super) fn has(session: &Session, repository: &str, digest: &Digest) -> Result<bool> {
    is_there(session, repository, digest, Access::Push)
}

/// Asks the registry to take a blob from one of its other repositories. Whatever stands against it, the blob can still be sent: some tokens
/// cannot be had for two repositories, and what is wrong with the registry itself shows then.
pub(super) fn mount(session: &Session, repository: &str, digest: &Digest, source: &str) -> Mount {
    let path = format!("blobs/uploads/?mount={digest}&from={source}");
    let call = Call::new(Method::POST, repository, &path, Access::PushFrom(source));
    let mounted = repeatedly(|| {
        let response = session.send(&call)?;
        match response.status() {
            201 => {
                session.note(repository, digest);
                Ok(Mount::Done)
            }
            202 => Ok(Mount::Send(Some(location(&response)?))),
            _ => Err(fault(response)),
        }
    });
    mounted.unwrap_or(Mount::Send(None))
}

/// Begins an upload and says where it goes.
pub(super) fn start(session: &Session, repository: &str) -> Result<Url, Failure> {
    let response = session.send(&Call::new(Method::POST, repository, "blobs/uploads/", Access::Push))?;
    match response.status() {
        202 => Ok(location(&response)?),
        _ => Err(fault(response)),
    }
}

/// Begins an upload and gives it up: the registry lets only those begin who may write (IMG-06).
pub(super) fn check(session: &Session, repository: &str) -> Result<()> {
    let url = repeatedly(|| start(session, repository))?;
    let place = Place::Url(url);
    let call = Call { method: Method::DELETE, place, repository, access: Access::Push, headers: Vec::new(), body: Body::Empty };
    // A registry that cannot give it up forgets it after a while.
    drop(session.send(&call));
    Ok(())
}

/// Where the registry waits for more.
pub(super) fn location(response: &Response) -> Result<Url> {
    let location = response.header("location").context(|| "the registry does not say where the blob goes")?;
    response.url().join(location).map_err(|error| Error::from_cause("the registry says a bad address for the blob", error))
}
