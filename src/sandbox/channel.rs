//! The socket between the processes of a run. It carries what to run, descriptors, signals and failures; and when it closes, the other side
//! has ended, whatever ended it.

use crate::error::{Context, Error, Result};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Sends a document.
pub fn send(mut socket: &UnixStream, document: &impl Serialize) -> Result<()> {
    let bytes = serde_json::to_vec(document).context(|| "cannot describe what to run")?;
    let length = u32::try_from(bytes.len()).context(|| "the description of what to run is too long")?;
    let message = [&length.to_ne_bytes(), bytes.as_slice()].concat();
    socket.write_all(&message).context(|| "cannot write to the sandbox's socket")
}

/// Receives a document, or none when the other side has ended.
pub fn receive<T: DeserializeOwned>(mut socket: &UnixStream) -> Result<Option<T>> {
    let mut length = [0; 4];
    match socket.read_exact(&mut length) {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset) => return Ok(None),
        other => other.context(|| "cannot read from the sandbox's socket")?,
    }
    let mut bytes = vec![0; u32::from_ne_bytes(length) as usize];
    socket.read_exact(&mut bytes).context(|| "cannot read from the sandbox's socket")?;
    serde_json::from_slice(&bytes).context(|| "cannot understand what came through the sandbox's socket").map(Some)
}

/// Sends one byte, and perhaps a descriptor with it.
pub fn send_byte(socket: &UnixStream, byte: u8, descriptor: Option<BorrowedFd<'_>>) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<BorrowedFd<'_>> = descriptor.into_iter().collect();
    if !descriptors.is_empty() {
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    sendmsg(socket, &[IoSlice::new(&[byte])], &mut ancillary, SendFlags::NOSIGNAL).context(|| "cannot write to the sandbox's socket")?;
    Ok(())
}

/// Receives one byte and the descriptor that came with it, or none when the other side has ended.
pub fn receive_byte(socket: &UnixStream) -> Result<Option<(u8, Option<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let received = match recvmsg(socket.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
        Err(rustix::io::Errno::CONNRESET) => return Ok(None),
        other => other.context(|| "cannot read from the sandbox's socket")?,
    };
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(Some((byte[0], descriptor)))
}

/// A failure on its way to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub struct Failure {
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
    code: u8,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let hint = error.nearest_hint().map(str::to_owned);
        Self { message: error.to_string(), causes: error.causes(), hint, code: error.exit_code() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let wrap = |cause: Option<Error>, message: String| match cause {
            Some(cause) => Err::<(), _>(cause).context(|| message).err(),
            None => Some(Error::new(message)),
        };
        let cause = failure.causes.into_iter().rev().fold(None, wrap);
        let error = wrap(cause, failure.message).unwrap_or_else(|| Error::new("the sandbox failed")).code(failure.code);
        match failure.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_cross_the_socket_whole() {
        let (one, other) = UnixStream::pair().unwrap();
        let error = Err::<(), _>(Error::new("inner").hint("do this")).context(|| "middle").context(|| "outer").unwrap_err().code(127);
        send(&one, &Failure::from(&error)).unwrap();
        drop(one);
        let received: Error = receive::<Failure>(&other).unwrap().unwrap().into();
        assert_eq!(format!("{received:?}"), format!("{error:?}"));
        assert_eq!(received.exit_code(), 127);
        assert!(receive::<Failure>(&other).unwrap().is_none());
    }

    #[test]
    fn descriptors_cross_the_socket() {
        let (one, other) = UnixStream::pair().unwrap();
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        send_byte(&one, 7, Some(file.as_fd())).unwrap();
        send_byte(&one, 8, None).unwrap();
        let (byte, descriptor) = receive_byte(&other).unwrap().unwrap();
        assert_eq!(byte, 7);
        assert_eq!(rustix::fs::fstat(descriptor.unwrap()).unwrap().st_ino, rustix::fs::fstat(&file).unwrap().st_ino);
        assert!(matches!(receive_byte(&other).unwrap(), Some((8, None))));
    }
}
