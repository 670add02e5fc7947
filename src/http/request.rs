//! Requests of any kind, and their answers.

use super::body::FileBody;
use super::retry::{Failure, retry_after};
use super::{Client, SILENCE, check_online};
use crate::error::{Context, Error, Result};
pub use reqwest::{Method, Url};
use std::fs::File;
use std::future::Future;
use std::io::{Seek, SeekFrom};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const MOST_REDIRECTIONS: usize = 10;

/// What a server is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// With what.
    pub url: Url,
    /// Headers by name.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent along.
    pub body: Body,
}

/// What is sent along with a request.
#[derive(Clone, Debug)]
pub enum Body {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(Vec<u8>),
    /// A part of a file, read while it is sent.
    File {
        /// The file.
        path: PathBuf,
        /// Where the part begins.
        start: u64,
        /// How long it is.
        length: u64,
    },
}

/// What a server answered; the content has not been received yet.
pub struct Response<'a> {
    client: &'a Client,
    inner: reqwest::Response,
}

impl Client {
    /// Sends a request once, and follows redirections.
    ///
    /// # Errors
    /// When no answer arrives. Any status is an answer.
    pub fn send(&self, request: &Request) -> Result<Response<'_>, Failure> {
        let builder = self.builder(request)?;
        let sent = Arc::new(AtomicU64::new(0));
        let builder = match &request.body {
            Body::Empty => builder,
            Body::Bytes(bytes) => builder.body(bytes.clone()),
            Body::File { path, start, length } => {
                let describe = || format!("cannot read `{}`", path.display());
                let mut file = File::open(path).context(describe)?;
                file.seek(SeekFrom::Start(*start)).context(describe)?;
                builder.body(reqwest::Body::wrap(FileBody { file, left: *length, sent: sent.clone() }))
            }
        };
        let inner = self.runtime.block_on(lively(&sent, builder.send()))?.map_err(Failure::of)?;
        Ok(Response { client: self, inner })
    }

    pub(super) fn builder(&self, request: &Request) -> Result<reqwest::RequestBuilder, Failure> {
        check_online()?;
        let mut builder = self.client.request(request.method.clone(), request.url.clone());
        for (name, value) in &request.headers {
            let mut value = reqwest::header::HeaderValue::from_str(value).context(|| format!("the header `{name}` has bad characters"))?;
            value.set_sensitive(*name == "authorization");
            builder = builder.header(*name, value);
        }
        Ok(builder)
    }
}

impl<'a> Response<'a> {
    pub(super) fn of(client: &'a Client, inner: reqwest::Response) -> Self {
        Self { client, inner }
    }

    /// The status.
    pub fn status(&self) -> u16 {
        self.inner.status().as_u16()
    }

    /// The status as people write it, as `404 Not Found`.
    pub fn status_line(&self) -> String {
        self.inner.status().to_string()
    }

    /// A header's value, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    /// All values of a header that are text.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.inner.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    /// Where the answer came from, after redirections.
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// How long the server asks to wait, within reason.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.inner)
    }

    /// The content.
    ///
    /// # Errors
    /// When it breaks off, or is longer than `most`.
    pub fn bytes(self, most: u64) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        self.stream(&mut |piece| {
            if all.len() as u64 + piece.len() as u64 > most {
                return Err(Error::new(format!("the server sends more than {most} bytes")));
            }
            all.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(all)
    }

    /// Hands the content over piece by piece.
    ///
    /// # Errors
    /// When it breaks off, or `receive` fails.
    pub fn stream(mut self, receive: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<(), Failure> {
        let nothing = AtomicU64::new(0);
        self.client.runtime.block_on(async {
            while let Some(piece) = lively(&nothing, self.inner.chunk()).await?.map_err(Failure::of)? {
                receive(&piece)?;
            }
            Ok(())
        })
    }
}

/// Waits as long as something moves: a server that falls silent must not hold a build for ever.
async fn lively<T>(moved: &AtomicU64, work: impl Future<Output = T>) -> Result<T, Failure> {
    let mut work = pin!(work);
    loop {
        match tokio::time::timeout(SILENCE, &mut work).await {
            Ok(done) => return Ok(done),
            Err(_) if moved.swap(0, Ordering::Relaxed) > 0 => {}
            Err(_) => return Err(silent()),
        }
    }
}

/// What is said of a server that nothing comes from.
pub(super) fn silent() -> Failure {
    Failure::Passing(Error::new(format!("the server is silent for {} seconds", SILENCE.as_secs())), None)
}

/// A redirection that leaves HTTPS would show to everyone what was asked for.
pub(super) fn redirects() -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(|attempt| {
        let from_https = attempt.previous().iter().any(|url| url.scheme() == "https");
        if from_https && attempt.url().scheme() != "https" {
            attempt.error("the server redirects from HTTPS to HTTP")
        } else if attempt.previous().len() > MOST_REDIRECTIONS {
            attempt.error("the server redirects too often")
        } else {
            attempt.follow()
        }
    })
}
