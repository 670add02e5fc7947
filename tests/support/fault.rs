//! A proxy on loopback whose connections break where a test says.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

/// Where a connection breaks.
#[derive(Clone, Copy, Debug)]
pub enum Break {
    /// After so many bytes of what the client sends.
    Sent(u64),
    /// After so many bytes of what the server answers.
    Answered(u64),
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
                    None => (u64::MAX, u64::MAX),
                };
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || pass(from, to, up));
                std::thread::spawn(move || pass(server, client, down));
            }
        });
        Self { address }
    }

    /// Where it listens.
    pub fn host(&self) -> &str {
        &self.address
    }
}

/// Passes bytes on until `most` have passed, then breaks the connection both ways.
fn pass(mut from: TcpStream, mut to: TcpStream, most: u64) {
    let (mut left, mut piece) = (most, vec![0; 64 << 10]);
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
