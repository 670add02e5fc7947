//! A server that answers as a script says and remembers what it was asked.

use super::{Engine, Settings};
use crate::error::Result;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};

/// The server.
pub struct Scripted {
    folder: tempfile::TempDir,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    connections: usize,
    requests: Vec<(String, Vec<u8>)>,
}

impl Scripted {
    /// Starts a server that speaks this version, and answers a request for a path with a body as `answer` says.
    pub fn start(version: &str, answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (record, version) = (Arc::clone(&heard), version.to_string());
        std::thread::spawn(move || {
            for stream in listener.incoming().map(std::result::Result::unwrap) {
                record.lock().unwrap().connections += 1;
                serve(stream, &version, &answer, &record);
            }
        });
        Self { folder, heard }
    }

    pub fn connect(&self) -> Result<Engine> {
        let host = format!("unix://{}", self.folder.path().join("socket").display());
        Engine::connect(&Settings::of_environment(|name| (name == "DOCKER_HOST").then(|| host.clone().into())))
    }

    /// Method and path of each request but those for a sign of life.
    pub fn asked(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap();
        heard.requests.iter().map(|(request, _)| request.clone()).filter(|request| !request.ends_with("/_ping")).collect()
    }

    /// What was uploaded.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().requests.iter().map(|(_, body)| body.clone()).filter(|body| !body.is_empty()).collect()
    }

    /// How often a connection was opened.
    pub fn connections(&self) -> usize {
        self.heard.lock().unwrap().connections
    }
}

/// An answer with a document.
pub fn json(status: u16, document: &serde_json::Value) -> Vec<u8> {
    answer(status, document.to_string().as_bytes())
}

/// An answer with a body.
pub fn answer(status: u16, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn serve(stream: UnixStream, version: &str, answer: &dyn Fn(&str, &[u8]) -> Vec<u8>, record: &Mutex<Heard>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let request = line.rsplit_once(' ').unwrap().0.to_string();
        let mut chunked = false;
        while line.trim() != "" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            chunked |= line.to_ascii_lowercase().starts_with("transfer-encoding: chunked");
        }
        let body = if chunked { read_chunks(&mut reader) } else { Vec::new() };
        let path = request.split_once(' ').unwrap().1.to_string();
        let answer = if path == "/_ping" {
            format!("HTTP/1.1 200 OK\r\napi-version: {version}\r\ncontent-length: 2\r\n\r\nOK").into_bytes()
        } else {
            answer(&path, &body)
        };
        record.lock().unwrap().requests.push((request, body));
        (&stream).write_all(&answer).unwrap();
        if answer.windows(17).any(|window| window == b"connection: close") {
            return;
        }
    }
}

fn read_chunks(reader: &mut impl BufRead) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).unwrap();
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return body;
        }
    }
}
