//! A request whose body is sent while it is made.

use super::request::silent;
use super::retry::Failure;
use super::{Client, Request, Response, SILENCE};
use crate::error::Error;
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use std::io::{self, Write};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// How many pieces may wait to be sent.
const WAITING: usize = 2;

/// A request that is under way. What is written is sent; [`Streamed::finish`] ends the body and waits for the answer.
pub struct Streamed {
    body: Sender<Bytes, io::Error>,
    answer: JoinHandle<reqwest::Result<reqwest::Response>>,
    runtime: Handle,
}

impl Client {
    /// Begins a request whose body is what is written; that of `request` is not looked at.
    ///
    /// # Errors
    /// When a header cannot be sent.
    pub fn start(&self, request: &Request) -> Result<Streamed, Failure> {
        let (body, receiver) = Channel::new(WAITING);
        let sending = self.builder(request)?.body(reqwest::Body::wrap(receiver)).send();
        Ok(Streamed { body, answer: self.runtime.spawn(sending), runtime: self.runtime.handle().clone() })
    }
}

impl Streamed {
    /// Ends the body. `client` is the one that the request was begun with.
    ///
    /// # Errors
    /// When no answer arrives. Any status is an answer.
    pub fn finish(self, client: &Client) -> Result<Response<'_>, Failure> {
        drop(self.body);
        let broken = |error| Failure::Passing(Error::from_cause("the request broke off", error), None);
        let answer = client.runtime.block_on(async { tokio::time::timeout(SILENCE, self.answer).await });
        let answer = answer.map_err(|_| silent())?.map_err(broken)?;
        Ok(Response::of(client, answer.map_err(Failure::of)?))
    }
}

impl Write for Streamed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sending = self.body.send_data(Bytes::copy_from_slice(bytes));
        let sent = self.runtime.block_on(async { tokio::time::timeout(SILENCE, sending).await });
        match sent {
            Ok(Ok(())) => Ok(bytes.len()),
            Ok(Err(error)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, error)),
            Err(_) => Err(io::Error::other(format!("{:?}", silent().into_error()))),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
