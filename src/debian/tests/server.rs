//! An HTTP server on loopback with files that a test may change.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a server has, by path without a leading `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The server.
pub struct Server {
    /// Its address, as `http://127.0.0.1:1234`.
    pub address: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    files: Files,
    /// Of paths with this ending only the first half is sent.
    breaks_off: Option<String>,
}

impl Server {
    /// A server with these files.
    pub fn new(files: &Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::<Mutex<Shared>>::default();
        let server = Self { address, shared: Arc::clone(&shared) };
        server.serve(files);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream.unwrap(), &shared));
            }
        });
        server
    }

    /// Has these files from now on, whole.
    pub fn serve(&self, files: &Files) {
        *self.shared.lock().unwrap() = Shared { files: files.clone(), breaks_off: None };
    }

    /// Breaks off in the middle of files with this ending.
    pub fn break_off(&self, ending: &str) {
        self.shared.lock().unwrap().breaks_off = Some(ending.into());
    }
}

/// Answers one request. A client that goes away early is its own affair.
fn answer(mut stream: TcpStream, shared: &Mutex<Shared>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let path = String::from_utf8_lossy(&request).split(' ').nth(1).unwrap().trim_start_matches('/').to_string();
    let shared = shared.lock().unwrap();
    let (status, content) = shared.files.get(&path).map_or(("404 Not Found", &[][..]), |content| ("200 OK", content));
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", content.len());
    let half = shared.breaks_off.as_ref().is_some_and(|ending| path.ends_with(ending));
    let sent = if half { &content[..content.len() / 2] } else { content };
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(sent)));
}
