//! Engines that cannot be reached: what is said of each.

use super::super::{Engine, Settings};
use super::scripted::answer;
use crate::error::Error;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

fn connect(variables: &[(&str, String)]) -> Result<Engine, Error> {
    let variables = variables.to_vec();
    let get = move |wanted: &str| variables.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.into());
    Engine::connect(&Settings::read(get))
}

fn refused(variables: &[(&str, String)]) -> String {
    format!("{:?}", connect(variables).map(drop).unwrap_err())
}

/// A server on loopback that gives every request this answer; its address.
fn server(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(&answer).ok();
        }
    });
    format!("tcp://{address}")
}

#[test]
fn what_listens_there_is_no_engine() {
    for (answer, expected) in [
        (answer(404, b"not here"), "caused by: the engine answered with status 404"),
        (answer(200, b"OK"), "caused by: it is no Docker or Podman engine"),
        (answer(400, b"Client sent an HTTP request to an HTTPS server.\n"), "caused by: it speaks with encryption only"),
        (b"SSH-2.0-OpenSSH\r\n".to_vec(), "caused by: it broke off"),
        (Vec::new(), "caused by: it broke off"),
    ] {
        let host = server(answer);
        let error = refused(&[("DOCKER_HOST", host.clone())]);
        assert!(error.contains(&host) && error.contains(expected) && error.contains("hint: "), "{error}");
    }
    let error = refused(&[("DOCKER_HOST", server(answer(400, b"Client sent an HTTP request to an HTTPS server.\n")))]);
    assert!(error.contains("DOCKER_TLS_VERIFY=1"), "{error}");
}

#[test]
fn an_engine_without_encryption_is_told_from_one_with_another_certificate() {
    let host = server(answer(400, b""));
    let folder = tempfile::tempdir().unwrap();
    let settings = |folder: &Path| {
        [("DOCKER_HOST", host.clone()), ("DOCKER_TLS_VERIFY", "1".to_string()), ("DOCKER_CERT_PATH", folder.display().to_string())]
    };
    let error = refused(&settings(folder.path()));
    assert!(error.contains("cannot agree on encryption") && error.contains("unset DOCKER_TLS_VERIFY"), "{error}");
    let error = refused(&settings(&folder.path().join("gone")));
    assert!(error.contains("there is no folder") && error.contains("DOCKER_CERT_PATH"), "{error}");
    std::fs::write(folder.path().join("ca.pem"), "nothing").unwrap();
    assert!(refused(&settings(folder.path())).contains("there is none in it"));
    std::fs::remove_file(folder.path().join("ca.pem")).unwrap();
    std::fs::write(folder.path().join("key.pem"), "nothing").unwrap();
    assert!(refused(&settings(folder.path())).contains("has no certificate"));
}

#[test]
fn every_place_that_was_tried_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let error = refused(&[("DOCKER_HOST", format!("unix://{path}/none"))]);
    assert!(error.starts_with(&format!("cannot connect to the engine at unix://{path}/none, which DOCKER_HOST names")), "{error}");
    if Path::new("/var/run/docker.sock").exists() || Path::new("/run/podman/podman.sock").exists() {
        return;
    }
    let error = refused(&[("HOME", path.clone()), ("XDG_RUNTIME_DIR", path.clone())]);
    let tried =
        format!("/var/run/docker.sock, unix://{path}/docker.sock, unix://{path}/podman/podman.sock, unix:///run/podman/podman.sock");
    assert!(error.contains(&tried) && error.contains("podman system service"), "{error}");
}

#[test]
fn what_ssh_says_is_told() {
    let found = Command::new("ssh").arg("-V").output();
    if found.is_err() {
        let error = refused(&[("DOCKER_HOST", "ssh://host.invalid".into())]);
        assert!(error.contains("cannot start `ssh`"), "{error}");
        return;
    }
    let error = refused(&[("DOCKER_HOST", "ssh://nobody@127.0.0.1:1".into())]);
    assert!(error.contains("ssh://nobody@127.0.0.1:1") && error.contains("caused by: ssh: "), "{error}");
    assert!(error.contains("without a password"), "{error}");
}
