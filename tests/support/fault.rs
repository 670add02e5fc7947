//! A proxy on loopback whose connections break, or are slow, where a test says.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

/// Bytes that pass at once where a connection is slow.
const SLOW: usize = 256;

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug)]
pub enum Break {
    /// It breaks after so many bytes of what the client sends.
    Sent(u64),
    /// It breaks after so many bytes of what the server answers.
    Answered(u64),
    /// It does not break, but a few bytes take so long.
    Slow(Duration),
}

/// A proxy before a server on loopback.
pub struct Faulty {
    address: String,
}

impl Faulty {
    /// Starts a proxy before `server`; `broken` says of each connection, counted from 0, where it breaks.
    pub fn start(server: &str, broken: impl Fn(usize) -> Option<Break> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = server.to_string();
        std::thread::spawn(move || {
            for (index, client) in listener.incoming().enumerate() {
                let at = broken(index);
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&server)) else { continue };
                let (up, down) = match at {
                    Some(Break::Sent(bytes)) => (bytes, u64::MAX),
                    Some(Break::Answered(bytes)) => (u64::MAX, bytes),
                    Some(Break::Slow(_)) | None => (u64::MAX, u64::MAX),
                };
                let pause = if let Some(Break::Slow(pause)) = at { Some(pause) } else { None };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || pass(from, to, up, pause));
                std::thread::spawn(move || pass(server, client, down, pause));
            }
        });
        Self { address }
    }

    /// Where it listens.
    pub fn host(&self) -> &str {
        &self.address
    }
}

/// Passes bytes on until `most` have passed, then breaks the connection both ways; with a pause before each piece.
fn pass(mut from: TcpStream, mut to: TcpStream, most: u64, pause: Option<Duration>) {
    let (mut left, mut piece) = (most, vec![0; if pause.is_some() { SLOW } else { 64 << 10 }]);
    while left > 0 {
        let room = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match from.read(&mut piece[..room]) {
            // The other direction may still have something to say.
            Ok(0) if left > 0 && most == u64::MAX => {
                drop(to.shutdown(Shutdown::Write));
                return;
            }
            Ok(0) | Err(_) => break,
            Ok(count) => {
                if let Some(pause) = pause {
                    std::thread::sleep(pause);
                }
                if to.write_all(&piece[..count]).is_err() {
                    break;
                }
                left -= count as u64;
            }
        }
    }
    for stream in [from, to] {
        drop(stream.shutdown(Shutdown::Both));
    }
}
