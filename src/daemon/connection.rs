//! One connection to an engine, used for one request after the other. What is sent and received streams: neither is ever whole in memory.
//! The runtime has no thread of its own; it runs while a call waits.

use super::settings::Endpoint;
use super::transport::{self, Tunnel, Way};
use crate::error::{Advice, Context, Error, Result};
use bytes::{Bytes, BytesMut};
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;
use tokio::runtime::Runtime;

/// The longest wait for a sign of life; of an engine behind SSH, which may have to ask a person, more.
const PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE_WITH_SSH: Duration = Duration::from_secs(300);
/// A larger document is not read.
const LARGEST: usize = 64 << 20;
/// Bytes that are sent at once.
const PIECE: usize = 256 << 10;

type Body = Either<Channel<Bytes, io::Error>, Empty<Bytes>>;
type BoxedBody = UnsyncBoxBody<Bytes, io::Error>;
type Requests = SendRequest<BoxedBody>;

/// A connection that is opened again where it was closed, if that is still allowed.
pub struct Connection {
    endpoint: Endpoint,
    // Ended before the runtime, whose task waits for it.
    tunnel: Option<Tunnel>,
    requests: Requests,
    runtime: Runtime,
}

/// What an engine answered.
pub struct Answer {
    /// The status, as 200.
    pub status: u16,
    /// The whole body.
    pub body: Vec<u8>,
    headers: hyper::HeaderMap,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Connection {
    /// Opens a connection and asks for a sign of life, which is the answer.
    pub fn open(endpoint: Endpoint) -> Result<(Self, Answer)> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context(|| "cannot prepare to speak to an engine")?;
        let Opened { requests, tunnel } = runtime.block_on(connect(&endpoint))?;
        let mut connection = Self { endpoint, tunnel, requests, runtime };
        match connection.first_ping() {
            Ok(answer) => Ok((connection, answer)),
            Err(error) => Err(unreachable(error, &connection.endpoint)),
        }
    }

    /// The first answer of all, which shows whether there is an engine at the other end.
    fn first_ping(&mut self) -> Result<Answer> {
        let patience = if self.tunnel.is_some() { PATIENCE_WITH_SSH } else { PATIENCE };
        let sending = self.requests.send_request(request(Method::GET, "/_ping", Either::Right(Empty::new()))?);
        let answered = self.runtime.block_on(async {
            let answered = async { answer(sending.await.context(|| "it broke off")?).await };
            tokio::time::timeout(patience, answered).await
        });
        let silent = || Err(Error::new(format!("it does not answer within {} s", patience.as_secs())));
        let answered = answered.unwrap_or_else(|_| silent());
        let answer = answered.map_err(|error| match self.tunnel.as_mut().and_then(Tunnel::words) {
            Some(words) => Error::new(format!("ssh: {words}")),
            None => error,
        })?;
        if String::from_utf8_lossy(&answer.body).contains("HTTP request to an HTTPS server") {
            return Err(Error::new("it speaks with encryption only"))
                .hint("set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder of `ca.pem`, `cert.pem` and `key.pem`");
        }
        Ok(answer)
    }

    /// Asks for a document.
    pub fn get(&mut self, path: &str) -> Result<Answer> {
        self.ask(Method::GET, path)
    }

    /// Asks for something to be done.
    pub fn post(&mut self, path: &str) -> Result<Answer> {
        self.ask(Method::POST, path)
    }

    /// Hands the body of a successful answer to `read`, or returns the refusal.
    pub fn stream(&mut self, path: &str, read: &mut dyn FnMut(&mut (dyn Read + Send)) -> Result<()>) -> Result<Option<Answer>> {
        let response = self.respond(Method::GET, path)?;
        if !response.status().is_success() {
            return self.runtime.block_on(answer(response)).map(Some);
        }
        let mut body = Received { runtime: &self.runtime, body: response.into_body(), piece: Bytes::new() };
        read(&mut body)?;
        // What is left would be in the way of the next request.
        io::copy(&mut body, &mut io::sink()).context(|| "the engine broke off")?;
        Ok(None)
    }

    /// Sends what `write` writes, and returns the answer.
    pub fn upload(&mut self, path: &str, write: &mut dyn FnMut(&mut Upload) -> Result<()>) -> Result<Answer> {
        let (sender, body) = Channel::new(1);
        let request = request(Method::POST, path, Either::Left(body))?;
        let sending = self.requests.send_request(request);
        let response = self.runtime.spawn(async move { answer(sending.await.context(|| "the engine broke off")?).await });
        let mut upload = Upload { runtime: &self.runtime, sender, piece: BytesMut::with_capacity(PIECE) };
        let written = write(&mut upload).and_then(|()| Ok(upload.flush()?));
        match &written {
            Ok(()) => drop(upload),
            Err(error) => upload.sender.abort(io::Error::other(error.to_string())),
        }
        let response = self.runtime.block_on(response).context(|| "the engine's answer was lost")?;
        match (written, response) {
            (Ok(()), response) => response,
            // The engine's own words say more than that it stopped to listen.
            (Err(_), Ok(refusal)) if refusal.status >= 300 => Ok(refusal),
            (Err(error), _) => Err(error),
        }
    }

    fn ask(&mut self, method: Method, path: &str) -> Result<Answer> {
        let response = self.respond(method, path)?;
        self.runtime.block_on(answer(response))
    }

    fn respond(&mut self, method: Method, path: &str) -> Result<Response<Incoming>> {
        let mut reopened = false;
        loop {
            let sending = self.requests.send_request(request(method.clone(), path, Either::Right(Empty::new()))?);
            match self.runtime.block_on(sending) {
                Ok(response) => return Ok(response),
                Err(error) if reopened || !(error.is_canceled() || error.is_closed() || error.is_incomplete_message()) => {
                    return Err(error).context(|| format!("the engine at {} broke off", self.endpoint.address));
                }
                Err(_) => {
                    let Opened { requests, tunnel } = self.runtime.block_on(connect(&self.endpoint))?;
                    (self.requests, self.tunnel, reopened) = (requests, tunnel, true);
                }
            }
        }
    }
}

fn request(method: Method, path: &str, body: Body) -> Result<Request<BoxedBody>> {
    let body = body.map_err(|error| io::Error::other(error.to_string())).boxed_unsync();
    let request = Request::builder().method(method).uri(path).header("host", "engine");
    request.header("user-agent", concat!("cooper/", env!("CARGO_PKG_VERSION"))).body(body).context(|| format!("cannot ask for `{path}`"))
}

async fn answer(response: Response<Incoming>) -> Result<Answer> {
    let (head, mut body) = response.into_parts();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.context(|| "the engine broke off")?;
        whole.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
        if whole.len() > LARGEST {
            return Err(Error::new(format!("the engine's answer has more than {LARGEST} bytes")));
        }
    }
    Ok(Answer { status: head.status.as_u16(), body: whole, headers: head.headers })
}

/// What became of opening a way: requests can be made, and a program may be in between.
struct Opened {
    requests: Requests,
    tunnel: Option<Tunnel>,
}

async fn connect(endpoint: &Endpoint) -> Result<Opened> {
    let opened = async {
        let Way { stream, tunnel } = transport::open(endpoint).await?;
        let (requests, connection) = handshake(TokioIo::new(stream)).await.context(|| "it does not speak HTTP")?;
        // How a connection ends is seen by the request that needs it.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Opened { requests, tunnel })
    };
    opened.await.map_err(|error| unreachable(error, endpoint))
}

/// The error for an engine that cannot be reached.
fn unreachable(error: Error, endpoint: &Endpoint) -> Error {
    let hint = error.nearest_hint().map_or_else(|| transport::hint(&error, endpoint), str::to_string);
    let named_by = if endpoint.named_by == "nobody" { String::new() } else { format!(", which {} names", endpoint.named_by) };
    Error::from_cause(format!("cannot connect to the engine at {}{named_by}", endpoint.address), error).hint(hint)
}

/// The body of an answer.
struct Received<'a> {
    runtime: &'a Runtime,
    body: Incoming,
    piece: Bytes,
}

impl Read for Received<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.runtime.block_on(self.body.frame()) {
                None => return Ok(0),
                Some(frame) => self.piece = frame.map_err(io::Error::other)?.into_data().unwrap_or_default(),
            }
        }
        let count = buffer.len().min(self.piece.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

/// The body of a request, while it is written.
pub struct Upload<'a> {
    runtime: &'a Runtime,
    sender: Sender<Bytes, io::Error>,
    piece: BytesMut,
}

impl Write for Upload<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        if self.piece.len() == PIECE {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, BytesMut::with_capacity(PIECE)).freeze();
        self.runtime.block_on(self.sender.send_data(piece)).map_err(|_| ErrorKind::BrokenPipe.into())
    }
}
