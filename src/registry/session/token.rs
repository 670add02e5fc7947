//! Tokens: a server of tokens gives one for what is to be done (Docker Registry token authentication; OAuth 2.0 for identity tokens).

use super::Access;
use crate::error::{Context, Error, Result};
use crate::http::{Body, Client, Failure, Method, Request, Response, Url};
use crate::registry::credentials::Credential;
use crate::registry::fault::{fault, shown};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// A longer answer is no token.
const LONGEST: u64 = 1 << 20;
/// How long a token is good where nobody says.
const DEFAULT_LIFE: u64 = 60;
/// No token is kept longer.
const LONGEST_LIFE: u64 = 3600;

/// A token, and until when it is sent.
pub(in crate::registry) struct Token {
    pub text: String,
    until: Instant,
}

/// The token that is wanted.
pub(super) struct Wanted<'a> {
    pub realm: &'a str,
    pub service: Option<&'a str>,
    pub scopes: &'a [String],
    pub credential: &'a Credential,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Token {
    pub fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }
}

/// What a request does, as servers of tokens call it.
pub(super) fn scopes(repository: &str, access: Access) -> Vec<String> {
    let scope = |repository: &str, actions: &str| format!("repository:{repository}:{actions}");
    match access {
        Access::Nothing => Vec::new(),
        Access::Catalog => vec!["registry:catalog:*".into()],
        Access::Pull => vec![scope(repository, "pull")],
        Access::Push => vec![scope(repository, "pull,push")],
        Access::PushFrom(source) => vec![scope(repository, "pull,push"), scope(source, "pull")],
        Access::Delete => vec![scope(repository, "pull,push,delete")],
    }
}

/// Gets a token. `base` is the registry: where that is spoken to with encryption, so is the server of tokens.
pub(super) fn fetch(client: &Client, wanted: &Wanted, base: &Url) -> Result<Token, Failure> {
    let url = Url::parse(wanted.realm).map_err(|error| Error::from_cause("the registry names a bad address for tokens", error))?;
    if url.scheme() != "https" && (url.scheme() != "http" || base.scheme() == "https") {
        return Err(Failure::Final(Error::new(format!(
            "the registry wants credentials to be sent to {}, without encryption",
            shown(&url)
        ))));
    }
    let describe = || format!("cannot get a token from {}", shown(&url));
    let request = match wanted.credential {
        Credential::Identity(token) => by_identity(url.clone(), wanted, token),
        Credential::Anonymous | Credential::Basic(_) | Credential::Bearer(_) => by_password(url.clone(), wanted),
    };
    let response = client.send(&request).map_err(|failure| failure.context(describe))?;
    if response.status() != 200 {
        return Err(fault(response).context(describe));
    }
    read(response).map_err(|failure| failure.context(describe))
}

fn by_password(mut url: Url, wanted: &Wanted) -> Request {
    {
        let mut query = url.query_pairs_mut();
        query.extend_pairs(wanted.service.map(|service| ("service", service)));
        query.extend_pairs(wanted.scopes.iter().map(|scope| ("scope", scope)));
    }
    let headers = match wanted.credential {
        Credential::Basic(secret) => vec![("authorization", format!("Basic {secret}"))],
        Credential::Anonymous | Credential::Bearer(_) | Credential::Identity(_) => Vec::new(),
    };
    Request { method: Method::GET, url, headers, body: Body::Empty }
}

fn by_identity(url: Url, wanted: &Wanted, token: &str) -> Request {
    let scope = wanted.scopes.join(" ");
    let fields = [("grant_type", "refresh_token"), ("client_id", "cooper"), ("refresh_token", token), ("scope", &scope)];
    // An address is only the encoder of forms here.
    let mut form = url.clone();
    form.query_pairs_mut().clear().extend_pairs(fields).extend_pairs(wanted.service.map(|service| ("service", service)));
    let body = form.query().unwrap_or_default().as_bytes().to_vec();
    Request {
        method: Method::POST,
        url,
        headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
        body: Body::Bytes(body),
    }
}

fn read(response: Response) -> Result<Token, Failure> {
    let bytes = response.bytes(LONGEST)?;
    // What serde says of a wrong document quotes it.
    let answer: Answer = serde_json::from_slice(&bytes).map_err(|_| Error::new("its answer is not the JSON of a token"))?;
    let text = Some(answer.token).filter(|token| !token.is_empty()).unwrap_or(answer.access_token);
    let text = Some(text).filter(|text| !text.is_empty()).context(|| "its answer has no token")?;
    let life = answer.expires_in.filter(|seconds| *seconds > 0).unwrap_or(DEFAULT_LIFE).min(LONGEST_LIFE);
    // What is sent just before the end arrives after it.
    Ok(Token { text, until: Instant::now() + Duration::from_secs(life) * 4 / 5 })
}
