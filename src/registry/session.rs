//! One registry: where it listens, and what must be sent along with each request. A registry says itself what it wants when it refuses a
//! request; then the request is sent once more. Nothing is sent along to any other server.

mod token;

use self::token::Token;
use super::challenge::Challenge;
use super::credentials::{Credential, Credentials};
use super::endpoint;
use super::fault::shown;
use crate::error::{Error, Result};
use crate::http::{Body, Client, Failure, Method, Peer, Request, Response, Streamed, Url};
use crate::image::Digest;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// More blobs than these are not kept in mind.
const MOST_NOTED: usize = 10_000;

/// A registry that requests are sent to.
pub(super) struct Session {
    registry: String,
    peer: Peer,
    client: Arc<Client>,
    credentials: Arc<Credentials>,
    base: Mutex<Option<Url>>,
    challenge: Mutex<Option<Challenge>>,
    tokens: Mutex<HashMap<String, Token>>,
    /// What repositories are known to have, so that nobody asks twice.
    blobs: Mutex<HashSet<(String, Digest)>>,
    /// What they must have, because images there name it.
    named: Mutex<HashSet<(String, Digest)>>,
    /// What names meant when they were last read: the repository and the tag.
    meant: Mutex<HashMap<(String, String), Digest>>,
}

/// What a request wants to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access<'a> {
    /// Nothing but to be known.
    Nothing,
    /// Know which repositories there are.
    Catalog,
    /// Read the repository.
    Pull,
    /// Write to it.
    Push,
    /// Write to it what another one has.
    PushFrom(&'a str),
    /// Remove from it.
    Delete,
}

/// One request to a registry.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub method: Method,
    pub place: Place<'a>,
    pub repository: &'a str,
    pub access: Access<'a>,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub(super) enum Place<'a> {
    /// To what is at this path of the repository.
    Path(&'a str),
    /// To where the registry said.
    Url(Url),
}

impl<'a> Call<'a> {
    /// A request without headers and body.
    pub fn new(method: Method, repository: &'a str, path: &'a str, access: Access<'a>) -> Self {
        Self { method, place: Place::Path(path), repository, access, headers: Vec::new(), body: Body::Empty }
    }
}

impl Session {
    pub fn new(registry: &str, peer: Peer, client: Arc<Client>, credentials: Arc<Credentials>) -> Self {
        Self {
            registry: registry.to_string(),
            peer,
            client,
            credentials,
            base: Mutex::default(),
            challenge: Mutex::default(),
            tokens: Mutex::default(),
            blobs: Mutex::default(),
            named: Mutex::default(),
            meant: Mutex::default(),
        }
    }

    fn base(&self) -> Result<Url, Failure> {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = &*base {
            return Ok(base.clone());
        }
        let found = endpoint::find(&self.registry, self.peer, &self.client)?;
        Ok(base.insert(found).clone())
    }

    /// Sends a request, with what the registry wants to see. Any status is an answer.
    pub fn send(&self, call: &Call) -> Result<Response<'_>, Failure> {
        let base = self.base()?;
        let url = address(call, &base)?;
        let describe = || format!("{} {}", call.method, shown(&url));
        self.send_to(url.clone(), &base, call).map_err(|failure| failure.context(describe))
    }

    /// Begins a request whose body is made while it is sent. It cannot be sent twice, so the registry must have let others in before.
    pub fn start(&self, call: &Call) -> Result<Streamed, Failure> {
        let base = self.base()?;
        let url = address(call, &base)?;
        let mut headers = call.headers.clone();
        if url.origin() == base.origin() {
            headers.extend(self.authorization(call, &base)?);
        }
        self.client.start(&Request { method: call.method.clone(), url, headers, body: Body::Empty })
    }

    /// Ends such a request.
    pub fn finish(&self, streamed: Streamed) -> Result<Response<'_>, Failure> {
        streamed.finish(&self.client)
    }

    /// Whether a repository is known to have a blob.
    pub fn knows(&self, repository: &str, digest: &Digest) -> bool {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner).contains(&(repository.to_string(), digest.clone()))
    }

    /// Notes that a repository has a blob.
    pub fn note(&self, repository: &str, digest: &Digest) {
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        if blobs.len() >= MOST_NOTED {
            blobs.clear();
        }
        blobs.insert((repository.to_string(), digest.clone()));
    }

    /// Notes that an image in a repository names these blobs. A registry takes no image whose blobs it lacks.
    pub fn note_named<'a>(&self, repository: &str, digests: impl Iterator<Item = &'a Digest>) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() >= MOST_NOTED {
            named.clear();
        }
        named.extend(digests.map(|digest| (repository.to_string(), digest.clone())));
    }

    /// Whether an image in a repository names a blob, as far as images were read.
    pub fn is_named(&self, repository: &str, digest: &Digest) -> bool {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).contains(&(repository.to_string(), digest.clone()))
    }

    /// Notes what a name means now.
    pub fn note_meaning(&self, repository: &str, tag: &str, digest: &Digest) {
        let mut meant = self.meant.lock().unwrap_or_else(PoisonError::into_inner);
        if meant.len() >= MOST_NOTED {
            meant.clear();
        }
        meant.insert((repository.to_string(), tag.to_string()), digest.clone());
    }

    /// Whether a name was read that meant something else. It may mean this by now.
    pub fn meant_another(&self, repository: &str, tag: &str, digest: &Digest) -> bool {
        let meant = self.meant.lock().unwrap_or_else(PoisonError::into_inner);
        meant.get(&(repository.to_string(), tag.to_string())).is_some_and(|meant| meant != digest)
    }

    fn send_to(&self, url: Url, base: &Url, call: &Call) -> Result<Response<'_>, Failure> {
        let own = url.origin() == base.origin();
        let mut request = Request { method: call.method.clone(), url, headers: call.headers.clone(), body: call.body.clone() };
        if !own {
            return self.client.send(&request);
        }
        let plain = request.headers.len();
        request.headers.extend(self.authorization(call, base)?);
        let response = self.client.send(&request)?;
        if response.status() != 401 || response.url().origin() != base.origin() {
            return Ok(response);
        }
        let Some(challenge) = Challenge::parse(&response.headers("www-authenticate")) else { return Ok(response) };
        *self.challenge.lock().unwrap_or_else(PoisonError::into_inner) = Some(challenge);
        self.forget(&token::scopes(call.repository, call.access), request.headers.get(plain));
        match self.authorization(call, base)? {
            Some(authorization) if request.headers.get(plain) != Some(&authorization) => {
                drop(response);
                request.headers.truncate(plain);
                request.headers.push(authorization);
                self.client.send(&request)
            }
            Some(_) | None => Ok(response),
        }
    }

    /// Forgets the token that was refused. Another request may have got a better one meanwhile.
    fn forget(&self, scopes: &[String], refused: Option<&(&'static str, String)>) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let key = scopes.join(" ");
        if tokens.get(&key).is_some_and(|token| refused.is_some_and(|(_, value)| value.ends_with(&token.text))) {
            tokens.remove(&key);
        }
    }

    /// The header that lets the request in; none where nothing is asked for or known.
    fn authorization(&self, call: &Call, base: &Url) -> Result<Option<(&'static str, String)>, Failure> {
        let challenge = self.challenge.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(challenge) = challenge else { return Ok(None) };
        let credential = self.credentials.of(&self.registry, call.repository)?;
        let value = match (challenge, credential) {
            (_, Credential::Bearer(token)) => Some(format!("Bearer {token}")),
            (Challenge::Basic, Credential::Basic(secret)) => Some(format!("Basic {secret}")),
            (Challenge::Basic, Credential::Anonymous | Credential::Identity(_)) => None,
            (Challenge::Bearer { realm, service }, credential) => {
                let scopes = token::scopes(call.repository, call.access);
                let wanted = token::Wanted { realm: &realm, service: service.as_deref(), scopes: &scopes, credential: &credential };
                Some(format!("Bearer {}", self.token(&wanted, base)?))
            }
        };
        Ok(value.map(|value| ("authorization", value)))
    }

    fn token(&self, wanted: &token::Wanted, base: &Url) -> Result<String, Failure> {
        // Others who want the same token wait for it instead of asking too.
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let key = wanted.scopes.join(" ");
        if let Some(token) = tokens.get(&key).filter(|token| token.is_fresh()) {
            return Ok(token.text.clone());
        }
        let token = token::fetch(&self.client, wanted, base)?;
        let text = token.text.clone();
        tokens.insert(key, token);
        Ok(text)
    }
}

/// Where a request goes. No registry may lead from HTTPS to plain HTTP.
fn address(call: &Call, base: &Url) -> Result<Url, Failure> {
    let url = match &call.place {
        Place::Path(path) => {
            let path = if call.repository.is_empty() { format!("v2/{path}") } else { format!("v2/{}/{path}", call.repository) };
            base.join(&path).map_err(|error| Error::from_cause(format!("`{path}` is no address"), error))?
        }
        Place::Url(url) => url.clone(),
    };
    if base.scheme() == "https" && url.scheme() != "https" {
        return Err(Failure::Final(Error::new(format!("the registry sends us from HTTPS to {}", shown(&url)))));
    }
    Ok(url)
}
