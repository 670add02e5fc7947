//! A server on loopback that answers what it is told to, or what a real one behind it answers.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Headers of answers that matter.
const PASSED: [&str; 9] = [
    "content-length",
    "content-type",
    "content-range",
    "docker-content-digest",
    "link",
    "location",
    "oci-subject",
    "range",
    "www-authenticate",
];

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path.
    pub line: String,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

/// An answer: status, headers, body; what the headers promise may be another length.
pub type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

/// A server on loopback that answers as it is told; nothing where the answer is none.
pub struct Odd {
    pub address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Asked {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// What a real server answers to this.
    pub fn passed_on(&self, server: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(server).ok()?;
        let mut head = format!("{} HTTP/1.1\r\n", self.line);
        for (name, value) in self.headers.iter().filter(|(name, _)| !["connection", "transfer-encoding"].contains(&name.as_str())) {
            head += &format!("{name}: {value}\r\n");
        }
        if !self.headers.contains_key("content-length") {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).ok()?;
        stream.write_all(&self.body).ok()?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut headers = read_headers(&mut reader)?;
        let body = read_body(&mut reader, &headers, self.line.starts_with("HEAD "))?;
        let headers = PASSED.iter().filter_map(|name| Some((*name, headers.remove(*name)?))).collect();
        Some((line.split(' ').nth(1)?.parse().ok()?, headers, body))
    }
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
    // A client that is ended hangs up.
    let Some(headers) = read_headers(&mut reader) else { return };
    let Some(body) =
        read_body(&mut reader, &headers, !headers.contains_key("content-length") && !headers.contains_key("transfer-encoding"))
    else {
        return;
    };
    let asked = Asked { line: line.trim_end().trim_end_matches(" HTTP/1.1").to_string(), headers, body };
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

fn read_headers(reader: &mut impl BufRead) -> Option<HashMap<String, String>> {
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else { return Some(headers) };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_string());
    }
}

/// The body of a request or an answer; in pieces, where the length is not told before.
fn read_body(reader: &mut impl BufRead, headers: &HashMap<String, String>, is_empty: bool) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if is_empty {
        return Some(body);
    }
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
        return Some(body);
    }
    if !headers.contains_key("transfer-encoding") {
        reader.read_to_end(&mut body).ok()?;
        return Some(body);
    }
    loop {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = u64::from_str_radix(size.trim(), 16).ok()?;
        reader.by_ref().take(size).read_to_end(&mut body).ok()?;
        reader.read_line(&mut String::new()).ok()?;
        if size == 0 {
            return Some(body);
        }
    }
}

pub fn plain(status: u16, body: impl Into<Vec<u8>>) -> Option<Answer> {
    Some((status, Vec::new(), body.into()))
}
