//! Sends one blob: a small one with the request that names it; a large one before that, because registries keep what arrived of it when the
//! connection breaks; in pieces, where something between us and the registry takes no large bodies (OCI Distribution Specification, "Pushing
//! blobs").

use super::fault::fault;
use super::session::{Access, Call, Place, Session};
use super::upload::{location, start};
use crate::error::{Context, Result};
use crate::http::{Body, Failure, Method, Response, Url, repeatedly};
use crate::image::Digest;
use std::path::Path;

/// Bytes of a piece, where one for all is too large; a blob of no more bytes is small.
const PIECE: u64 = 8 << 20;

/// What is sent.
pub(super) enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// A file.
    File(&'a Path),
}

impl Content<'_> {
    fn length(&self) -> Result<u64> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::File(path) => Ok(path.metadata().context(|| format!("cannot read `{}`", path.display()))?.len()),
        }
    }

    fn part(&self, start: u64, length: u64) -> Body {
        match self {
            Self::Bytes(bytes) => {
                let part = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Body::Bytes(bytes[part(start)..part(start + length)].to_vec())
            }
            Self::File(path) => Body::File { path: path.to_path_buf(), start, length },
        }
    }
}

/// Sends a blob to a repository. `started` is where the registry waits for it, where that is known.
pub(super) fn send(session: &Session, repository: &str, digest: &Digest, content: &Content, started: Option<Url>) -> Result<()> {
    let length = content.length()?;
    let mut sending = Sending { session, repository, digest, content, length, place: started, arrived: 0, broken: false, piece: None };
    repeatedly(|| sending.attempt())?;
    session.note(repository, digest);
    Ok(())
}

/// A blob that is being sent.
struct Sending<'a> {
    session: &'a Session,
    repository: &'a str,
    digest: &'a Digest,
    content: &'a Content<'a>,
    length: u64,
    /// Where the registry waits for more.
    place: Option<Url>,
    /// Bytes that it has.
    arrived: u64,
    /// Whether the registry must be asked how much it has.
    broken: bool,
    /// The most bytes that are sent at once, where that is limited.
    piece: Option<u64>,
}

impl Sending<'_> {
    /// Sends what is missing.
    fn attempt(&mut self) -> Result<(), Failure> {
        let mut place = self.resumed()?;
        self.broken = true;
        while self.goes_before() {
            place = self.send_piece(place)?;
        }
        place.query_pairs_mut().append_pair("digest", self.digest.as_str());
        let body = if self.arrived == 0 { self.content.part(0, self.length) } else { Body::Empty };
        let response = self.session.send(&self.call(Method::PUT, place, Vec::new(), body))?;
        match response.status() {
            201 | 204 => Ok(()),
            // The registry forgot the upload, or what it has is not what was sent.
            404 => self.lost(response),
            400 | 416 if self.arrived > 0 && self.piece.is_none() => self.lost(response),
            _ => Err(fault(response)),
        }
    }

    fn goes_before(&self) -> bool {
        self.arrived < self.length && (self.length > PIECE || self.arrived > 0)
    }

    fn send_piece(&mut self, place: Url) -> Result<Url, Failure> {
        let count = (self.length - self.arrived).min(self.piece.unwrap_or(u64::MAX));
        let range = ("content-range", format!("{}-{}", self.arrived, self.arrived + count - 1));
        // The old form of the request, which all know, has everything in it.
        let headers = if count < self.length { vec![range] } else { Vec::new() };
        let response = self.session.send(&self.call(Method::PATCH, place, headers, self.content.part(self.arrived, count)))?;
        match response.status() {
            202 | 204 => {
                let next = location(&response)?;
                self.arrived += count;
                self.place = Some(next.clone());
                Ok(next)
            }
            413 if self.piece.is_none() => {
                self.piece = Some(PIECE);
                self.lost(response)
            }
            404 | 416 => self.lost(response),
            _ => Err(fault(response)),
        }
    }

    /// Where to go on: where the registry says how much it has, from there, else from the beginning.
    fn resumed(&mut self) -> Result<Url, Failure> {
        if self.broken
            && let Some(place) = self.place.clone()
        {
            let answer = self.session.send(&self.call(Method::GET, place, Vec::new(), Body::Empty));
            let known = answer.ok().filter(|response| response.status() == 204).and_then(|response| {
                let arrived = arrived(response.header("range")?)?;
                Some((arrived, location(&response).ok()?))
            });
            if let Some((arrived, place)) = known.filter(|(arrived, _)| *arrived <= self.length) {
                self.arrived = arrived;
                self.place = Some(place.clone());
                return Ok(place);
            }
            self.start_over();
        }
        match &self.place {
            Some(place) => Ok(place.clone()),
            None => {
                let place = start(self.session, self.repository)?;
                self.place = Some(place.clone());
                Ok(place)
            }
        }
    }

    fn start_over(&mut self) {
        (self.place, self.arrived, self.broken) = (None, 0, false);
    }

    /// The next attempt starts from the beginning.
    fn lost<T>(&mut self, response: Response) -> Result<T, Failure> {
        self.start_over();
        Err(Failure::Passing(fault(response).into_error(), None))
    }

    fn call(&self, method: Method, url: Url, headers: Vec<(&'static str, String)>, body: Body) -> Call<'_> {
        let mut headers = headers;
        if method != Method::GET {
            headers.push(("content-type", "application/octet-stream".to_string()));
        }
        Call { method, place: Place::Url(url), repository: self.repository, access: Access::Push, headers, body }
    }
}

/// How many bytes a registry has that says `0-LAST`. What it says of nothing differs, so that counts as unknown.
fn arrived(range: &str) -> Option<u64> {
    let (first, last) = range.strip_prefix("bytes=").unwrap_or(range).split_once('-')?;
    let last: u64 = last.trim().parse().ok()?;
    (first.trim() == "0" && last > 0).then(|| last.checked_add(1)).flatten()
}
