//! An app that says which processor it was compiled for.

use std::io::{Read, Write};

fn main() {
    let listener = std::net::TcpListener::bind("0.0.0.0:8080").unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        drop(stream.read(&mut [0; 4096]));
        let body = std::env::consts::ARCH;
        drop(write!(stream, "HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    }
}
