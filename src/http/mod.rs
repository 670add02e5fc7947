//! The HTTP client as this product needs it: certificates and names are looked up by own means, because a static program must not call the
//! C library's resolver and because a host without certificates must still be able to speak plain HTTP. Start with [`Client`]: it gets files
//! from anywhere, and sends [`Request`]s of any kind to servers that are given credentials.

mod body;
mod pem;
mod request;
mod resolver;
mod retry;
mod streamed;
mod trust;

pub use pem::certificates;
pub use request::{Body, Method, Request, Response, Url};
pub use resolver::addresses;
pub use retry::{Failure, repeatedly};
pub use streamed::Streamed;
pub use trust::{Identity, Trust};

use self::retry::retry_after;
use crate::error::{Context, Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

const CONNECT: Duration = Duration::from_secs(15);
/// The longest silence in the middle of a request or an answer.
const SILENCE: Duration = Duration::from_secs(60);
const TRIES: u32 = 4;
const USER_AGENT: &str = concat!("cooper/", env!("CARGO_PKG_VERSION"));

/// A client that honours proxies and certificates of the environment. Calls block; threads may share it.
pub struct Client {
    runtime: Runtime,
    client: reqwest::Client,
}

/// The server at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Its certificate must be one that the host trusts.
    Verified,
    /// Any certificate will do, because the person said so.
    Unverified,
    /// It is this machine: any certificate will do, and no proxy is in between.
    Loopback,
}

/// What a server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The whole content was received.
    Content,
    /// It does not have that.
    NotFound,
}

/// Whether no server may be spoken to.
static OFFLINE: AtomicBool = AtomicBool::new(false);

/// From now on, every request of this program fails before it is sent.
pub fn go_offline() {
    OFFLINE.store(true, Ordering::Relaxed);
}

/// # Errors
/// When no server may be spoken to.
fn check_online() -> Result<()> {
    match OFFLINE.load(Ordering::Relaxed) {
        true => Err(Error::new("the network is not used").hint("leave out `--offline`, or unset COOPER_OFFLINE")),
        false => Ok(()),
    }
}

impl Client {
    /// Makes a client.
    ///
    /// # Errors
    /// When the system's certificates or proxies cannot be used.
    pub fn new() -> Result<Self> {
        Self::build(Trust::default().settings(true)?, |builder| builder.read_timeout(SILENCE))
    }

    /// Makes a client for servers that are given credentials: it follows no redirection from HTTPS to HTTP, and tells no server where it was
    /// sent from.
    ///
    /// # Errors
    /// When the certificates or the proxies cannot be used.
    pub fn careful(peer: Peer, trust: Trust) -> Result<Self> {
        Self::build(trust.settings(peer == Peer::Verified)?, |builder| {
            let builder = builder.referer(false).redirect(request::redirects());
            match peer {
                Peer::Verified | Peer::Unverified => builder,
                Peer::Loopback => builder.no_proxy(),
            }
        })
    }

    fn build(tls: rustls::ClientConfig, more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Result<Self> {
        let describe = || "cannot start the HTTP client";
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().thread_name("http").build().context(describe)?;
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .tls_backend_preconfigured(tls)
            .dns_resolver(resolver::Resolver::default())
            .connect_timeout(CONNECT);
        Ok(Self { client: more(builder).build().context(describe)?, runtime })
    }

    /// Receives what is at `url`. `start` is called at the beginning of each try, `receive` with each piece of content.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or breaks off more often than is worth trying, or when `receive` fails.
    pub fn get(&self, url: &str, start: &mut dyn FnMut() -> Result<()>, receive: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Answer> {
        check_online().context(|| format!("GET {url}"))?;
        let mut tried = 0;
        loop {
            tried += 1;
            start()?;
            match self.runtime.block_on(self.try_once(url, receive)) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error).context(|| format!("GET {url}")),
                Err(Failure::Passing(error, _)) if tried == TRIES => return Err(error).context(|| format!("GET {url}, {TRIES} times")),
                Err(Failure::Passing(_, wait)) => std::thread::sleep(wait.unwrap_or(Duration::from_millis(250 << tried))),
            }
        }
    }

    async fn try_once(&self, url: &str, receive: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<Answer, Failure> {
        let mut response = self.client.get(url).send().await.map_err(Failure::of)?;
        let status = response.status();
        if status.as_u16() == 404 || status.as_u16() == 410 {
            return Ok(Answer::NotFound);
        }
        if !status.is_success() {
            let error = Error::new(format!("the server answered {status}"));
            let passing = status.is_server_error() || status.as_u16() == 429;
            return Err(if passing { Failure::Passing(error, retry_after(&response)) } else { Failure::Final(error) });
        }
        while let Some(piece) = response.chunk().await.map_err(Failure::of)? {
            receive(&piece).map_err(Failure::Final)?;
        }
        Ok(Answer::Content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A server on loopback that gives these answers one after the other.
    fn server(answers: Vec<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        format!("http://{address}/x")
    }

    fn get(url: &str) -> Result<(Answer, String)> {
        let received = std::cell::RefCell::new(Vec::new());
        let mut start = || {
            received.borrow_mut().clear();
            Ok(())
        };
        let answer = Client::new()?.get(url, &mut start, &mut |piece| {
            received.borrow_mut().extend_from_slice(piece);
            Ok(())
        })?;
        Ok((answer, String::from_utf8(received.into_inner()).unwrap()))
    }

    #[test]
    fn passing_failures_are_tried_again_from_the_start() {
        let busy = "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let broken = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\nconnection: close\r\n\r\nhalf";
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\ngood";
        assert_eq!(get(&server(vec![busy, broken, good])).unwrap(), (Answer::Content, "good".to_string()));
    }

    #[test]
    fn missing_is_an_answer_and_refusal_an_error() {
        let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        assert_eq!(get(&server(vec![missing])).unwrap().0, Answer::NotFound);
        let refused = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        let error = get(&server(vec![refused])).unwrap_err();
        assert!(format!("{error:?}").contains("403"), "{error:?}");
    }
}
