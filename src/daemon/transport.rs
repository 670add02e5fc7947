//! The ways to an engine: a socket, a port, a port with encryption, or a program that leads to a socket elsewhere.

use super::address::{Address, FORMS, Ssh};
use super::settings::Endpoint;
use super::tls;
use crate::error::{Context, Error, Result};
use crate::http;
use rustls::pki_types::ServerName;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// The longest wait for a connection.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of what `ssh` says, so much is told.
const LONGEST_WORDS: u64 = 2000;

/// Bytes to and from an engine.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The way to an engine, while it is open.
pub struct Way {
    /// Bytes to and from the engine.
    pub stream: Box<dyn Stream>,
    /// The program in between, where there is one.
    pub tunnel: Option<Tunnel>,
}

/// Opens the way to an engine.
pub async fn open(endpoint: &Endpoint) -> Result<Way> {
    let opened = tokio::time::timeout(PATIENCE, async {
        match &endpoint.address {
            Address::Unix(path) => plain(UnixStream::connect(path).await.context(|| "the socket does not open")?),
            Address::Tcp(host, port) => {
                let stream = connect(host, Address::port(*port, endpoint.certificates.is_some())).await?;
                match &endpoint.certificates {
                    None => plain(stream),
                    Some(certificates) => encrypted(stream, host, certificates.settings()?).await,
                }
            }
            Address::Ssh(ssh) => Tunnel::dig(ssh),
        }
    });
    opened.await.unwrap_or_else(|_| Err(Error::new(format!("it does not answer within {} s", PATIENCE.as_secs()))))
}

fn plain(stream: impl Stream + 'static) -> Result<Way> {
    Ok(Way { stream: Box::new(stream), tunnel: None })
}

async fn connect(host: &str, port: u16) -> Result<TcpStream> {
    let mut last = Error::new(format!("the host `{host}` has no address"));
    for address in http::addresses(host).await? {
        match TcpStream::connect((address, port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Error::from_cause(format!("cannot connect to {address}:{port}"), error),
        }
    }
    Err(last)
}

async fn encrypted(stream: TcpStream, host: &str, settings: rustls::ClientConfig) -> Result<Way> {
    let name = ServerName::try_from(host.to_string()).context(|| format!("`{host}` can have no certificate"))?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(settings));
    plain(connector.connect(name, stream).await.context(|| "cannot agree on encryption")?)
}

/// A program that passes bytes on to an engine elsewhere; ended when it is dropped.
pub struct Tunnel {
    child: Child,
    words: File,
}

impl Tunnel {
    /// Starts `ssh` as Docker's own client does.
    fn dig(ssh: &Ssh) -> Result<Way> {
        let describe = || "cannot start `ssh`, which leads to the engine";
        let (ours, theirs) = Socket::pair().context(describe)?;
        let words = tempfile::tempfile().context(describe)?;
        let mut command = Command::new("ssh");
        command.args(ssh.arguments()).stdin(OwnedFd::from(theirs.try_clone().context(describe)?)).stdout(OwnedFd::from(theirs));
        let child = command.stderr(words.try_clone().context(describe)?).spawn().context(describe)?;
        let tunnel = Self { child, words };
        ours.set_nonblocking(true).context(describe)?;
        Ok(Way { stream: Box::new(UnixStream::from_std(ours).context(describe)?), tunnel: Some(tunnel) })
    }

    /// What the program said of what is wrong.
    pub fn words(&mut self) -> Option<String> {
        let mut words = Vec::new();
        self.words.rewind().ok()?;
        (&self.words).take(LONGEST_WORDS).read_to_end(&mut words).ok()?;
        let words = String::from_utf8_lossy(&words).lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        Some(words).filter(|words| !words.is_empty())
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Ssh {
    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> = ["-o", "ConnectTimeout=30", "-T"].map(str::to_string).to_vec();
        if let Some(user) = &self.user {
            arguments.extend(["-l".into(), user.clone()]);
        }
        if let Some(port) = self.port {
            arguments.extend(["-p".into(), port.to_string()]);
        }
        arguments.extend(["--".into(), self.host.clone(), "docker".into()]);
        if let Some(socket) = &self.socket {
            arguments.extend(["--host".into(), format!("unix://{socket}")]);
        }
        arguments.extend(["system".into(), "dial-stdio".into()]);
        arguments
    }
}

/// What to do about an engine that cannot be reached.
pub fn hint(error: &Error, endpoint: &Endpoint) -> String {
    if let Some(hint) = tls::hint(error) {
        return hint.to_string();
    }
    if error.is_io(ErrorKind::PermissionDenied) {
        return "become a member of the group that owns the socket (often `docker`), or name an engine of your own with DOCKER_HOST".into();
    }
    match endpoint.address {
        Address::Ssh(_) => "see that `ssh` logs in to that host without a password, and that `docker` runs there".into(),
        Address::Unix(_) | Address::Tcp(..) => {
            format!("start Docker, or `podman system service`, or name another engine with DOCKER_HOST as {FORMS}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssh_is_started_as_dockers_client_starts_it() {
        let arguments = |text: &str| match Address::parse(text).unwrap() {
            Address::Ssh(ssh) => ssh.arguments().join(" "),
            other => panic!("{other}"),
        };
        assert_eq!(arguments("ssh://host"), "-o ConnectTimeout=30 -T -- host docker system dial-stdio");
        assert_eq!(
            arguments("ssh://me@host:22/run/d.sock"),
            "-o ConnectTimeout=30 -T -l me -p 22 -- host docker --host unix:///run/d.sock system dial-stdio"
        );
    }
}
