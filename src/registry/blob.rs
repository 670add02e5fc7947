//! Receives blobs, and checks each while it arrives.

use super::Registries;
use super::fault::fault;
use super::session::{Access, Call, Session};
use crate::error::{Context, Error, Result};
use crate::http::{Failure, Method, Response, repeatedly};
use crate::image::{Descriptor, Digest, Hashing, Reference};
use std::io::{self, Write};

impl Registries {
    /// Receives a blob of a repository. `restart` is called before the first byte, as often as that comes; `receive` with each piece. Only when
    /// this returns are the pieces known to be the blob.
    ///
    /// # Errors
    /// When the registry does not have it, or sends something else; or when `receive` fails.
    pub fn read_blob(
        &self,
        name: &Reference,
        blob: &Descriptor,
        restart: &mut dyn FnMut() -> Result<()>,
        receive: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let read = |place: &Reference| read(&*self.session(place)?, place.repository(), blob, restart, receive);
        self.at_nearest(name, |()| true, read)
            .context(|| format!("cannot read the blob {} of `{}/{}`", blob.digest, name.registry(), name.repository()))
    }
}

/// A small blob, whole.
pub(super) fn bytes(session: &Session, repository: &str, blob: &Descriptor, longest: u64) -> Result<Vec<u8>> {
    if blob.size > longest {
        return Err(Error::new(format!("the blob {} has {} bytes, more than the {longest} that make sense", blob.digest, blob.size)));
    }
    let bytes = std::cell::RefCell::new(Vec::new());
    let mut restart = || {
        bytes.borrow_mut().clear();
        Ok(())
    };
    let mut receive = |piece: &[u8]| {
        bytes.borrow_mut().extend_from_slice(piece);
        Ok(())
    };
    read(session, repository, blob, &mut restart, &mut receive)?;
    Ok(bytes.into_inner())
}

/// Whether a repository has a blob.
pub(super) fn is_there(session: &Session, repository: &str, digest: &Digest, access: Access) -> Result<bool> {
    if session.knows(repository, digest) {
        return Ok(true);
    }
    let path = format!("blobs/{digest}");
    let call = Call::new(Method::HEAD, repository, &path, access);
    repeatedly(|| {
        let response = session.send(&call)?;
        match response.status() {
            200 => {
                session.note(repository, digest);
                Ok(true)
            }
            404 => Ok(false),
            _ => Err(fault(response)),
        }
    })
}

/// Receives a blob; where the connection breaks, goes on from there if the registry can.
pub(super) fn read(
    session: &Session,
    repository: &str,
    blob: &Descriptor,
    restart: &mut dyn FnMut() -> Result<()>,
    receive: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let path = format!("blobs/{}", blob.digest);
    let mut arrived = Hashing::new(io::sink());
    repeatedly(|| {
        let mut call = Call::new(Method::GET, repository, &path, Access::Pull);
        if arrived.size() > 0 {
            call.headers.push(("range", format!("bytes={}-", arrived.size())));
        }
        let response = session.send(&call)?;
        if !goes_on(&response, arrived.size()) {
            if response.status() != 200 {
                return Err(fault(response));
            }
            restart()?;
            arrived = Hashing::new(io::sink());
        }
        let received = response.stream(&mut |piece| {
            arrived.write_all(piece)?;
            if arrived.size() > blob.size {
                return Err(Error::new(format!("the registry sends more than the {} bytes that it promised", blob.size)));
            }
            receive(piece)
        });
        received?;
        if arrived.size() < blob.size {
            let error = Error::new(format!("the registry sent {} of {} bytes", arrived.size(), blob.size));
            return Err(Failure::Passing(error, None));
        }
        let (found, _) = std::mem::replace(&mut arrived, Hashing::new(io::sink())).finish();
        if found == blob.digest { Ok(()) } else { Err(Failure::Final(Error::new(format!("the registry sent {found} instead")))) }
    })
}

fn goes_on(response: &Response, from: u64) -> bool {
    let range = response.header("content-range").unwrap_or_default();
    from > 0 && response.status() == 206 && range.strip_prefix("bytes ").is_some_and(|range| range.starts_with(&format!("{from}-")))
}
