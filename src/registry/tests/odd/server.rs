//! A server on loopback that answers what it is told to.

use crate::image::Reference;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path.
    pub line: String,
    pub authorization: Option<String>,
    pub range: Option<String>,
    pub content_range: Option<String>,
    pub body: String,
}

/// An answer: status, headers, body; what the headers promise may be another length.
pub type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A server on loopback that answers as it is told; nothing where the answer is none.
pub struct Odd {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Odd {
    pub fn start(answer: impl Fn(&Asked, &str) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, seen, host) = (Arc::new(answer), asked.clone(), address.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, seen, host) = (answer.clone(), seen.clone(), host.clone());
                std::thread::spawn(move || serve(stream.unwrap(), &seen, |asked| answer(asked, &host)));
            }
        });
        Self { address, asked }
    }

    pub fn name(&self, repository: &str) -> Reference {
        Reference::parse(&format!("{}/{repository}", self.address)).unwrap()
    }

    pub fn asked(&self) -> Vec<Asked> {
        // Whether HTTP is enough is asked first.
        self.asked.lock().unwrap().iter().filter(|asked| asked.line != "GET /v2/").cloned().collect()
    }

    pub fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

fn serve(stream: TcpStream, seen: &Mutex<Vec<Asked>>, answer: impl Fn(&Asked) -> Option<Answer>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    // The beginning of TLS is no text.
    if reader.read_line(&mut line).is_err() || !line.contains("HTTP/1.1") {
        return;
    }
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_string());
    }
    let mut body = vec![0; headers.get("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let asked = Asked {
        line: line.trim_end().trim_end_matches(" HTTP/1.1").to_string(),
        authorization: headers.get("authorization").cloned(),
        range: headers.get("range").cloned(),
        content_range: headers.get("content-range").cloned(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    seen.lock().unwrap().push(asked.clone());
    let Some((status, headers, body)) = answer(&asked) else { return };
    let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "content-length") {
        head += &format!("content-length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut stream = stream;
    // A client that has enough hangs up.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(b"\r\n")).and_then(|()| stream.write_all(&body)));
}

pub fn plain(status: u16, body: impl Into<Vec<u8>>) -> Option<Answer> {
    Some((status, Vec::new(), body.into()))
}
